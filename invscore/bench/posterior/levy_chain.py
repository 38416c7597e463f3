"""A random walk seen in white noise, given the variances of its steps: all in linear time.

``x_k = x_{k-1} + u_k`` from ``x_0 = 0`` with ``u_k ~ N(0, V_k)``, seen as ``y_k = x_k + n_k`` with
unit noise. Tensors have the step first, (d, ...); steps of variance 0 are allowed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

TINY = 1e-300


@dataclass(frozen=True)
class Walk:
    """The law of x given y by Kalman's filter and the smoother of Rauch, Tung & Striebel.

    ``gains`` (d, ...): of the filter, which are the variances of x_k given y_1 ... y_k, the noise
    being of variance 1. ``back`` (d - 1, ...): the gains of the smoother.
    """

    variances: Tensor
    gains: Tensor
    back: Tensor

    @classmethod
    def of(cls, variances: Tensor) -> Self:
        """``variances`` of the steps, (d, ...)."""
        gain, gains = torch.zeros_like(variances[0]), []
        for variance in variances.unbind():
            ahead = gain + variance
            gain = ahead / (ahead + 1)
            gains.append(gain)
        stacked = torch.stack(gains)
        before = stacked[:-1]
        return cls(variances, stacked, before / (before + variances[1:]).clamp_min(TINY))

    def mean(self, y: Tensor) -> Tensor:
        """``E[x | y]``, linear in ``y``, by the matrix ``Cov(x | y)``."""
        filtered = self._filter(y)
        return self._backward(filtered[-1], (1 - self.back) * filtered[:-1])

    def sample(self, y: Tensor, noise: Tensor) -> Tensor:
        """A draw of x given ``y``, made of unit ``noise`` in its shape."""
        filtered = self._filter(y)
        last = filtered[-1] + self.gains[-1].sqrt() * noise[-1]
        spread = (self.back * self.variances[1:]).sqrt()
        return self._backward(last, (1 - self.back) * filtered[:-1] + spread * noise[:-1])

    def _filter(self, y: Tensor) -> Tensor:
        """``E[x_k | y_1 ... y_k]``."""
        x, found = torch.zeros_like(self.gains[0]), []
        seen, kept = self.gains * y, 1 - self.gains
        for one, other in zip(seen.unbind(), kept.unbind(), strict=True):
            x = torch.addcmul(one, other, x)
            found.append(x)
        return torch.stack(found)

    def _backward(self, x: Tensor, constants: Tensor) -> Tensor:
        """``x_k = constants_k + back_k x_{k+1}`` from the last x."""
        found = [x]
        for constant, gain in zip(
            constants.flip(0).unbind(), self.back.flip(0).unbind(), strict=True
        ):
            x = torch.addcmul(constant, gain, x)
            found.append(x)
        return torch.stack(found).flip(0)


def draw_jumps(variances: Tensor, w: Tensor, y: Tensor, uniform: Tensor, odds: float) -> Tensor:
    """New variances of the steps: each becomes ``w_k`` or 0, given those of the others and ``y``.

    One step after the other, x itself integrated out, which mixes where a sampler that knows x
    would stay: what y_k ... y_d say of x_k is a Gaussian whose precision and weighted mean come
    from a pass backward, under the old variances of the later steps; the filter brings what
    y_1 ... y_{k-1} say under the new variances of the earlier ones (Gerlach, Carter & Kohn 2000).
    ``odds``: the logarithm of the prior odds of a jump. All (d, ...).
    """
    y = y.expand_as(variances)
    precision, weighted = torch.ones_like(variances[0]), y[-1]
    later = [(precision, weighted)]
    for k in range(len(variances) - 1, 0, -1):
        shrunk = 1 / (1 + variances[k] * precision)
        precision, weighted = shrunk * precision + 1, shrunk * weighted + y[k - 1]
        later.append((precision, weighted))

    threshold = 2 * (odds - torch.special.logit(uniform))
    mean, variance = torch.zeros_like(variances[0]), torch.zeros_like(variances[0])
    drawn = []
    for k, (precision, weighted) in enumerate(reversed(later)):
        still = 1 + variance * precision
        jumped = still + w[k] * precision
        surprise = (weighted - precision * mean) ** 2 * w[k] / (still * jumped)
        step = torch.where(threshold[k] + surprise > (jumped / still).log(), w[k], 0.0)
        ahead = variance + step
        variance = ahead / (ahead + 1)
        mean = torch.lerp(mean, y[k], variance)
        drawn.append(step)
    return torch.stack(drawn)
