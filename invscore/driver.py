"""The driver: a problem, a prior and a method in; samples, their mean and spread out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from invscore.batches import per_image
from invscore.hardware import memory
from invscore.hardware.precision import FixedPrecision, precision_warnings
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods import METHODS, MethodInfo, get_method
from invscore.methods.auto import resolve
from invscore.methods.common.discrepancy_principle import reconciled
from invscore.methods.particles.resampling import SIZE
from invscore.operators import LinearOperator, Operator
from invscore.options.argument_checks import require_at_least, require_type
from invscore.priors.base import Prior
from invscore.priors.counted import CountedPrior
from invscore.priors.fitted import fit_into_memory, room
from invscore.priors.reduced_precision import evaluated_in
from invscore.result import Result
from invscore.rng import AntitheticRNG, SampleRNG
from invscore.running.advance import Advance
from invscore.running.diagnosis import doubts, misfits, own_warnings
from invscore.running.places import Place, of_one_factor, particle_sets, seeds_and_streams
from invscore.running.probing import draw_probes, starts_at_a_guess
from invscore.running.to_end import NumericalError as NumericalError
from invscore.running.to_end import Trace, run_to_end
from invscore.running.units import in_prior_units, offsets, one_number, scale_factors, shifted
from invscore.uncertainty import check_residual, particle_warnings

DEFAULT_METHOD = "auto"

COPIES = 2
"""Arrays of the size of all samples that are held: the samples, and their statistics."""


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
    on_tile: Callable[[float, int], None] = lambda done, total: None,
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
    images from 0.3 to 1.25 of the prior's peak, and of pictures far from 0, as in Hounsfield
    units or kelvins, the offset to subtract (``invscore.estimation.offset``); a nonlinear operator
    takes 1 alone.
    ``on_step(done, total)`` is told of progress, and ``on_tile(done, total)`` of parts of a step,
    where a network is evaluated in tiles. ``antithetic``: samples 2 m and 2 m + 1 share
    their random numbers with
    opposite signs, so that the mean of few is about as good as that of many; each keeps its law,
    and spread, intervals and quantiles allow for it (default: where the method gains by it; never
    for particles and point estimates). Networks of large images are
    evaluated in tiles, so that ``most_memory`` bytes, or else those that are free, hold them
    (``invscore.priors.fitted``). ``probes``: of each measurement, samples by six evaluations from a
    start at which no first guess picks one of several explanations, compared with four samples or
    more where the method starts at a guess; a warning tells of what the samples miss.
    ``precision``: ``"bf16"`` evaluates the network, and nothing else, in bfloat16
    (``invscore.priors.reduced_precision``): about twice as fast on processors made for it, samples
    differ by some percent of their spread. ``options`` are the method's own, for example
    ``steps``; ``invscore methods`` lists them.

    Raises ``TypeError`` for arguments of another kind, ``ValueError`` for unknown methods and
    options, a problem that the method does not serve, or less ``most_memory`` than its images take,
    and ``NumericalError`` when a state is no longer finite.

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
    require_type("problem", problem, InverseProblem)
    require_type("prior", prior, Prior, "load_prior(...) opens one, DenoiserPrior makes one")
    require_at_least(1, samples=samples, batch_size=batch_size)
    require_at_least(0, probes=probes)
    seeds, streams = seeds_and_streams(seed, len(problem.y))
    info, chosen = _method(problem, prior, method, options)
    for what, each in (("samples", samples), ("probes", probes)):
        needed = COPIES * each * len(problem.y) * _bytes_of_image(problem)
        memory.require(needed, f"{each} {what} of an image", f"fewer {what}")
    given, offset = problem, offsets(problem, prior, 1 if chosen.get("nonnegative") else scale)
    problem = shifted(given, offset)
    factors = scale_factors(problem, prior, scale)
    own = own_warnings(problem, prior, method, info)
    own += precision_warnings(precision, problem.y.device)
    particles = info.particles_option(problem)
    count = None if particles is None else chosen[particles]
    chunks = _drawn_together(problem, samples, seeds, factors, batch_size, count)
    advance = Advance(on_step, on_tile, len(chunks) * chosen["steps"])
    used = _fitted(prior, problem, info, max(map(len, chunks)), precision, most_memory, advance)
    counted = CountedPrior(used, 1 / (samples * len(problem.y)))
    paired = info.comes_in_pairs(problem, antithetic)
    drawing = _Drawing(problem, prior, counted, info, chosen, factors, seeds, streams, paired)
    began = time.monotonic()
    drawn, trace, moved = drawing.draw(chunks, samples, advance.step)
    probed = None
    if probes and starts_at_a_guess(info, prior, chosen):
        probed = draw_probes(info, problem, counted, factors, probes, seeds)
    seconds = time.monotonic() - began
    residual = check_residual(problem, drawn, point_estimate=info.point_estimate or moved)
    found = misfits(problem, used, drawn, residual, factors, white=info.white and not moved)
    if count is not None and SIZE in trace:
        found += particle_warnings(trace[SIZE], count)
    found += doubts(problem, used, info, drawn, probed)
    if problem is not given:
        drawn += per_image(offset, drawn[0], "offset")
    return Result(
        samples=drawn,
        trace=trace,
        evaluations=counted.evaluations,
        jacobian_products=counted.jacobian_products,
        seconds=seconds,
        method=info.name,
        options=chosen,
        seed=seed if isinstance(seed, int) else tuple(seeds),
        scale=one_number(factors),
        residual=residual.ratio,
        warnings=own + found,
        offset=offset,
        window=problem.operator.window,
        problem=given,
        asked=method,
        paired=paired,
        tails=0.0 if info.tails is None else info.tails(problem, prior, chosen),
    )


@dataclass(frozen=True)
class _Drawing:
    """Plan of drawing samples: ``info`` with options ``chosen``, from a stream for each of them."""

    problem: InverseProblem
    prior: Prior
    evaluated: Prior
    info: MethodInfo
    chosen: dict[str, Any]
    factors: list[float]
    seeds: list[int]
    streams: list[int]
    paired: bool

    def draw(
        self, chunks: list[list[Place]], samples: int, on_step: Callable[[int, int], None]
    ) -> tuple[Tensor, dict[str, list[float]], bool]:
        """All samples, the trace, and whether any were moved to fit the measurement."""
        count, steps = len(self.problem.y), self.chosen["steps"]
        drawn = torch.empty(0)
        trace: Trace = {}
        moved = False
        for index, chunk in enumerate(chunks):
            scales = [self.factors[image] for _, image in chunk]
            part = self._part(chunk, scales)
            states = self.info.run(part, self.evaluated, self._stream(chunk), **self.chosen)
            before, total = index * steps, len(chunks) * steps
            state, told = run_to_end(self.info, part, states, on_step, before, total)
            fitted = reconciled(part, self.prior, state)
            moved |= fitted is not state
            if self.chosen.get("nonnegative"):  # which what was moved to y need not be any more
                fitted = fitted.clamp_min(0)
            if index == 0:
                drawn = fitted.new_empty(samples, count, *fitted.shape[1:])
            for at, (k, image) in enumerate(chunk):
                drawn[k, image] = fitted[at] if scales[at] == 1 else scales[at] * fitted[at]
            del part, state, fitted  # the next ones are not made beside them
            told["sigma"] *= sum(scales) / len(scales)
            share = len(chunk) / (samples * count)
            for name, each in told.items():
                trace[name] = trace.get(name, 0) + share * each
        return drawn, {name: each.tolist() for name, each in trace.items()}, moved

    def _part(self, chunk: list[Place], scales: list[float]) -> InverseProblem:
        """The problem of the images of ``chunk``, in the prior's units."""
        images = [image for _, image in chunk]
        whole = images == list(range(len(self.problem.y)))
        at = torch.tensor(images, device=self.problem.y.device)
        return in_prior_units(self.problem if whole else self.problem.select(at), scales)

    def _stream(self, chunk: list[Place]) -> SampleRNG:
        """The random numbers of ``chunk``, a stream for each sample."""
        keys = [(self.seeds[image] + k, self.streams[image]) for k, image in chunk]
        device = self.problem.y.device
        if self.paired:
            return AntitheticRNG(keys, [k for k, _ in chunk], device)
        return SampleRNG(keys, device)


