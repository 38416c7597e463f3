"""Objectives that the ratios of probabilities between one-bit neighbours minimise.

Ratios are learned as logarithms, ``log_ratios(x)`` of the shape of ``x``, (b, \\*shape): entry i is
``ln p(x with bit i flipped) / p(x)``. The first two objectives need clean samples of p alone; the
last two learn the law of bits that have been noised for ``time``, for which the ratios are known
given the clean ones.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from invscore.batches import PerImage, per_image
from invscore.discrete.process import flip_probability

LogRatios = Callable[[Tensor], Tensor]


def concrete_score_matching(log_ratios: LogRatios, x: Tensor, bits: Tensor) -> Tensor:
    """Mean over images and bits of ``r_i(x)^2 - 2 r_i(x with bit i flipped)``.

    Up to a constant, the squared error of the ratios r under p (Meng et al. 2022, Sec. 4, whose
    concrete score is r - 1). Each of ``bits``, indices into a flattened image, costs an evaluation
    in its second term: a uniform choice of them is an unbiased estimate.

    After the example of ``invscore.discrete``:

    >>> from invscore.discrete import concrete_score_matching, exact_log_ratios
    >>> strings = torch.tensor([[0.0, 0.0]] * 4 + [[0.0, 1.0], [1.0, 0.0]] + [[1.0, 1.0]] * 4)
    >>> true = lambda x: exact_log_ratios(law, x)
    >>> places = torch.tensor([0, 1])
    >>> loss = lambda ratios: concrete_score_matching(ratios, strings, places)
    >>> bool(loss(true) < loss(lambda x: true(x) + 0.5))
    True
    """
    return (2 * log_ratios(x)).exp().mean() - 2 * _back(log_ratios, x, bits).exp().mean()


def score_entropy(log_ratios: LogRatios, x: Tensor, bits: Tensor) -> Tensor:
    """Mean over images and bits of ``r_i(x) - ln r_i(x with bit i flipped)``.

    The implicit score entropy (Lou et al. 2024, Prop. 3.3); ``bits`` as in
    ``concrete_score_matching``. Unlike squares it keeps the gradient of small ratios.

    After the example of ``invscore.discrete``:

    >>> from invscore.discrete import score_entropy, exact_log_ratios
    >>> strings = torch.tensor([[0.0, 0.0]] * 4 + [[0.0, 1.0], [1.0, 0.0]] + [[1.0, 1.0]] * 4)
    >>> true = lambda x: exact_log_ratios(law, x)
    >>> places = torch.tensor([0, 1])
    >>> loss = lambda ratios: score_entropy(ratios, strings, places)
    >>> bool(loss(true) < loss(lambda x: true(x) + 0.5))
    True
    """
    return log_ratios(x).exp().mean() - _back(log_ratios, x, bits).mean()


def denoising_concrete_score_matching(
    log_ratios: LogRatios, clean: Tensor, noisy: Tensor, time: PerImage
) -> Tensor:
    """Sum over bits of ``(r_i(noisy) - r_i)^2``, r_i the ratio given ``clean``: (b,).

    Its mean is least where r is the ratio of the noised law (Meng et al. 2022, Sec. 4).

    After the example of ``invscore.discrete``:

    >>> from invscore.discrete import denoising_concrete_score_matching
    >>> fair = lambda x: torch.zeros_like(x)
    >>> denoising_concrete_score_matching(fair, bits, bits, 10.0).abs() < 1e-4
    tensor([True, True, True])
    """
    target = _known_log_ratios(clean, noisy, time).exp()
    return (log_ratios(noisy).exp() - target).square().flatten(1).sum(dim=1)


def denoising_score_entropy(
    log_ratios: LogRatios, clean: Tensor, noisy: Tensor, time: PerImage
) -> Tensor:
    """Sum over bits of ``r_i(noisy) - r_i ln r_i(noisy) + r_i (ln r_i - 1)``: (b,), in nats.

    r_i is the ratio given ``clean``, and the summands are zero where the two agree (Lou et al.
    2024, Theorem 3.4). Integrated over the time from 0 to T, its mean over noise bounds
    ``-ln p(clean)`` from above, up to the divergence of the law at T from a fair coin's (there,
    Theorem 3.6).

    After the example of ``invscore.discrete``:

    >>> from invscore.discrete import denoising_score_entropy
    >>> fair = lambda x: torch.zeros_like(x)
    >>> denoising_score_entropy(fair, bits, bits, 10.0).abs() < 1e-4
    tensor([True, True, True])
    """
    target = _known_log_ratios(clean, noisy, time)
    log_ratio = log_ratios(noisy)
    entropy = log_ratio.exp() + target.exp() * (target - 1 - log_ratio)
    return entropy.flatten(1).sum(dim=1)


def _back(log_ratios: LogRatios, x: Tensor, bits: Tensor) -> Tensor:
    """The log-ratio by which bit i would be flipped back, for each of ``bits``: (k, b)."""
    flat = x.flatten(1).expand(len(bits), -1, -1)
    index = bits[:, None, None].expand(-1, len(x), 1)
    neighbours = flat.scatter(2, index, 1 - flat.gather(2, index))
    found = log_ratios(neighbours.reshape(-1, *x.shape[1:])).reshape(neighbours.shape)
    return found.gather(2, index)[..., 0]


def _known_log_ratios(clean: Tensor, noisy: Tensor, time: PerImage) -> Tensor:
    """``ln p(noisy with bit i flipped | clean) / p(noisy | clean)``."""
    q = flip_probability(per_image(time, clean, "time"))
    return torch.where(noisy == clean, 1.0, -1.0).to(clean.dtype) * torch.logit(q)
