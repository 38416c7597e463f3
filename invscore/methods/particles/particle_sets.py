"""Samples that are drawn together: particles of one set serve many samples of an image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from invscore.rng import SampleRNG


@dataclass(frozen=True)
class ParticleSets:
    """The particle sets that serve a batch of b samples, g of them.

    ``rng``: a stream for each. ``first`` (g,): a place in the batch which each serves. ``group``
    and ``member`` (b,): the set that serves a sample, and the sample's place in it.
    """

    rng: SampleRNG
    first: Tensor
    group: Tensor
    member: Tensor

    @classmethod
    def of(cls, rng: SampleRNG, size: int) -> ParticleSets:
        """Sets of ``size`` particles.

        The first number of a stream's key, ``seed + sample`` in the driver, says all: the samples
        m size to m size + size - 1 of an image share set m, whoever else is in the batch.
        So a sample stays what it is at any batch size, and samples of different sets, or of
        one set as it grows, are independent.
        """
        names = [(key[0] // size, *key[1:], size) for key in rng.keys]
        first: dict[tuple[int, ...], int] = {}
        for place, name in enumerate(names):
            first.setdefault(name, place)
        order = {name: index for index, name in enumerate(first)}

        def tensor(numbers: list[int]) -> Tensor:
            return torch.tensor(numbers, device=rng.device)

        return cls(
            rng=SampleRNG(list(first), rng.device),
            first=tensor(list(first.values())),
            group=tensor([order[name] for name in names]),
            member=tensor([key[0] % size for key in rng.keys]),
        )
