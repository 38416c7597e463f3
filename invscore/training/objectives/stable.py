"""Denoising targets of less variance, averaged over a reference batch."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.batches import PerImage, per_image
from invscore.training.objectives.fields import VectorField
from invscore.training.objectives.matching import explicit_score_matching


def stable_target(x: Tensor, sigma: PerImage, reference: Tensor) -> Tensor:
    """``E[(x0 - x) / sigma^2]`` over the images x0 of ``reference`` that may lie behind ``x``.

    Each is weighted by ``N(x; x0, sigma^2 I)``, and the weights of one x sum to 1 (Xu et al. 2023,
    "Stable target field"). ``x``: (b, \\*shape). ``reference``: (n, \\*shape). Where the
    image behind x is one of the reference, as likely as any other, this is the mean of the usual
    target given x and the reference: its mean given x is the score, as before, and its variance
    is smaller (Rao and Blackwell). Computed in the precision of ``x``, also under autocast.

    After the example of ``invscore.training.objectives``:

    >>> from invscore.training.objectives import stable_target
    >>> reference = torch.tensor([[-1.0], [1.0]])
    >>> stable_target(torch.zeros(1, 1), 1.0, reference)
    tensor([[0.]])
    """
    # Squared distances by products of matrices would lose the digits that small levels need, and
    # so would an average of images in bfloat16: it is divided by sigma^2.
    with torch.autocast(x.device.type, enabled=False):
        distance = torch.cdist(
            x.flatten(1), reference.flatten(1), compute_mode="donot_use_mm_for_euclid_dist"
        )
        level = per_image(sigma, distance)
        shares = (-0.5 * (distance / level) ** 2).softmax(dim=1)
        denoised = (shares @ reference.flatten(1)).reshape(x.shape)
    return (denoised - x) / per_image(sigma, x) ** 2


def stable_target_score_matching(
    score: VectorField,
    clean: Tensor,
    sigma: PerImage,
    noise: Tensor,
    reference: Tensor,
    weight: PerImage = 1.0,
    apart: Tensor | None = None,
) -> Tensor:
    """Mean of ``w |s(x) - stable target|^2`` at ``x = clean + sigma n``, over images and pixels.

    ``clean`` and ``noise``: (b, \\*shape). ``reference``: (n, \\*shape), with ``clean`` among them,
    except for those where ``apart``, (b,), is true: these have the usual target, ``-n / sigma``.

    After the example of ``invscore.training.objectives``:

    >>> from invscore.training.objectives import stable_target_score_matching
    >>> loss = lambda s: stable_target_score_matching(s, x, 1.0, noise, reference=x)
    >>> bool(loss(noisy_score) < loss(lambda x: 2 * noisy_score(x)))
    True
    """
    level = per_image(sigma, clean)
    x = clean + level * noise
    target = stable_target(x, sigma, reference)
    if apart is not None:
        target = torch.where(per_image(apart, x, "apart").bool(), -noise / level, target)
    return explicit_score_matching(score, x, target, weight)
