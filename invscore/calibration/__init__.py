"""Calibration: intervals that hold the fraction of pixels that they promise.

The examples of its functions go on from this one:

>>> import torch
>>> from invscore import GaussianNoise, GaussianPrior, InverseProblem, reconstruct, simulate
>>> from invscore.operators import Identity
>>> prior = GaussianPrior(torch.full((1, 8, 8), 0.5), 0.04)
>>> truth = prior.sample(8)
>>> y = simulate(Identity((1, 8, 8)), truth, GaussianNoise(0.1), 0)
>>> problem = InverseProblem(Identity((1, 8, 8)), y, GaussianNoise(0.1))
>>> result = reconstruct(problem, prior, samples=4)
"""

from invscore.calibration.measure import calibrate, check_count
from invscore.calibration.record import Calibration, Held

__all__ = ["Calibration", "Held", "calibrate", "check_count"]
