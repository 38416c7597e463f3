"""The log-likelihood of images by the instantaneous change of variables."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from invscore import levels
from invscore.batches import Numbers, as_tensor, per_image, real_numbers
from invscore.hardware import memory
from invscore.hardware.doubles import doubled
from invscore.options.argument_checks import require_type
from invscore.priors.base import Prior
from invscore.rng import SampleRNG, sample_rng
from invscore.sampling import runge_kutta, terminal
from invscore.sampling.base import PARTS, NotFiniteError, noise_only
from invscore.sampling.runge_kutta import root_mean_square

CELLS = 255
"""Inverse width of a cell of 8-bit images in [0, 1], whose centres are the values k / 255."""

TENSOR = 1000
"""Bytes of a tensor beside its numbers, about."""


@dataclass(frozen=True)
class LogLikelihood:
    """``log p(x)`` of images in nats, (b,), a density in image units.

    ``stderr``, (b,): the standard error that the probes of the trace leave; 0 where it is exact,
    NaN for a single probe. ``evaluations``, (b,): of the denoiser, each with a Jacobian product
    for every probe, or for every number of the image where the trace is exact. ``dimension``: how
    many real numbers an image has.

    After the example of ``invscore.sampling``:

    >>> from invscore.sampling import log_likelihood
    >>> found = log_likelihood(prior, prior.sample(2))
    >>> found.nats.shape, found.dimension
    (torch.Size([2]), 16)
    """

    nats: Tensor
    stderr: Tensor
    evaluations: Tensor
    dimension: int

    @property
    def bits_per_dimension(self) -> Tensor:
        """``-log2 p(x) / d + log2(255)``, (b,): bits a number to write images down to 1/255.

        For images of 8 bits, dequantised, the mean of this bounds from above the bits a number that
        the prior needs to code them without loss (Theis et al. 2016, Sec. 3.1).
        """
        return -self.nats / (self.dimension * math.log(2)) + math.log2(CELLS)


def dequantise(images: Tensor, rng: SampleRNG | int = 0) -> Tensor:
    """Images of 8 bits, values k / 255, spread evenly over their cells: plus U(-1/2, 1/2) / 255.

    After the example of ``invscore.sampling``:

    >>> from invscore.sampling import dequantise
    >>> bytes_ = torch.full((1, 1, 4, 4), 100 / 255)
    >>> bool((dequantise(bytes_) - bytes_).abs().max() <= 0.5 / 255)
    True
    """
    rng = sample_rng(rng, len(images), "dequantise", images.device)
    return images + (torch.special.ndtr(rng.normal_like(images)) - 0.5) / CELLS


@torch.no_grad()
def log_likelihood(
    prior: Prior,
    x: Numbers,
    *,
    probes: int | None = None,
    steps: int | None = None,
    tolerance: float = 1e-4,
    sigma_min: float | None = None,
    sigma_max: float | None = None,
    rng: SampleRNG | int = 0,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> LogLikelihood:
    """``log p(x)`` for images ``x``, (b, \\*shape), under the probability flow of ``prior``.

    Along ``dx/ds = x - D(x, e^s)``, s = ln(sigma), the log-density falls at the rate of the
    divergence ``d - tr J``, J the Jacobian of D: it is that of the noise where the path from ``x``
    at ``sigma_min`` ends at ``sigma_max``, plus the integral of the divergence (Chen et al. 2018,
    Eq. 8; Song et al. 2021, Eq. 39). What is found is the density of ``x0 + sigma_min n``.

    ``probes``: None for the exact trace, d Jacobian products an evaluation; or a number of
    Rademacher vectors v, the same along a path, in whose mean ``v . J v`` estimates it without bias
    (Hutchinson 1990). ``steps``: None for steps that each image chooses, or a number of equal ones.
    ``tolerance``: how large the error of a chosen step may be, in x in units of the level e^s, root
    mean square over its numbers, and in ln p in nats a number. (The score is of the order of e^-s:
    both cost about as much of ln p.) ``sigma_min`` and ``sigma_max``: 0.8 % and 160 times the
    standard deviation of a pixel by default, as far as the prior knows them.
    ``on_step(done, total)`` is told of progress: in steps where their number is given, or else in
    percents of the way in s.

    Raises ``ValueError`` for numbers that are not positive and ``NotFiniteError`` when a path
    leaves the finite numbers.

    After the example of ``invscore.sampling``:

    >>> from invscore.sampling import log_likelihood
    >>> image = prior.sample(1)
    >>> found = log_likelihood(prior, image)
    >>> bool((found.nats - prior.log_prob(image)).abs() < 0.1)
    True
    """
    require_type("prior", prior, Prior)
    x = as_tensor("x", x)
    low = levels.finest(prior) if sigma_min is None else sigma_min
    high = noise_only(prior) if sigma_max is None else sigma_max
    if not 0 < low < high < math.inf:
        raise ValueError(
            f"`sigma_min` and `sigma_max` must satisfy 0 < sigma_min < sigma_max, got {low:g} "
            f"and {high:g}"
        )
    for name, value in {"probes": probes, "steps": steps, "tolerance": tolerance}.items():
        if value is not None and not 0 < value < math.inf:
            raise ValueError(f"`{name}` must be a positive number, got {value}")
    flow = _Flow(prior, x, _signs(x, probes, rng), tolerance)
    ends = math.log(low), math.log(high)
    state = flow.start()
    path = (
        runge_kutta.adaptive(flow.velocity, state, *ends, flow.excess, PARTS)
        if steps is None
        else runge_kutta.fixed(flow.velocity, state, *ends, steps)
    )
    for done, reached in enumerate(path, start=1):
        state = reached
        on_step(done, steps or PARTS)
    if not bool(state.isfinite().all()):
        raise NotFiniteError(
            "the path of an image diverged to NaN or infinity: a smaller tolerance or more "
            "steps may help"
        )
    gained = doubled(state[:, flow.dimension :])
    noise = _images(state[:, : flow.dimension], x)
    return LogLikelihood(
        nats=terminal.log_prob(prior, noise, high) + gained.mean(dim=1),
        stderr=torch.zeros_like(gained[:, 0]) if probes is None else _stderr(gained),
        evaluations=flow.evaluations,
        dimension=flow.dimension,
    )


def _signs(x: Tensor, probes: int | None, rng: SampleRNG | int) -> list[Tensor] | None:
    """Rademacher vectors (b, d), so many ``probes``; None for the exact trace."""
    rng = sample_rng(rng, len(x), "probes", x.device)
    if probes is None:
        return None
    room = probes * (memory.FLOAT * _numbers(x).numel() + TENSOR)
    memory.require(room, f"`probes` = {probes}", "fewer probes")
    return [_numbers(rng.normal_like(x)).sign() for _ in range(probes)]


class _Flow:
    """The probability flow in s = ln(sigma) from images ``x``, and what the log-density gains.

    A state (k, d + m) has the d numbers of an image and the integral of the divergence: the exact
    one, or one for each of the m ``signs``.
    """

    def __init__(
        self, prior: Prior, x: Tensor, signs: list[Tensor] | None, tolerance: float
    ) -> None:
        self.prior, self.x, self.signs, self.tolerance = prior, x, signs, tolerance
        self.dimension = _numbers(x).shape[1]
        self.evaluations = torch.zeros(len(x), dtype=torch.long)

    def start(self) -> Tensor:
        numbers = _numbers(self.x)
        integrals = 1 if self.signs is None else len(self.signs)
        return torch.cat([numbers, numbers.new_zeros(len(numbers), integrals)], dim=1)

    def velocity(self, log_sigma: Tensor, state: Tensor, images: Tensor) -> Tensor:
        """The derivative in s, ``x - D(x, e^s)`` and ``d - tr J``, of those with the indices."""
        self.evaluations[images] += 1
        numbers = state[:, : self.dimension]
        position = _images(numbers, self.x)
        denoised, pull = self.prior.pullback(position, log_sigma.exp())

        def product(u: Tensor) -> Tensor:
            return _numbers(pull(_images(u, self.x)))

        if self.signs is None:
            traces = [_trace(product, numbers)]
        else:
            here = images.to(self.x.device)
            traces = [(v[here] * product(v[here])).sum(dim=1) for v in self.signs]
        divergence = self.dimension - torch.stack(traces, dim=1)
        return torch.cat([_numbers(position - denoised), divergence], dim=1)

    def excess(
        self,
        log_sigma: Tensor,
        before: Tensor,  # noqa: ARG002
        after: Tensor,  # noqa: ARG002
        error: Tensor,
    ) -> Tensor:
        """The error of a step over the ``tolerance``: the larger of that in x and in ln p."""
        d = self.dimension
        position = error[:, :d] / per_image(log_sigma.exp(), error)
        each = [root_mean_square(part) for part in (position, error[:, d:] / d)]
        return torch.maximum(*each) / self.tolerance


def _trace(product: Callable[[Tensor], Tensor], like: Tensor) -> Tensor:
    """The trace of a matrix an image, (k,), by its products with the d unit vectors."""
    total = torch.zeros_like(like[:, 0])
    for i in range(like.shape[1]):
        unit = torch.zeros_like(like)
        unit[:, i] = 1
        total += product(unit)[:, i]
    return total


def _stderr(each: Tensor) -> Tensor:
    """The standard error of the mean over (b, probes): NaN for one probe."""
    deviation = (each - each.mean(dim=1, keepdim=True)).square().sum(dim=1)
    return (deviation / ((each.shape[1] - 1) * each.shape[1])).sqrt()


def _numbers(x: Tensor) -> Tensor:
    """(b, \\*shape) as real numbers, (b, d)."""
    return real_numbers(x).flatten(1)


def _images(numbers: Tensor, like: Tensor) -> Tensor:
    """(k, d) real numbers as images of the shape and kind of those in ``like``."""
    if like.is_complex():
        return torch.view_as_complex(numbers.reshape(-1, *like.shape[1:], 2).contiguous())
    return numbers.reshape(-1, *like.shape[1:])
