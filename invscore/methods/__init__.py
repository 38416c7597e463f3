"""Methods: from a measurement and a prior to posterior samples or a point estimate."""

from invscore.methods import (
    daps,
    ddnm,
    ddrm,
    dds,
    diffpir,
    dps,
    langevin,
    map,
    mcg,
    mmps,
    pc,
    pigdm,
    red_diff,
    tmpd,
)
from invscore.methods.base import METHODS, MethodInfo, Step, get_method, register

__all__ = ["METHODS", "MethodInfo", "Step", "get_method", "register"]
__all__ += [
    "daps",
    "ddnm",
    "ddrm",
    "dds",
    "diffpir",
    "dps",
    "langevin",
    "map",
    "mcg",
    "mmps",
    "pc",
    "pigdm",
    "red_diff",
    "tmpd",
]
