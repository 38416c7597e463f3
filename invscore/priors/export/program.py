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

    >>> import tempfile
    >>> from pathlib import Path
    >>> import torch
    >>> from invscore.networks import build_network
    >>> from invscore.priors import NetworkPrior
    >>> from invscore.priors.export import export_program
    >>> network = build_network("unet", widths=[8], blocks=1, embedding=16)
    >>> file = Path(tempfile.mkdtemp()) / "denoiser.pt2"
    >>> export_program(NetworkPrior(network, channels=1), (2, 1, 8, 8), file)
    >>> torch.export.load(file).module()(torch.rand(2, 1, 8, 8), torch.full((2,), 0.1)).shape
    torch.Size([2, 1, 8, 8])
    """
    if path.suffix != ".pt2":
        raise ValueError(f"`path` must end in .pt2, got {str(path)!r}")
    dtype = torch.complex64 if prior.complex else torch.float32
    example = (torch.zeros(shape, dtype=dtype), torch.ones(shape[0]))
    program = torch.export.export(_Denoiser(prior).eval(), example)
    with atomic_file(path) as partial:
        torch.export.save(program, partial)
