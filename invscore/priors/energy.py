"""A potential network as a prior: a score that is a gradient, and an unnormalised density."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from invscore.batches import PerImage, per_image
from invscore.networks import Potential
from invscore.options.words import kind_of
from invscore.priors.network import NetworkPrior


class EnergyPrior(NetworkPrior):
    """A network prior whose F is the gradient of a ``Potential`` psi, and D of a log-density.

    With ``z = x - m``, ``r^2 = sigma^2 + s^2`` and s = ``sigma_data``, in EDM's parametrisation:
    ``log p(x; sigma) = -|z|^2 / (2 r^2) + (s / sigma) psi(z / r; c_noise)``, up to a constant of
    the level. It is trained as any network prior, by denoising (Salimans & Ho 2021, Eq. 7).

    Raises ``ValueError`` where the network is not a ``Potential``.

    >>> import torch
    >>> from invscore.networks import build_network
    >>> from invscore.priors import EnergyPrior
    >>> network = build_network("unet", energy=True, widths=[8], blocks=1, embedding=16)
    >>> prior = EnergyPrior(network, channels=1)
    >>> prior.log_density(torch.rand(2, 1, 8, 8), 0.1).shape
    torch.Size([2])
    """

    has_density = True
    network: Potential

    def __init__(self, network: Potential, **options: Any) -> None:
        """``options`` are those of ``NetworkPrior``."""
        if not isinstance(network, Potential):
            raise ValueError(
                f"the network of an energy must be a Potential, got {kind_of(network)}"
            )
        super().__init__(network, **options)

    def log_density(self, x: Tensor, sigma: PerImage) -> Tensor:
        """The integral of ``((c_skip - 1) z + c_out F(c_in z)) / sigma^2``, which is the score."""
        self._require_images(x)
        level = per_image(sigma, x)
        skip, out = self.parametrisation.coefficients(level, self.sigma_data)
        bend = (skip - 1) / level**2
        height = out * (level**2 + self.sigma_data**2).sqrt() / level**2
        distance = (x - self.mean).abs().square().flatten(1).sum(dim=1)
        potential = self.network.potential(*self._inputs(x, level)).to(distance.dtype)
        return bend.flatten() / 2 * distance + height.flatten() * potential
