"""Priors: a density on images known through its posterior-mean denoiser."""

from invscore.priors.base import Prior
from invscore.priors.base import __getattr__ as __getattr__
from invscore.priors.channelwise import Channelwise
from invscore.priors.check import check_prior
from invscore.priors.covariance import Covariance
from invscore.priors.denoiser import DenoiserPrior
from invscore.priors.denoiser_check import DenoiserReport, check_denoiser
from invscore.priors.diffusion import Diffusion, DiffusionPrior
from invscore.priors.energy import EnergyPrior
from invscore.priors.gaussian import GaussianPrior
from invscore.priors.grayscale import Grayscale
from invscore.priors.library import available_priors, load_prior
from invscore.priors.mixture import GaussianMixturePrior
from invscore.priors.multiband import Multiband
from invscore.priors.network import NetworkPrior
from invscore.priors.parametrisation import Mix, Parametrisation
from invscore.priors.stationary import StationaryGaussianPrior
from invscore.priors.volume import VolumePrior

__all__ = [
    "Channelwise",
    "Covariance",
    "DenoiserPrior",
    "DenoiserReport",
    "Diffusion",
    "DiffusionPrior",
    "EnergyPrior",
    "GaussianMixturePrior",
    "GaussianPrior",
    "Grayscale",
    "Mix",
    "Multiband",
    "NetworkPrior",
    "Parametrisation",
    "Prior",
    "StationaryGaussianPrior",
    "VolumePrior",
    "available_priors",
    "check_denoiser",
    "check_prior",
    "load_prior",
]
