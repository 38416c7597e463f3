"""Unconditional samplers and the exact likelihood, as functions of a denoiser.

The examples of its functions go on from this one:

>>> import torch
>>> from invscore import GaussianPrior, levels
>>> from invscore.rng import SampleRNG
>>> from invscore.sampling import sample
>>> prior = GaussianPrior(torch.full((1, 4, 4), 0.5), 0.04)
>>> rng = SampleRNG([(seed,) for seed in range(200)])
>>> sigmas = levels.karras(20, 4.0, 0.002)
>>> x = 0.5 + 4.0 * rng.normal_like(torch.empty(200, 1, 4, 4))
"""

from invscore.sampling.adaptive import adaptive
from invscore.sampling.ancestral import ddim, ddpm
from invscore.sampling.base import SAMPLERS, NotFiniteError, SamplerInfo, get_sampler
from invscore.sampling.density import LogLikelihood, dequantise, log_likelihood
from invscore.sampling.draw import Drawn, sample
from invscore.sampling.guidance import GUIDANCE, autoguided
from invscore.sampling.ode import dpm_solver, euler, heun
from invscore.sampling.sde import euler_maruyama, predictor_corrector
from invscore.sampling.steps import ddim_step, langevin_step

__all__ = [
    "GUIDANCE",
    "SAMPLERS",
    "Drawn",
    "LogLikelihood",
    "NotFiniteError",
    "SamplerInfo",
    "adaptive",
    "autoguided",
    "ddim",
    "ddim_step",
    "ddpm",
    "dequantise",
    "dpm_solver",
    "euler",
    "euler_maruyama",
    "get_sampler",
    "heun",
    "langevin_step",
    "log_likelihood",
    "predictor_corrector",
    "sample",
]
