"""Our priors in other people's codes: predicting noise, for deepinv, and as a program."""

from invscore.priors.export.deepinv import deepinv_denoiser
from invscore.priors.export.epsilon import EpsilonNetwork
from invscore.priors.export.program import export_program

__all__ = ["EpsilonNetwork", "deepinv_denoiser", "export_program"]
