"""Noise for a clean image: partly what was seen in the last state, partly fresh."""

from __future__ import annotations

from torch import Tensor

from invscore.rng import SampleRNG


def renoise(clean: Tensor, old: Tensor, sigma: float, eta: float, rng: SampleRNG) -> Tensor:
    """``clean + sigma (sqrt(1 - eta^2) old + eta z)``, ``old`` and z of unit variance.

    DDRM, DDNM, DDS and DiffPIR share this convention of ``eta``, the deviation of the fresh noise
    over that of all. In DDIM (Song et al. 2021) an eta of 1 adds less.
    """
    return clean + sigma * ((1 - eta**2) ** 0.5 * old + eta * rng.normal_like(clean))
