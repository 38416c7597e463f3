"""The driver: a problem, a prior and a method in; samples, their mean and spread out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from invscore import saving
from invscore.batches import PerImage, per_image
from invscore.estimation.noise_level import noise_seen
from invscore.estimation.scale import estimate_scale
from invscore.hardware import memory
from invscore.hardware.precision import FixedPrecision, precision_warnings
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods import METHODS, MethodInfo, get_method
from invscore.methods.auto import narrow_warnings, resolve
from invscore.methods.common.discrepancy_principle import reconciled
from invscore.methods.particles.resampling import SIZE
from invscore.operators import LinearOperator, Operator
from invscore.operators.base import Window
from invscore.operators.probe import operator_warnings
from invscore.priors.base import Prior
from invscore.priors.counted import CountedPrior
from invscore.priors.evaluated import evaluated_in
from invscore.priors.fitted import fit_into_memory, room
from invscore.rng import AntitheticRNG, SampleRNG
from invscore.running.places import of_one_factor, particle_sets, seeds_and_streams
from invscore.running.probing import draw_probes, starts_at_a_guess
from invscore.running.to_end import NumericalError as NumericalError
from invscore.running.to_end import Trace, run_to_end
from invscore.uncertainty import (
    Interval,
    Residual,
    check_residual,
    credible_interval,
    kernel_warnings,
    misfit_warnings,
    mode_warnings,
    noise_warnings,
    particle_warnings,
    quantile,
    spread,
)
from invscore.uncertainty.excerpt import excerpt

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEFAULT_METHOD = "auto"

COPIES = 2
"""Of the samples in memory: as they are drawn, and their statistics."""


@dataclass(frozen=True, repr=False)
class Result:
    """What a reconstruction gives; images in the units of the measurement's problem.

    ``samples``: (samples, b, \\*shape). ``mean`` and ``std`` over the samples: (b, \\*shape), std
    real, the root of the sum of both parts' variances for complex images, 0 for one sample.
    ``trace``: for every step, ``sigma`` in image units and ``discrepancy``, the rms residual of the
    denoised image over the rms of the noise (1 where they agree), averaged over the batch; and what
    else the method tells of its steps (``Step.info``): ``acceptance`` of proposals,
    ``effective_sample_size`` of particles, ``cg_iterations``, NaN for steps without.
    ``evaluations`` and ``jacobian_products``: denoiser calls and products with its Jacobian for
    each sample. ``scale``: the factor by which the measurement was divided for the prior, (b,)
    where images have factors of their own.
    ``residual``: (b,), the rms residual of the samples over the rms of the noise; exact samples
    have 1 on average, see ``invscore.uncertainty.residual``. ``warnings``: sentences on what does
    not fit and its likely cause, see ``invscore.uncertainty.misfit``, and on an operator of one's
    own whose adjoint is not one. ``window``: the part of the images that the
    measurement shows, where they reach beyond it (``Operator.window``); ``seen`` is the result
    there. ``method`` and ``options`` are those that ran; ``asked`` is what was asked for, which is
    ``"auto"`` where the choice was left to invscore. ``problem`` is what was solved. ``paired``:
    samples 2 m and 2 m + 1 are antithetic pairs, which ``std`` and all that follows allow for.

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
        parts = torch.view_as_real(x) if x.is_complex() else x
        variance = spread(parts, paired=self.paired).variance
        return (variance.sum(dim=-1) if x.is_complex() else variance).sqrt()

    def quantile(self, q: float) -> Tensor:
        """The ``q`` quantile of each pixel, (b, \\*shape), by parts for complex images.

        A further sample is below it with probability q. Raises ``ValueError`` where there are too
        few samples to tell: n of them serve 1 / (n + 1) to n / (n + 1).
        """
        return quantile(self.samples, q, paired=self.paired)

    def interval(self, level: float = 0.9) -> Interval:
        """``lower`` and ``upper`` end, (b, \\*shape): ``mean +- t sqrt(1 + 1 / n) std``, n samples.

        By parts for complex images. With the quantile t of Student's law it holds the truth with
        probability ``level`` if the posterior is Gaussian and the samples are exact. Methods of
        this field are neither: ``invscore.calibration`` measures and mends that. Skewed posteriors
        are better told by ``quantile``. Raises ``ValueError`` for one sample or another level.
        """
        return credible_interval(self.samples, level, paired=self.paired)

    def __repr__(self) -> str:
        return saving.in_words(self.seen)

    def _repr_html_(self) -> str:
        return saving.as_html(self.seen)

    def plot(self, *, truth: Tensor | None = None) -> Figure:
        """A matplotlib figure: measurement, mean and standard deviation, of the first image.

        With its ``truth``, (b, \\*shape), beside them where it is known.
        """
        return saving.plot(self.seen, truth)

    def save(self, folder: str | Path, *, truth: Tensor | None = None) -> Path:
        """Write pictures, ``arrays.npz`` and ``metrics.json`` to ``folder``, which is returned.

        All of them or, on an error, none; those of an earlier result are replaced. With several
        images, pictures have the number of theirs. ``truth``: (b, \\*shape), for PSNR and SSIM.
        """
        return saving.save(self.seen, Path(folder), truth)


