"""Denoising score matching over the times of a process ``x_t = alpha(t) x0 + sigma(t) n``."""

from __future__ import annotations

from torch import Tensor

from invscore.batches import per_image
from invscore.training.objectives.fields import Schedule, TimeField
from invscore.training.objectives.matching import squared_distance


def process_score_matching(
    score: TimeField,
    clean: Tensor,
    t: Tensor,
    noise: Tensor,
    *,
    alpha: Schedule,
    sigma: Schedule,
    weight: Schedule,
) -> Tensor:
    """Mean of ``w(t) |s(x_t, t) - grad log p(x_t | x0)|^2`` over pixels and images.

    ``clean`` and ``noise``, of unit variance, have shape (b, \\*shape), ``t`` has shape (b,). With
    times drawn from a density q, ``weight`` is ``lambda t: w(t) / q(t)`` and the loss estimates the
    integral over time of ``w(t) E |s - grad log p_t|^2``, and a constant (Song, Sohl-Dickstein et
    al. 2021, Eq. 7); ``ImportanceTimes`` are such times.

    ``sigma^2`` as w is the prediction of noise (Ho et al. 2020, Eq. 14). ``process.diffusion``,
    g^2, is maximum likelihood: half that integral, in the sum over pixels, and the divergence of
    p_T from the reverse process's start bound the Kullback-Leibler divergence from the data to
    that process's samples (Song, Durkan et al. 2021, Theorem 1).

    After the example of ``invscore.training.objectives``:

    >>> from invscore.processes import VP
    >>> from invscore.training.objectives import process_score_matching
    >>> t, vp = torch.full((500,), 0.5), VP()
    >>> rest = {"alpha": vp.alpha, "sigma": vp.sigma, "weight": torch.ones_like}
    >>> loss = lambda s: process_score_matching(s, x, t, noise, **rest)
    >>> bool(loss(lambda x, t: -x) < loss(lambda x, t: -2 * x))
    True
    """
    kept, level = per_image(alpha(t), clean, "alpha"), per_image(sigma(t), clean)
    x = kept * clean + level * noise
    return squared_distance(score(x, t), -noise / level, weight(t))
