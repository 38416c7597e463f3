"""Laws of noise ``p(y | clean)``."""

from invscore.noise.base import Noise
from invscore.noise.check import check_noise
from invscore.noise.gaussian import GaussianNoise, RaisedNoise
from invscore.noise.poisson import PoissonNoise
from invscore.noise.poisson_gaussian import PoissonGaussianNoise
from invscore.noise.rician import RicianNoise
from invscore.noise.speckle import SpeckleNoise
from invscore.noise.transmission import TransmissionNoise

__all__ = [
    "GaussianNoise",
    "Noise",
    "PoissonGaussianNoise",
    "PoissonNoise",
    "RaisedNoise",
    "RicianNoise",
    "SpeckleNoise",
    "TransmissionNoise",
    "check_noise",
]
