"""Whatever object of another library: which adapter takes it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from invscore.operators.adapters.deepinv import from_deepinv
from invscore.operators.adapters.nufft import from_mri_nufft
from invscore.operators.adapters.odl import from_odl
from invscore.operators.adapters.pylops import from_pylops
from invscore.operators.adapters.scico import from_scico
from invscore.operators.adapters.scipy import from_scipy
from invscore.operators.adapters.sigpy import from_sigpy
from invscore.operators.base import Operator, Shape
from invscore.operators.functions import from_function
from invscore.operators.matrix import from_matrix

LINEAR = 1e-4
"""Largest error of a linear module, relative to what it makes of a random image."""


def adapt(made: Any, in_shape: Shape | None = None) -> Any:
    """The operator of an object of deepinv, PyLops, SigPy, ODL, SCICO, mri-nufft, SciPy or torch.

    Objects of SciPy are linear operators and sparse matrices, on flattened images of ``in_shape``
    as matrices of NumPy and torch are; a module of torch is a function of batches of images, whose
    linearity random images tell. Others are returned as they are. Raises ``ValueError`` where
    ``in_shape`` is missing or does not fit.

    >>> import numpy as np
    >>> import pylops
    >>> from invscore.operators.adapters import adapt
    >>> adapt(pylops.Diagonal(np.ones(4)), in_shape=(1, 2, 2)).out_shape
    (4,)
    """
    libraries = {base.__module__.split(".")[0] for base in type(made).__mro__}
    if isinstance(made, Operator):
        return made
    if "deepinv" in libraries:
        return from_deepinv(made, in_shape)[0]
    plain: dict[str, Callable[[Any], Any]] = {
        "pylops": from_pylops,
        "sigpy": from_sigpy,
        "odl": from_odl,
        "mrinufft": from_mri_nufft,
        "scico": from_scico,
    }
    for library, take_in in plain.items():
        if library in libraries:
            return take_in(made)
    is_matrix = isinstance(made, Tensor | np.ndarray) and made.ndim == 2
    if not is_matrix and not isinstance(made, nn.Module) and not _is_of_scipy(made, libraries):
        return made
    if in_shape is None:
        raise ValueError(f"`in_shape` must be given for a {type(made).__name__}, got None")
    if isinstance(made, nn.Module):
        return _of_module(made, in_shape)
    if is_matrix:
        return from_matrix(torch.as_tensor(made), in_shape)
    return from_scipy(made, in_shape, made.shape[:1])


def _is_of_scipy(made: Any, libraries: set[str]) -> bool:
    return "scipy" in libraries and hasattr(made, "dtype") and len(getattr(made, "shape", ())) == 2


def _of_module(module: nn.Module, in_shape: Shape) -> Operator:
    """The operator of a module as it is used, not trained: its parameters are constants."""
    module = module.eval().requires_grad_(False)
    held = next(chain(module.parameters(), module.buffers()), torch.empty(0))
    dtype = held.real.dtype if held.is_floating_point() or held.is_complex() else torch.float32
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(2, 1, *in_shape, generator=generator).to(held.device, dtype)
    with torch.no_grad():
        first, second, both = module(x[0]), module(x[1]), module(2 * x[0] - 3 * x[1])
    error = float((both - 2 * first + 3 * second).abs().max())
    size = float(torch.maximum(first.abs(), second.abs()).max())
    return (_linear if error <= LINEAR * size else _nonlinear)(
        module, in_shape, tuple(first.shape[1:]), out_complex=first.is_complex(), dtype=dtype
    )


_linear, _nonlinear = partial(from_function, linear=True), partial(from_function, linear=False)
