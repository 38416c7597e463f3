"""Random numbers, one stream a sample: a sample does not depend on its neighbours in a batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

AHEAD = 2**20
"""Normal numbers that a stream draws together on a GPU, to launch fewer kernels: sixteen times
those of 256 x 256 pixels."""

ALIGNED = 4
"""Draws begin at multiples of this many numbers: pairs of them are complex numbers."""


class SampleRNG:
    """One generator for each image of a batch.

    ``keys`` names the streams: one tuple of non-negative integers an image, for example
    ``(seed + sample, image)``. The same key gives the same numbers in any company. They are drawn
    on ``device`` and handed over on that of the tensor at hand.
    """

    def __init__(self, keys: Sequence[tuple[int, ...]], device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.keys = tuple(keys)
        self._generators = [_generator(key, self.device) for key in keys]
        first = {key: k for k, key in reversed(list(enumerate(keys)))}
        self._twin = [first[key] for key in keys]
        self._ahead = AHEAD if self.device.type == "cuda" else 0
        self._left: dict[torch.dtype, Tensor] = {}

    def normal_like(self, x: Tensor) -> Tensor:
        """Standard normal numbers of the shape, dtype and device of ``x``, (b, \\*shape).

        Complex numbers have unit variance in the real and in the imaginary part.
        """
        if x.is_complex():
            return torch.view_as_complex(self.normal_like(torch.view_as_real(x.resolve_conj())))
        count = x.shape[1:].numel()
        taken = -(-count // ALIGNED) * ALIGNED if self._ahead else count
        streams, left = self._streams(x), self._left.pop(x.dtype, None)
        if left is None or left.shape[1] < taken:
            number = max(taken, self._ahead)  # whatever the number of streams
            left = torch.empty(len(streams), number, device=self.device, dtype=x.dtype)
            for k, (generator, twin) in enumerate(zip(streams, self._twin, strict=True)):
                if twin == k:
                    torch.randn(number, generator=generator, out=left[k])
                else:  # the same numbers, which take longer to draw than to copy
                    left[k] = left[twin]
                    generator.set_state(streams[twin].get_state())
        if left.shape[1] > taken:
            self._left[x.dtype] = left[:, taken:]
        return left[:, :count].reshape(x.shape).to(x.device)

    def uniform(self, x: Tensor) -> Tensor:
        """One uniform number in [0, 1) an image: (b,), in the real dtype of ``x``."""
        return torch.stack(
            [
                torch.rand((), generator=g, device=self.device, dtype=x.real.dtype)
                for g in self._streams(x)
            ]
        ).to(x.device)

    def poisson(self, rate: Tensor) -> Tensor:
        """Poisson numbers of the given ``rate``, (b, \\*shape)."""
        near = rate.to(self.device)
        return torch.stack(
            [torch.poisson(r, generator=g) for r, g in zip(near, self._streams(rate), strict=True)]
        ).to(rate.device)

    def gamma_like(self, x: Tensor, shape: float) -> Tensor:
        """Numbers of the Gamma law of ``shape`` and scale 1, one for each of ``x``."""
        alpha = torch.full(x.shape[1:], shape, dtype=x.dtype, device=self.device)
        # What torch.distributions.Gamma draws with, which itself takes no generator.
        drawn = [torch._standard_gamma(alpha, generator=g) for g in self._streams(x)]
        return torch.stack(drawn).to(x.device)

    def _streams(self, x: Tensor) -> list[torch.Generator]:
        if len(x) != len(self._generators):
            raise ValueError(f"{len(self._generators)} streams serve no batch of {len(x)}")
        return self._generators


class AntitheticRNG(SampleRNG):
    """Streams for samples in pairs: the second of a pair has the normal numbers of the first with
    the sign changed (Hammersley & Morton 1956).

    Each sample keeps its law, but errors of a pair that are odd in the noise, which are most of
    them where the posterior is near to Gaussian, cancel in the mean. ``keys`` are those of the
    samples, ``seed + index`` first, and ``indices`` tell who is a pair: 2 m and 2 m + 1, in any
    batch and at any seed.
    """

    def __init__(
        self,
        keys: Sequence[tuple[int, ...]],
        indices: Sequence[int],
        device: torch.device | str = "cpu",
    ) -> None:
        firsts = [key[0] - index % 2 for key, index in zip(keys, indices, strict=True)]
        shared = [
            (first // 2, *key[1:], 2 + first % 2) for first, key in zip(firsts, keys, strict=True)
        ]
        super().__init__(shared, device)
        self.keys = tuple(keys)
        signs = [1 - 2 * (index % 2) for index in indices]
        self._signs, self._alike = torch.tensor(signs, device=self.device), set(signs) == {1}

    def normal_like(self, x: Tensor) -> Tensor:
        drawn = super().normal_like(x)
        if x.is_complex():  # its parts have come through here, and have their signs
            return drawn
        if self._alike:
            return drawn
        return drawn.mul_(self._signs.to(x).reshape(-1, *[1] * (x.ndim - 1)))


def sample_rng(
    rng: SampleRNG | int, n: int, purpose: str, device: torch.device | str = "cpu"
) -> SampleRNG:
    """``rng`` itself, or ``n`` streams from a seed, stream k from ``seed + k``.

    Streams for different purposes are independent, so that one seed can serve an image and the
    noise of its measurement.
    """
    if isinstance(rng, SampleRNG):
        return rng
    return SampleRNG([(rng + k, *purpose.encode()) for k in range(n)], device)


def random_signs(shape: Sequence[int], dtype: torch.dtype, generator: torch.Generator) -> Tensor:
    """1 or -1 with equal chances, on the CPU; of complex numbers in the real and imaginary part.

    As probes v they see the diagonal of a matrix M that is diagonal without error: ``v M v`` with
    real numbers, half of it with complex ones (Hutchinson 1990).
    """
    one = torch.randn(tuple(shape), dtype=dtype, generator=generator)
    return torch.complex(one.real.sign(), one.imag.sign()) if one.is_complex() else one.sign()


def _generator(key: tuple[int, ...], device: torch.device) -> torch.Generator:
    # The length tells (5,) from (5, 0), which NumPy takes for the same.
    sequence = np.random.SeedSequence((len(key), *key))
    state = int(sequence.generate_state(1, np.uint64)[0])
    return torch.Generator(device).manual_seed(state)
