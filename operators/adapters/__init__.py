"""Operators of other libraries, each taken in once, at the edge."""

from collections.abc import Callable
from typing import Any

from invscore.operators.adapters.deepinv import from_deepinv
from invscore.operators.adapters.nufft import from_finufft, from_mri_nufft, from_torchkbnufft
from invscore.operators.adapters.odl import from_odl
from invscore.operators.adapters.pylops import from_pylops
from invscore.operators.adapters.rtk import from_rtk
from invscore.operators.adapters.scipy import from_scipy, to_scipy
from invscore.operators.adapters.sigpy import from_sigpy
from invscore.operators.base import Shape

__all__ = [
    "adapt",
    "from_deepinv",
    "from_finufft",
    "from_mri_nufft",
    "from_odl",
    "from_pylops",
    "from_rtk",
    "from_scipy",
    "from_sigpy",
    "from_torchkbnufft",
    "to_scipy",
]


def adapt(made: Any, in_shape: Shape | None = None) -> Any:
    """The operator of an object of deepinv, PyLops, SigPy, ODL or mri-nufft; others as they are.

    >>> import numpy as np
    >>> import pylops
    >>> from invscore.operators.adapters import adapt
    >>> adapt(pylops.Diagonal(np.ones(4)), in_shape=(1, 2, 2)).out_shape
    (4,)
    """
    libraries = {base.__module__.split(".")[0] for base in type(made).__mro__}
    if "deepinv" in libraries:
        return from_deepinv(made, in_shape)[0]
    plain: dict[str, Callable[[Any], Any]] = {
        "pylops": from_pylops,
        "sigpy": from_sigpy,
        "odl": from_odl,
        "mrinufft": from_mri_nufft,
    }
    for library, take_in in plain.items():
        if library in libraries:
            return take_in(made)
    return made
