"""The noise of a physics of deepinv."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from invscore.noise import GaussianNoise, Noise, PoissonNoise


def noise_of(physics: Any) -> tuple[Noise | None, float]:
    """The noise that a physics adds, and what A is to be multiplied by before it is.

    None where invscore has no such law. deepinv's ``PoissonNoise`` counts ``x / gain`` photons, and
    multiplies them by the gain only if it is to ``normalize``.
    """
    from deepinv import physics as dinv

    if isinstance(physics, dinv.StackedPhysics):
        laws = [noise_of(part) for part in physics.physics_list]
        return laws[0] if all(law == laws[0] for law in laws) else (None, 1.0)
    model = physics.noise_model
    if type(model) is dinv.ZeroNoise:
        return GaussianNoise(0.0), 1.0
    if type(model) is dinv.GaussianNoise:
        return GaussianNoise(_level(model.sigma)), 1.0
    if type(model) is dinv.PoissonNoise:
        gain = _level(model.gain)
        if isinstance(gain, Tensor):
            return None, 1.0
        normalised = bool(model.normalize)
        return PoissonNoise(1 / gain if normalised else 1.0), 1.0 if normalised else 1 / gain
    return None, 1.0


def _level(value: Any) -> float | Tensor:
    """A number, or one an image."""
    level = torch.as_tensor(value).detach()
    return float(level) if level.numel() == 1 else level.flatten()
