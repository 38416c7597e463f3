"""Methods: from a measurement and a prior to posterior samples or a point estimate.

The examples of its functions go on from this one:

>>> import torch
>>> from invscore import GaussianNoise, GaussianPrior, InverseProblem, exact_posterior, reconstruct
>>> from invscore.operators import Blur
>>> prior = GaussianPrior(torch.full((1, 8, 8), 0.5), 0.04)
>>> blur = Blur.gaussian(sigma=1.0, in_shape=(1, 8, 8))
>>> y = blur(torch.linspace(0, 1, 64).reshape(1, 1, 8, 8))
>>> problem = InverseProblem(blur, y, GaussianNoise(0.1))
>>> exact = exact_posterior(problem, prior)
"""

from invscore.methods.admm import admm
from invscore.methods.auto import auto
from invscore.methods.base import METHODS, MethodInfo, Step, get_method, register
from invscore.methods.daps import daps
from invscore.methods.ddnm import ddnm
from invscore.methods.ddrm import ddrm
from invscore.methods.dds import dds
from invscore.methods.diffpir import diffpir
from invscore.methods.dps import dps
from invscore.methods.exact_score import exact_score
from invscore.methods.gaussian_field import first_guess  # noqa: F401 (enters where methods start)
from invscore.methods.hqs import hqs
from invscore.methods.langevin import langevin
from invscore.methods.mala import mala
from invscore.methods.map.accelerated import map_accelerated
from invscore.methods.map.gradient import maximum_a_posteriori as map
from invscore.methods.map.lbfgs import map_lbfgs
from invscore.methods.matched_pixels import matched_pixels
from invscore.methods.matched_spectrum.method import matched_spectrum
from invscore.methods.mcg import mcg
from invscore.methods.mmps import mmps
from invscore.methods.particles.matched_smc import matched_smc
from invscore.methods.particles.smc import smc
from invscore.methods.pc import pc
from invscore.methods.pigdm import pigdm
from invscore.methods.prox_gradient import prox_gradient
from invscore.methods.red import red
from invscore.methods.red_diff import red_diff
from invscore.methods.split_gibbs import split_gibbs
from invscore.methods.tmpd import tmpd
from invscore.methods.ula import ula

__all__ = ["METHODS", "MethodInfo", "Step", "get_method", "register"]
__all__ += [
    "admm",
    "auto",
    "daps",
    "ddnm",
    "ddrm",
    "dds",
    "diffpir",
    "dps",
    "exact_score",
    "hqs",
    "langevin",
    "mala",
    "map",
    "map_accelerated",
    "map_lbfgs",
    "matched_pixels",
    "matched_smc",
    "matched_spectrum",
    "mcg",
    "mmps",
    "pc",
    "pigdm",
    "prox_gradient",
    "red",
    "red_diff",
    "smc",
    "split_gibbs",
    "tmpd",
    "ula",
]