@torch.inference_mode(False)
def reconstruct(
    problem: InverseProblem,
    prior: Prior,
    *,
    method: str = DEFAULT_METHOD,
    samples: int = 1,
    seed: int | Sequence[int] = 0,
    batch_size: int | None = None,
    scale: float | Literal["auto"] = "auto",
    antithetic: bool | None = None,
    most_memory: float | None = None,
    probes: int = 0,
    precision: FixedPrecision = "fp32",
    on_step: Callable[[int, int], None] = lambda done, total: None,
    **options: Any,
) -> Result:
    """Samples of ``p(x | y)`` (or point estimates) for each measurement of ``problem``.

    ``samples`` is their number for each measurement. Sample k draws from a random stream of its
    own, seeded by ``seed + k`` and the measurement's place in the batch, so it does not depend on
    how many others are drawn or on ``batch_size``. With a sequence of seeds, one a measurement,
    each gets the samples that it would get alone. ``batch_size`` is the number of images treated
    together (default: all; methods that draw particles together have an option of their own
    instead). ``scale``
    divides the measurement so that images fit a prior trained on a peak near 1; ``"auto"`` finds
    the factor of each image where the operator is linear (``invscore.estimation.scale``), 1 for
    images from 0.3 to 1.25 of the prior's peak; a nonlinear operator takes 1 alone.
    ``on_step(done, total)`` is told of progress. ``antithetic``: samples 2 m and 2 m + 1 share
    their random numbers with
    opposite signs, so that the mean of few is about as good as that of many; each keeps its law,
    and spread, intervals and quantiles allow for it (default: where the method gains by it; never
    for particles and point estimates). Networks of large images are
    evaluated in tiles, so that ``most_memory`` bytes, or else those that are free, hold them
    (``invscore.priors.fitted``). ``probes``: of each measurement, samples by six evaluations from a
    start at which no first guess picks one of several explanations, compared with four samples or
    more where the method starts at a guess; a warning tells of what the samples miss.
    ``precision``: ``"bf16"`` evaluates the network, and nothing else, in bfloat16
    (``invscore.priors.evaluated``): about twice as fast on processors made for it, samples differ
    by some percent of their spread. ``options`` are the method's own, for example ``steps``;
    ``invscore methods`` lists them.

    Raises ``ValueError`` for unknown methods and options, or a problem that the method does not
    serve, and ``NumericalError`` when a state is no longer finite.

        >>> import torch
        >>> from invscore import GaussianNoise, GaussianPrior, InverseProblem, reconstruct
        >>> from invscore.operators import Identity
        >>> prior = GaussianPrior(torch.full((1, 4, 4), 0.5), 0.04)
        >>> y = torch.ones(2, 1, 4, 4)
        >>> problem = InverseProblem(Identity((1, 4, 4)), y, GaussianNoise(0.1))
        >>> result = reconstruct(problem, prior, method="ddrm", samples=3, steps=5)
        >>> result.samples.shape
        torch.Size([3, 2, 1, 4, 4])
    """
    if samples < 1:
        raise ValueError(f"`samples` must be at least 1, got {samples}")
    seeds, streams = seeds_and_streams(seed, len(problem.y))
    if probes < 0:
        raise ValueError(f"`probes` must be at least 0, got {probes}")
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"`batch_size` must be at least 1, got {batch_size}")
    info = get_method(method)
    chosen = info.options(options)
    if info.name == "auto":
        info, chosen = resolve(problem, prior, chosen)
    steps = chosen["steps"]
    if steps < 1:
        raise ValueError(f"`steps` must be at least 1, got {steps}")
    number = math.prod(problem.operator.in_shape) * (2 if problem.operator.in_complex else 1)
    for what, each in (("samples", samples), ("probes", probes)):
        needed = memory.FLOAT * COPIES * each * len(problem.y) * number
        memory.require(needed, f"{each} {what} of an image", f"fewer {what}")
    factors = _factors(problem, prior, scale)
    _require_served(problem.operator, info)
    own = own_warnings(problem, prior, method, info)
    own += precision_warnings(precision, problem.y.device)
    count = len(problem.y)
    places = [(k, image) for k in range(samples) for image in range(count)]
    particles = info.particles_option(problem)
    paired = info.comes_in_pairs(problem, antithetic)
    if particles is None:
        size = batch_size or len(places)
        chunks = [places[i : i + size] for i in range(0, len(places), size)]
    else:
        chunks = particle_sets(places, seeds, chosen[particles])
    most = max(map(len, chunks))
    if most_memory is not None:
        memory.give_back_at_once()
    free = room(most_memory, memory.FLOAT * number * most)
    shape = problem.operator.in_shape
    used = evaluated_in(prior, precision)
    used = fit_into_memory(used, shape, free, images=most, derivatives=info.products != "0")
    counted = CountedPrior(used, 1 / len(places))
    if not isinstance(problem.noise, GaussianNoise):
        chunks = [part for chunk in chunks for part in of_one_factor(chunk, factors)]
    device = problem.y.device
    drawn = torch.empty(0)
    traces: list[Trace] = []
    moved = False
    began = time.monotonic()
    for index, chunk in enumerate(chunks):
        keys = [(seeds[image] + k, streams[image]) for k, image in chunk]
        rng = (
            AntitheticRNG(keys, [k for k, _ in chunk], device)
            if paired
            else SampleRNG(keys, device)
        )
        images = torch.tensor([image for _, image in chunk], device=device)
        scales = [factors[image] for _, image in chunk]
        whole = [image for _, image in chunk] == list(range(count))
        part = _scaled(problem if whole else problem.select(images), scales)
        states = info.run(part, counted, rng, **chosen)
        state, trace = run_to_end(info, part, states, on_step, index * steps, len(chunks) * steps)
        trace["sigma"] *= sum(scales) / len(scales)
        fitted = reconciled(part, prior, state)
        moved |= fitted is not state
        if chosen.get("nonnegative"):  # which what was moved to y need not be any more
            fitted = fitted.clamp_min(0)
        if index == 0:
            drawn = fitted.new_empty(samples, count, *fitted.shape[1:])
        for at, (k, image) in enumerate(chunk):
            drawn[k, image] = fitted[at] if scales[at] == 1 else scales[at] * fitted[at]
        del part, state, fitted  # the next ones are not made beside them
        traces.append({name: each * len(chunk) / len(places) for name, each in trace.items()})
    seen_elsewhere = None
    if probes and starts_at_a_guess(info, prior, chosen):
        seen_elsewhere = draw_probes(info, problem, counted, factors, probes, seeds)
    seconds = time.monotonic() - began
    residual = check_residual(problem, drawn, point_estimate=info.point_estimate or moved)
    white = info.white and not moved
    found = misfits(problem, used, drawn, residual, factors, white=white)
    trace_of_all = {
        name: torch.stack([part[name] for part in traces]).sum(dim=0).tolist() for name in traces[0]
    }
    if particles is not None and SIZE in trace_of_all:
        found += particle_warnings(trace_of_all[SIZE], chosen[particles])
    found += doubts(problem, info, drawn, seen_elsewhere)
    return Result(
        samples=drawn,
        trace=trace_of_all,
        evaluations=counted.evaluations,
        jacobian_products=counted.jacobian_products,
        seconds=seconds,
        method=info.name,
        options=chosen,
        seed=seed if isinstance(seed, int) else tuple(seeds),
        scale=_number(factors),
        residual=residual.ratio,
        warnings=own + found,
        window=problem.operator.window,
        problem=problem,
        asked=method,
        paired=paired,
    )


