"""Whether samples are as large as images of the prior, or as the measurement says that they are."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.batches import PerImage, per_image
from invscore.hardware.doubles import doubled
from invscore.likelihood import InverseProblem
from invscore.priors.base import Prior
from invscore.rng import sample_rng

FAR = 10.0
"""Largest rms of a whole image, in standard deviations of the prior, without a warning: photographs
in [0, 1] have at most 2.2, and heavy-tailed signals go beyond where the measurement does."""


@torch.no_grad()
def magnitude_warnings(
    problem: InverseProblem, prior: Prior, samples: Tensor, scale: PerImage = 1.0
) -> tuple[str, ...]:
    """A sentence where ``samples``, (n, b, \\*in_shape), are far larger than images can be.

    Iterations that grow without bound end at numbers that are finite, and where y does not see what
    has grown, the residual is as it should be. Samples of the posterior are about as far from the
    mean of the prior as its images are, unless y is as much farther than its measurements of them.
    ``scale``, (b,) or one: how much larger samples are than in the units of ``prior``.

        >>> import torch
        >>> from invscore import GaussianNoise, GaussianPrior, InverseProblem
        >>> from invscore.operators import Inpainting
        >>> from invscore.uncertainty import magnitude_warnings
        >>> prior = GaussianPrior(torch.zeros(1, 8, 8), 1.0)
        >>> half = Inpainting.box((1, 8, 8), (4, 8))
        >>> problem = InverseProblem(half, torch.zeros(1, 1, 8, 8), GaussianNoise(0.1))
        >>> samples = prior.sample(4)[:, None]
        >>> magnitude_warnings(problem, prior, samples)
        ()
        >>> magnitude_warnings(problem, prior, 1e6 * samples)[0].split(" times")[1].split(",")[0]
        ' as far from the mean of the prior as its images are'
    """
    factor = per_image(scale, samples[0], "scale")
    mean = torch.as_tensor(prior.mean, dtype=samples.dtype, device=samples.device)
    away = torch.stack([_rms(x / factor - mean) for x in samples]).amax(dim=0)
    away = away / prior.variance**0.5
    if bool((away <= FAR).all()) or bool((away <= FAR * _measured(problem, prior, factor)).all()):
        return ()
    return (
        f"the samples are {float(away.max()):.2g} times as far from the mean of the prior as its "
        "images are, where 1 is expected: the method has diverged, or the measurement is in other "
        "units than the prior",
    )


def _measured(problem: InverseProblem, prior: Prior, factor: Tensor | float) -> Tensor:
    """Ratio of y's size to that of measurements of images of the prior: (b,), 1 or more."""
    operator, y = problem.operator, problem.y
    image = torch.zeros(len(y), *operator.in_shape, dtype=problem.image_dtype, device=y.device)
    mean = image + factor * torch.as_tensor(prior.mean, dtype=image.dtype, device=y.device)
    noise = sample_rng(0, len(y), "magnitude", y.device).normal_like(image)
    clean = operator(mean)
    level = problem.noise.variance(clean).expand(y.shape).sqrt()
    seen = operator(mean + factor * prior.variance**0.5 * noise) - clean
    away, seen, level = (_rms(problem.measured(values)) for values in (y - clean, seen, level))
    return torch.nan_to_num(away / torch.hypot(seen, level), nan=1.0).clamp_min(1.0)


def _rms(x: Tensor) -> Tensor:
    """Over the numbers of each of (b, \\*shape), whose squares may be beyond single precision."""
    size = x.flatten(1).abs()
    most = size.amax(dim=1).clamp_min(torch.finfo(size.dtype).tiny)
    mean = size.div_(most[:, None]).square_().mean(dim=1)
    return doubled(most) * doubled(mean).sqrt()
