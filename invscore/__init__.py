"""invscore: inverse problems solved with learned score priors.

The public names below are imported when they are first used, so that ``import invscore`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from invscore import moved_modules

__version__ = "0.1.0"

if TYPE_CHECKING:
    from invscore.driver import reconstruct as reconstruct
    from invscore.estimation.noise_level import estimate_noise as estimate_noise
    from invscore.exact import exact_posterior as exact_posterior
    from invscore.likelihood import GaussianNoise as GaussianNoise
    from invscore.likelihood import InverseProblem as InverseProblem
    from invscore.likelihood import PoissonNoise as PoissonNoise
    from invscore.likelihood import simulate as simulate
    from invscore.many import reconstruct_many as reconstruct_many
    from invscore.priors import GaussianMixturePrior as GaussianMixturePrior
    from invscore.priors import GaussianPrior as GaussianPrior
    from invscore.priors import NetworkPrior as NetworkPrior
    from invscore.priors import Prior as Prior
    from invscore.priors import load_prior as load_prior
    from invscore.result import Result as Result

_HOMES = {
    "GaussianMixturePrior": "invscore.priors",
    "GaussianNoise": "invscore.likelihood",
    "GaussianPrior": "invscore.priors",
    "InverseProblem": "invscore.likelihood",
    "NetworkPrior": "invscore.priors",
    "PoissonNoise": "invscore.likelihood",
    "Prior": "invscore.priors",
    "Result": "invscore.result",
    "estimate_noise": "invscore.estimation.noise_level",
    "exact_posterior": "invscore.exact",
    "load_prior": "invscore.priors",
    "reconstruct": "invscore.driver",
    "reconstruct_many": "invscore.many",
    "simulate": "invscore.likelihood",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'invscore' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


moved_modules.serve()


def __dir__() -> list[str]:
    return sorted(__all__)
