"""Uncertainty from posterior samples, and checks whether their residuals are believable.

The examples of its functions go on from this one:

>>> import torch
>>> from invscore import GaussianNoise, GaussianPrior, InverseProblem, reconstruct
>>> from invscore.operators import Identity
>>> prior = GaussianPrior(torch.full((1, 8, 8), 0.5), 0.04)
>>> truth = prior.sample(1)
>>> y = truth + 0.1 * torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
>>> problem = InverseProblem(Identity((1, 8, 8)), y, GaussianNoise(0.1))
>>> samples = reconstruct(problem, prior, samples=8).samples
"""

from invscore.uncertainty.branches import branch_warnings
from invscore.uncertainty.clipping import clipping_warnings
from invscore.uncertainty.intervals import Interval, credible_interval, quantile
from invscore.uncertainty.kernel import kernel_warnings, sharper_warnings
from invscore.uncertainty.magnitude import magnitude_warnings
from invscore.uncertainty.misfit import misfit_warnings, noise_warnings
from invscore.uncertainty.moderated import moderated
from invscore.uncertainty.modes import mode_warnings, particle_warnings
from invscore.uncertainty.pairs import spread
from invscore.uncertainty.residual import Residual, check_residual

__all__ = [
    "Interval",
    "Residual",
    "branch_warnings",
    "check_residual",
    "clipping_warnings",
    "credible_interval",
    "kernel_warnings",
    "magnitude_warnings",
    "misfit_warnings",
    "mode_warnings",
    "moderated",
    "noise_warnings",
    "particle_warnings",
    "quantile",
    "sharper_warnings",
    "spread",
]
