"""Wrappers of a network, right ones and such as users write wrongly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from invscore.priors import DenoiserPrior, DiffusionPrior, Prior

ABAR = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), dim=0)
LOGS = ((1 - ABAR) / ABAR).log() / 2
LEVELS = {"sigma_min": 0.005, "sigma_max": 20.0}


def network(prior: Prior, predicts: str) -> Callable[[Tensor, Tensor], Tensor]:
    """The network of a variance-preserving diffusion on [-1, 1] with the denoiser of ``prior``."""

    def call(x: Tensor, t: Tensor) -> Tensor:
        low = t.long().clamp(0, 998)
        log = torch.lerp(LOGS[low], LOGS[low + 1], t.double() - low)
        s = log.exp().float().reshape(-1, 1, 1, 1)
        z = x * (1 + s**2).sqrt()
        z0 = 2 * prior.denoise((z + 1) / 2, s.flatten() / 2) - 1
        noise = (z - z0) / s
        return noise if predicts == "epsilon" else (noise - s * z0) / (1 + s**2).sqrt()

    return call


def diffusion(F: Callable[[Tensor, Tensor], Tensor], channels: int, **options: Any) -> Prior:
    given = {"predicts": "epsilon", "alphas_cumprod": ABAR, **options}
    return DiffusionPrior(F, channels=channels, **given)  # type: ignore[arg-type]


def wrapper(kind: str, prior: Prior) -> Prior:
    """The wrapper ``kind`` of the network of ``prior``: of ``RIGHT`` or ``WRONG``."""
    channels = prior.channels
    assert channels is not None

    def own(z: Tensor, s: Tensor) -> Tensor:  # what it is on [-1, 1]
        return 2 * prior.denoise((z + 1) / 2, s / 2) - 1

    def wrapped(D: Callable[[Tensor, Tensor], Tensor], given: Any = (-1, 1)) -> Prior:
        return DenoiserPrior(D, channels=channels, range=given, **LEVELS)

    epsilon = network(prior, "epsilon")
    made: dict[str, Callable[[], Prior]] = {
        "right": lambda: wrapped(own),
        "right epsilon": lambda: diffusion(epsilon, channels),
        "right v": lambda: diffusion(network(prior, "v"), channels, predicts="v"),
        "sigma not doubled": lambda: wrapped(lambda z, s: own(z, s / 2)),
        "sigma doubled twice": lambda: wrapped(lambda z, s: own(z, 2 * s)),
        "range": lambda: wrapped(own, (0, 1)),
        "range, and sigma doubled": lambda: wrapped(lambda z, s: own(z, 2 * s), (0, 1)),
        "range of another": lambda: wrapped(prior.denoise),
        "sign": lambda: wrapped(lambda z, s: 2 * z - own(z, s)),
        "sigma ignored": lambda: wrapped(lambda z, s: own(z, 0 * s + 0.4)),
        "variance for sigma": lambda: wrapped(lambda z, s: own(z, s**2)),
        "levels of 255": lambda: wrapped(lambda z, s: prior.denoise(z, 255 * s), (0, 1)),
        "the noise for the image": lambda: wrapped(lambda z, s: z - own(z, s)),
        "epsilon read as v": lambda: diffusion(epsilon, channels, predicts="v"),
        "v read as epsilon": lambda: diffusion(network(prior, "v"), channels),
        "epsilon read as x0": lambda: diffusion(epsilon, channels, predicts="x0"),
        "time reversed": lambda: diffusion(lambda x, t: epsilon(x, 999 - t), channels),
        "scale of the input": lambda: wrapped(
            lambda z, s: z - s.reshape(-1, 1, 1, 1) * epsilon(z, _place(s))
        ),
    }
    return made[kind]()


def _place(s: Tensor) -> Tensor:
    """The time of a level on [-1, 1]."""
    return torch.searchsorted(LOGS, s.double().log()).clamp(0, 999)


RIGHT = ("right", "right epsilon", "right v")

WRONG = {
    "sigma not doubled": "2 times as much would fit",
    "sigma doubled twice": "0.5 times as much would fit",
    "range": "",
    "range, and sigma doubled": "0.5 times|range",
    "range of another": r"range=\(0, 1\) would fit",
    "sign": "sign",
    "sigma ignored": "",
    "variance for sigma": "",
    "levels of 255": "0.00392 times as much would fit",
    "the noise for the image": "the noise in its own range",
    "epsilon read as v": "predicts='epsilon' would fit",
    "v read as epsilon": "predicts='v' would fit",
    "epsilon read as x0": "predicts='epsilon' would fit",
    "time reversed": "time runs the other way",
    "scale of the input": "",
}
"""What the self-test says of each, where one thing alone can be said."""
