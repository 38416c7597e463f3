"""Methods: from a measurement and a prior to posterior samples or a point estimate."""

from invscore.methods import diffpir, dps, langevin, map, pc, pigdm
from invscore.methods.base import METHODS, MethodInfo, Step, get_method, register

__all__ = ["METHODS", "MethodInfo", "Step", "get_method", "register"]
__all__ += ["diffpir", "dps", "langevin", "map", "pc", "pigdm"]
