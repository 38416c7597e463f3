"""Steps of unconditional samplers, as functions of a state and its denoised estimate."""

from __future__ import annotations

from torch import Tensor

from invscore.rng import SampleRNG


def ddim_step(
    x: Tensor, denoised: Tensor, sigma: float, lower: float, eta: float, rng: SampleRNG
) -> Tensor:
    """From noise level ``sigma`` to ``lower`` by DDIM (Song et al. 2021, Eq. 12), in
    variance-exploding form. ``eta`` 0 is deterministic, 1 is the ancestral step of DDPM.
    """
    fresh = eta * lower * (1 - (lower / sigma) ** 2) ** 0.5
    kept = (lower**2 - fresh**2) ** 0.5
    stepped = denoised + kept / sigma * (x - denoised)
    return stepped + fresh * rng.normal_like(x) if fresh > 0 else stepped