def own_warnings(
    problem: InverseProblem, prior: Prior, asked: str, info: MethodInfo
) -> tuple[str, ...]:
    """What is odd about an operator of one's own, and about a choice that ``auto`` had to make."""
    odd = operator_warnings(problem.operator, problem.y)
    return odd + narrow_warnings(prior, info) if asked == "auto" else odd


def misfits(
    problem: InverseProblem,
    prior: Prior,
    samples: Tensor,
    residual: Residual,
    factors: list[float],
    *,
    white: bool,
) -> tuple[str, ...]:
    """What does not fit between measurement, declared model and ``samples``, and why.

    ``factors``: by which the measurement of each image was divided for ``prior``.
    """
    found = misfit_warnings(problem, samples, residual, white=white)
    if white and not found:
        looked_at, first = excerpt(problem, samples[:1])
        factor = per_image(_number(factors), first[0], "scale")
        seen = noise_seen(_scaled(looked_at, factors), prior, first / factor)
        found = noise_warnings(problem, seen)
    return found or kernel_warnings(_scaled(problem, factors), prior)


def doubts(
    problem: InverseProblem, info: MethodInfo, samples: Tensor, probes: Tensor | None = None
) -> tuple[str, ...]:
    """Whether the ``samples`` of a method that has no exact limit tell the weights of modes."""
    if info.exact or info.point_estimate:
        return ()
    return mode_warnings(samples, probes, problem.operator.window)