def _bytes_of_image(problem: InverseProblem) -> int:
    """The memory of an image in single precision."""
    operator = problem.operator
    return memory.FLOAT * math.prod(operator.in_shape) * (2 if operator.in_complex else 1)


def _drawn_together(
    problem: InverseProblem,
    samples: int,
    seeds: list[int],
    factors: list[float],
    batch_size: int | None,
    particles: int | None,
) -> list[list[Place]]:
    """All samples of all measurements, those that are drawn together in a list each.

    As many as ``batch_size``, or, where the method draws ``particles``, those of one set. Noise
    that is not Gaussian takes one factor for all.
    """
    places = [(k, image) for k in range(samples) for image in range(len(problem.y))]
    if particles is None:
        size = batch_size or len(places)
        chunks = [places[i : i + size] for i in range(0, len(places), size)]
    else:
        chunks = particle_sets(places, seeds, particles)
    if isinstance(problem.noise, GaussianNoise):
        return chunks
    return [part for chunk in chunks for part in of_one_factor(chunk, factors)]


def _fitted(
    prior: Prior,
    problem: InverseProblem,
    info: MethodInfo,
    images: int,
    precision: FixedPrecision,
    most_memory: float | None,
    advance: Advance,
) -> Prior:
    """``prior`` in ``precision``, in tiles where so many ``images`` at once would not fit."""
    if most_memory is not None:
        memory.give_back_at_once()
    return fit_into_memory(
        evaluated_in(prior, precision),
        problem.operator.in_shape,
        room(most_memory, images * _bytes_of_image(problem)),
        images=images,
        derivatives=info.products != "0",
        strict=most_memory is not None,
        on_tile=advance.tile,
    )


def _method(
    problem: InverseProblem, prior: Prior, method: str, options: Mapping[str, Any]
) -> tuple[MethodInfo, dict[str, Any]]:
    """The method that runs and all its options, ``auto`` resolved."""
    info = get_method(method)
    chosen = info.options(options)
    if info.name == "auto":
        info, chosen = resolve(problem, prior, chosen)
    require_at_least(1, steps=chosen["steps"])
    _require_served(problem.operator, info)
    return info, chosen


def _require_served(operator: Operator, info: MethodInfo) -> None:
    if "linear" in info.needs and not isinstance(operator, LinearOperator):
        others = ", ".join(name for name, other in sorted(METHODS.items()) if not other.needs)
        raise ValueError(
            f"{info.name} needs a linear operator, given {type(operator).__name__}: "
            f"the methods {others} take any"
        )
