"""Result of a reconstruction: samples, and all facts about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from invscore import saving
from invscore.batches import Numbers, PerImage, as_tensor
from invscore.likelihood import InverseProblem
from invscore.operators.base import Window
from invscore.uncertainty import Interval, credible_interval, moderated, quantile
from invscore.uncertainty.measured import measured_pixels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class Result:
    """Result of a reconstruction; images in the units of the measurement's problem.

    ``samples``: (samples, b, \\*shape). ``mean`` over the samples, and ``std``, the deviation that
    they tell: (b, \\*shape), std real, the root of the sum of both parts' variances for complex
    images, 0 for one sample. Few samples tell little of a pixel's variance, so that it is moderated
    by those of its neighbours (``invscore.uncertainty.moderated``).
    ``trace``: for every step, ``sigma`` in image units and ``discrepancy``, the rms residual of the
    denoised image over the rms of the noise (1 where they agree), averaged over the batch; and what
    else the method tells of its steps (``Step.info``): ``acceptance`` of proposals,
    ``effective_sample_size`` of particles, ``cg_iterations``, NaN for steps without.
    ``evaluations`` and ``jacobian_products``: denoiser calls and products with its Jacobian for
    each sample. ``scale``: the factor by which the measurement was divided for the prior, (b,)
    where images have factors of their own, after ``offset`` was subtracted from the images.
    ``residual``: (b,), the rms residual of the samples over the rms of the noise; exact samples
    have 1 on average, see ``invscore.uncertainty.residual``. ``warnings``: sentences on what does
    not fit and its likely cause, see ``invscore.uncertainty.misfit``, and on an operator of one's
    own whose adjoint is not one. ``window``: the part of the images that the
    measurement shows, where they reach beyond it (``Operator.window``); ``seen`` is the result
    there. ``method`` and ``options`` are those that ran; ``asked`` is what was asked for, which is
    ``"auto"`` where the choice was left to invscore. ``problem`` is what was solved. ``paired``:
    samples 2 m and 2 m + 1 are antithetic pairs, which ``std`` and all that follows allow for.
    ``tails``: the standard deviation of the logarithm of errors' variance over what is told, by
    which intervals are made, 0 for Gaussian errors, see ``invscore.priors.detail``.

        >>> import torch
        >>> from invscore import GaussianNoise, GaussianPrior, InverseProblem, reconstruct
        >>> from invscore.operators import Identity
        >>> prior = GaussianPrior(torch.full((1, 4, 4), 0.5), 0.04)
        >>> y = torch.ones(1, 1, 4, 4)
        >>> problem = InverseProblem(Identity((1, 4, 4)), y, GaussianNoise(0.1))
        >>> result = reconstruct(problem, prior, method="ddrm", samples=4, steps=5)
        >>> result.mean.shape, result.std.shape, result.method
        (torch.Size([1, 1, 4, 4]), torch.Size([1, 1, 4, 4]), 'ddrm')
    """

    samples: Tensor
    trace: dict[str, list[float]]
    evaluations: float
    jacobian_products: float
    seconds: float
    method: str
    options: dict[str, Any] = field(repr=False)
    seed: int | tuple[int, ...]
    scale: PerImage
    residual: Tensor
    warnings: tuple[str, ...]
    window: Window | None = None
    problem: InverseProblem | None = field(default=None, repr=False)
    asked: str = ""
    paired: bool = False
    tails: float = 0.0
    offset: PerImage = 0.0

    @property
    def seen(self) -> Result:
        """The result without the margin around the ``window``: itself where there is none."""
        if self.window is None:
            return self
        return replace(self, samples=self.samples[(..., *self.window)], window=None)

    @property
    def mean(self) -> Tensor:
        return self.samples.mean(dim=0)

    @property
    def std(self) -> Tensor:
        x = self.samples
        variance = moderated(x, paired=self.paired, measured=self.measured).variance
        return (variance.sum(dim=-1) if x.is_complex() else variance).sqrt()

    @cached_property
    def measured(self) -> Tensor | None:
        """Which pixels are measured one by one, (\\*shape), where others are not: see ``std``."""
        found = None if self.problem is None else measured_pixels(self.problem)
        return found if found is not None and found.shape == self.samples.shape[2:] else None

    def quantile(self, q: float) -> Tensor:
        """The ``q`` quantile of each pixel, (b, \\*shape), by parts for complex images.

        A further sample is below it with probability q. Raises ``ValueError`` where there are too
        few samples to tell: n of them serve 1 / (n + 1) to n / (n + 1).
        """
        return quantile(self.samples, q, paired=self.paired)

    def interval(self, level: float = 0.9) -> Interval:
        """``lower`` and ``upper`` end, (b, \\*shape): ``mean +- t sqrt(1 + 1 / n) std``, n samples.

        By parts for complex images. With the quantile t of Student's law it holds the truth with
        probability ``level`` if the posterior is Gaussian and the samples are exact, wider where
        errors are known to have ``tails``. Methods of this field are neither:
        ``invscore.calibration`` measures and mends that. Skewed posteriors are better told by
        ``quantile``. Raises ``ValueError`` for one sample or another level.
        """
        return credible_interval(
            self.samples, level, paired=self.paired, tails=self.tails, measured=self.measured
        )

    def __repr__(self) -> str:
        return saving.in_words(self.seen)

    def _repr_html_(self) -> str:
        return saving.as_html(self.seen)

    def plot(self, *, truth: Numbers | None = None) -> Figure:
        """A matplotlib figure: measurement, mean and standard deviation, of the first image.

        With its ``truth``, (b, \\*shape), beside them where it is known: of the whole image, or of
        what is seen of it. Raises ``ValueError`` for one of another shape.
        """
        return saving.plot(self.seen, self._shown(truth))

    def save(self, folder: str | Path, *, truth: Numbers | None = None) -> Path:
        """Write pictures, ``arrays.npz`` and ``metrics.json`` to ``folder``, which is returned.

        All of them or, on an error, none; those of an earlier result are replaced. With several
        images, pictures have the number of theirs. ``truth``: as in ``plot``, for PSNR and SSIM.
        """
        return saving.save(self.seen, Path(folder), self._shown(truth))

    def _shown(self, truth: Numbers | None) -> Tensor | None:
        """The part of ``truth`` that is shown. Raises ``ValueError`` for one of another shape."""
        if truth is None:
            return None
        whole, seen = self.samples.shape[1:], self.seen.samples.shape[1:]
        truth = as_tensor("truth", truth).to(self.samples.device)
        if truth.shape not in (whole, seen):
            raise ValueError(f"`truth` must have shape {tuple(whole)}, got {tuple(truth.shape)}")
        return truth if truth.shape == seen else truth[(..., *(self.window or ()))]


def joined(results: Sequence[Result]) -> Result:
    """One result of several, of problems that may each be the right one: their samples together.

    Where an operator is not known, problems whose operators are drawn from what it may be have
    samples that spread by what is not known of it too. All that is told are means over the samples,
    and what is one for all is that of the first. Raises ``ValueError`` for no results, for images
    of different shapes, and for samples some of which come in pairs.

    >>> import torch
    >>> from invscore import GaussianNoise, GaussianPrior, InverseProblem, reconstruct
    >>> from invscore.operators import Blur
    >>> from invscore.result import joined
    >>> prior = GaussianPrior(torch.full((1, 8, 8), 0.5), 0.04)
    >>> widths, y = (0.9, 1.1), torch.rand(1, 1, 8, 8)
    >>> blurs = [Blur.gaussian(width, (1, 8, 8), size=7) for width in widths]
    >>> problems = [InverseProblem(blur, y, GaussianNoise(0.1)) for blur in blurs]
    >>> parts = [reconstruct(each, prior, samples=2, seed=2 * k) for k, each in enumerate(problems)]
    >>> joined(parts).samples.shape
    torch.Size([4, 1, 1, 8, 8])
    """
    _require_alike(results)
    first = results[0]
    number = sum(len(each.samples) for each in results)
    shares = [len(each.samples) / number for each in results]

    def mean(values: list[Any]) -> Any:
        return sum(share * value for share, value in zip(shares, values, strict=True))

    trace = {
        name: [mean(list(step)) for step in zip(*(r.trace[name] for r in results), strict=False)]
        for name in first.trace
        if all(name in each.trace for each in results)
    }
    return replace(
        first,
        samples=torch.cat([each.samples for each in results]),
        trace=trace,
        evaluations=mean([each.evaluations for each in results]),
        jacobian_products=mean([each.jacobian_products for each in results]),
        seconds=sum(each.seconds for each in results),
        residual=mean([each.residual for each in results]),
        warnings=tuple(dict.fromkeys(w for each in results for w in each.warnings)),
    )


def _require_alike(results: Sequence[Result]) -> None:
    """Raise ``ValueError`` unless the samples of ``results`` can be those of one."""
    if not results:
        raise ValueError("`results` must hold at least one, got none")
    shapes = [tuple(each.samples.shape[1:]) for each in results]
    if len(set(shapes)) > 1:
        raise ValueError(f"`results` must be of images of one shape, got {shapes}")
    paired = {each.paired for each in results}
    whole = all(len(each.samples) % 2 == 0 for each in results[:-1])
    if len(paired) > 1 or (paired == {True} and not whole):
        raise ValueError("`results` must all come in whole pairs, or none, got some that do")