def _require_served(operator: Operator, info: MethodInfo) -> None:
    if "linear" in info.needs and not isinstance(operator, LinearOperator):
        others = ", ".join(name for name, other in sorted(METHODS.items()) if not other.needs)
        raise ValueError(
            f"{info.name} needs a linear operator, given {type(operator).__name__}: "
            f"the methods {others} take any"
        )


def _factors(problem: InverseProblem, prior: Prior, scale: float | Literal["auto"]) -> list[float]:
    """By what the measurement of each image is divided."""
    if scale == "auto":
        return [float(factor) for factor in estimate_scale(problem, prior)]
    if isinstance(scale, str) or not (scale > 0 and math.isfinite(scale)):
        raise ValueError(f"`scale` must be a positive number or 'auto', got {scale!r}")
    if scale != 1 and not isinstance(problem.operator, LinearOperator):
        raise ValueError(
            "`scale` must be 1 or 'auto' for a nonlinear operator, which another factor would make "
            f"another problem, got {scale:g}"
        )
    return [float(scale)] * len(problem.y)


def _number(factors: list[float]) -> PerImage:
    """One number where all are alike."""
    return factors[0] if len(set(factors)) == 1 else torch.tensor(factors, dtype=torch.float64)


def _scaled(problem: InverseProblem, factors: list[float]) -> InverseProblem:
    factor = _number(factors)
    alone = isinstance(factor, float) and factor == 1
    return problem if alone else problem.scaled(1 / factor)
