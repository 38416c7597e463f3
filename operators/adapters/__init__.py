"""Operators of other libraries, each taken in once, at the edge."""

from invscore.operators.adapters.any_library import adapt
from invscore.operators.adapters.deepinv import from_deepinv
from invscore.operators.adapters.nufft import from_finufft, from_mri_nufft, from_torchkbnufft
from invscore.operators.adapters.odl import from_odl
from invscore.operators.adapters.pylops import from_pylops
from invscore.operators.adapters.rtk import from_rtk
from invscore.operators.adapters.scico import from_scico
from invscore.operators.adapters.scipy import from_scipy, to_scipy
from invscore.operators.adapters.sigpy import from_sigpy

__all__ = [
    "adapt",
    "from_deepinv",
    "from_finufft",
    "from_mri_nufft",
    "from_odl",
    "from_pylops",
    "from_rtk",
    "from_scico",
    "from_scipy",
    "from_sigpy",
    "from_torchkbnufft",
    "to_scipy",
]
