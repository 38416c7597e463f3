"""A network that knows the ratios of noised binary images at every time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from invscore.batches import PerImage, per_image
from invscore.discrete.process import flip_probability


class BitNetwork(nn.Module):
    """Log-ratios from what the other bits say of each bit.

    ``network(x, noise)``, which is given bits as -1 and 1 and ``noise = ln(time) / 4`` and keeps
    the shape (b, c, h, w), stands for the log-odds of each clean bit given all noisy bits but its
    own. Bayes' rule adds the bit itself, exactly: the ratios stay between those that the noise
    allows, and an untrained network that returns 0 means fair coins.

    After the example of ``invscore.discrete``:

    >>> from invscore.discrete import BitNetwork
    >>> fair = BitNetwork(lambda x, noise: torch.zeros_like(x))
    >>> fair.log_ratios(torch.ones(1, 1, 2, 2), 0.5).shape
    torch.Size([1, 1, 2, 2])
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def log_ratios(self, x: Tensor, time: PerImage) -> Tensor:
        """``ln p(x with bit i flipped) / p(x)`` at ``time`` (a number, or one an image)."""
        # Odds that the clean bit is the other one, before the noisy bit itself is seen.
        other = (1 - 2 * x) * self._odds(x, time)
        q = flip_probability(per_image(time, x, "time"))
        changed, kept = q.log(), torch.log1p(-q)
        return torch.logaddexp(changed, kept + other) - torch.logaddexp(kept, changed + other)

    def mean(self, x: Tensor, time: PerImage) -> Tensor:
        """The chance that each clean bit is 1 given all noisy ones: D(x) of binary images."""
        seen = torch.logit(flip_probability(per_image(time, x, "time")))
        return torch.sigmoid(self._odds(x, time) + (1 - 2 * x) * seen)

    def _odds(self, x: Tensor, time: PerImage) -> Tensor:
        noise = per_image(time, x, "time").log().reshape(-1).expand(len(x)) / 4
        return self.network(2 * x - 1, noise)
