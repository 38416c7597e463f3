"""Pairs of samples that use the same random numbers with opposite signs."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.rng import SampleRNG


class AntitheticRNG(SampleRNG):
    """The streams of ``rng``, shared by pairs: normal numbers of odd samples are those of the even
    samples before them with the sign changed (Hammersley & Morton 1956).

    Each sample keeps its law, but errors of a pair that are odd in the noise, which are most of
    them where the posterior is near to Gaussian, cancel in the mean. The first number of a stream's
    key, ``seed + sample`` in the driver, tells who is a pair, in any batch.
    """

    def __init__(self, rng: SampleRNG) -> None:
        super().__init__([(key[0] // 2, *key[1:], 2) for key in rng.keys], rng.device)
        self._signs = torch.tensor([1 - 2 * (key[0] % 2) for key in rng.keys], device=rng.device)

    def normal_like(self, x: Tensor) -> Tensor:
        """Standard normal numbers of the shape, dtype and device of ``x``, (b, \\*shape)."""
        drawn = super().normal_like(x)
        if x.is_complex():  # its parts have come through here, and have their signs
            return drawn
        return self._signs.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1)) * drawn
