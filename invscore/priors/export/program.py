"""A prior as a program of torch.export, which runs without invscore."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from invscore.files import atomic_file
from invscore.priors.base import Prior


class _Denoiser(nn.Module):
    def __init__(self, prior: Prior) -> None:
        super().__init__()
        self.prior = prior

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        return self.prior.denoise(x, sigma)


def export_program(prior: Prior, shape: tuple[int, int, int, int], path: Path) -> None:
    """Write ``D(x, sigma)`` to a ``.pt2`` file, for x of ``shape`` (b, c, h, w) and sigma (b,).

    ``torch.export.load(path).module()(x, sigma)`` runs it. Raises ``ValueError`` where ``path`` has
    another suffix.
    """
    if path.suffix != ".pt2":
        raise ValueError(f"`path` must end in .pt2, got {str(path)!r}")
    dtype = torch.complex64 if prior.complex else torch.float32
    example = (torch.zeros(shape, dtype=dtype), torch.ones(shape[0]))
    program = torch.export.export(_Denoiser(prior).eval(), example)
    with atomic_file(path) as partial:
        torch.export.save(program, partial)
