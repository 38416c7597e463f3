"""The kernel of a blurred picture, from the picture alone: motion, defocus or a Gaussian.

The power spectrum of photographs is smooth and falls as a power of the frequency; that of a blurred
one has the kernel's zeros and slopes besides. Kernels of three families are compared by how likely
they make the periodogram of the windowed picture (``invscore.estimation.periodogram``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import torch
from torch import Tensor

from invscore.estimation.periodogram import Periodogram
from invscore.operators.kernels import disk_kernel, gaussian_kernel, gaussian_size, motion_kernel

Model = Literal["motion", "defocus", "gaussian"]
MODELS: tuple[Model, ...] = ("motion", "defocus", "gaussian")
UNITS = {
    "motion": (("length", "pixels"), ("angle", "degrees")),
    "defocus": (("radius", "pixels"),),
    "gaussian": (("sigma", "pixels"),),
}
FIRST, LAST = {"motion": 3.0, "defocus": 1.0, "gaussian": 0.6}, 26.0
"""Sizes of the kernels that are tried, in pixels: from ``FIRST`` (lengths of motions, radii of
disks, standard deviations of Gaussians) to ``LAST`` for motions, a third of it for disks, a sixth
for Gaussians."""

TRUST = 0.1
"""Weight of Whittle's log-likelihood, below 1 because neighbouring frequencies of photographs are
not independent."""

DECIDED = 3.0
"""Gain in that weighted log-likelihood, in nats, that a kernel must have over no blur."""

STARTS = 3
"""Likeliest kernels of each family from which steps to likelier ones begin: with little noise a
peak is narrower than the grid."""

SPREAD = 0.5
"""Largest standard deviation of the kernel, as a share of its norm, for which it is told."""

PATTERN = -0.66
"""Least mean of log(periodogram / expectation), which is -0.577 for a random field: regular
patterns, which look like a kernel's zeros, lie below."""

SMALLEST = 32
"""Least side of a picture, in pixels."""

SMALL = 0.5
"""Size in pixels below which no kernel is tried."""

REACH = 3.0
"""Distance up to which Gaussian kernels are drawn, in standard deviations."""


@dataclass(frozen=True)
class Candidate:
    """A kernel of a ``model`` by its ``numbers``; without either, none."""

    model: Model | None
    numbers: tuple[float, ...] = ()

    @property
    def kernel(self) -> Tensor:
        """(kh, kw) float64, of sum one."""
        if self.model == "motion":
            return motion_kernel(*self.numbers)
        if self.model == "defocus":
            return disk_kernel(*self.numbers)
        if self.model == "gaussian":
            return gaussian_kernel(self.numbers[0], gaussian_size(self.numbers[0]))
        return torch.ones(1, 1, dtype=torch.float64)


@dataclass(frozen=True)
class KernelEstimate:
    """The likeliest ``kernel``, (kh, kw), and the deviation of each of its pixels, ``std``.

    ``numbers`` are those of its ``model``, with the deviations ``errors``. ``noise`` is that of the
    picture, declared or fitted. Kernels that are ``drawn`` have the same shape.
    """

    model: Model
    numbers: tuple[float, ...]
    errors: tuple[float, ...]
    kernel: Tensor
    std: Tensor
    noise: float

    def drawn(self, seed: int) -> Tensor:
        """A kernel of the model, as likely as the picture makes it: (kh, kw) float64, of sum one.

        Its numbers are Gaussian about the likeliest, with their deviations (Laplace's
        approximation), within three of them.
        """
        generator = torch.Generator().manual_seed(seed)
        steps = torch.randn(len(self.numbers), dtype=torch.float64, generator=generator)
        moved = zip(self.numbers, self.errors, steps.clamp(-REACH, REACH).tolist(), strict=True)
        numbers = [number + error * step for number, error, step in moved]
        numbers[0] = max(numbers[0], SMALL)
        return _fitted(Candidate(self.model, tuple(numbers)).kernel, self.kernel.shape)

    def __str__(self) -> str:
        told = zip(UNITS[self.model], self.numbers, self.errors, strict=True)
        parts = [f"{name} {n:.3g} +- {e:.2g} {unit}" for (name, unit), n, e in told]
        return f"{self.model}, {', '.join(parts)}"


def estimate_kernel(
    picture: Tensor, noise: float | None = None, models: Sequence[Model] = MODELS
) -> KernelEstimate:
    """The kernel that has blurred a ``picture``, (c, h, w), alike in all channels.

    Of straight motions up to 26 pixels long, disks up to 8.7 and Gaussians up to 4.3 pixels: those
    of ``models``. ``noise``: the standard deviation of white noise, fitted where it is None. Raises
    ``ValueError`` where no blur explains the picture better than none, where several kernels that
    differ explain it as well, where a motion may be longer than those that are tried or than a
    quarter of the picture, for regular patterns, and for pictures that are too small.

        >>> import torch
        >>> from invscore.estimation.blur_kernel import estimate_kernel
        >>> from invscore.images import load_image
        >>> from invscore.operators import Blur
        >>> sharp = load_image("coins")[:, 40:200, 60:220]
        >>> blurred = Blur.motion(9, 20, sharp.shape, boundary="valid")(sharp[None])[0]
        >>> found = estimate_kernel(blurred, models=("motion",))
        >>> [round(n) for n in found.numbers]
        [9, 20]
    """
    if picture.ndim != 3 or picture.is_complex() or min(picture.shape[1:]) < SMALLEST:
        raise ValueError(
            f"the picture must be a real one (c, h, w) of {SMALLEST} pixels a side or more to tell "
            f"its kernel, got {'a complex' if picture.is_complex() else 'a real'} one of shape "
            f"{tuple(picture.shape)}"
        )
    if bool((picture == picture[:, :1, :1]).all()):
        raise ValueError("the measurement does not tell its kernel: it is the same everywhere")
    seen = Periodogram(picture, noise)
    longest = min(LAST, min(picture.shape[1:]) / 4)
    none = seen.log_likelihood(Candidate(None).kernel)
    grid = [c for model in models for c in _grid(model, longest)]
    tried = {c: seen.log_likelihood(c.kernel) for c in grid}
    for model in models:
        likeliest = sorted((c for c in grid if c.model == model), key=tried.__getitem__)
        for start in likeliest[-STARTS:]:
            _climb(seen, start, tried, longest)
    best = max(tried, key=tried.__getitem__)
    assert best.model is not None
    if TRUST * (tried[best] - none) < DECIDED:
        raise ValueError(
            "the measurement does not tell its kernel: no blur explains it better than none; "
            "blur(kernel=FILE) takes a known one"
        )
    kernel, std = best.kernel, _deviation(best, tried)
    share = float(std.square().sum().sqrt() / kernel.square().sum().sqrt())
    if share > SPREAD:
        raise ValueError(
            "the measurement does not tell its kernel: others that differ explain it as well as "
            f"{best.model} ({', '.join(f'{n:.3g}' for n in best.numbers)}); give model= or "
            "blur(kernel=FILE)"
        )
    if best.numbers[0] < FIRST[best.model]:
        raise ValueError(
            "the measurement does not tell its kernel: what blur there is, is less than "
            f"{FIRST[best.model]:g} pixels of {best.model}; blur(kernel=FILE) takes a known one"
        )
    errors = tuple(_error(seen, best, place, tried[best]) for place in range(len(best.numbers)))
    seen.log_likelihood(kernel)
    if seen.mean_log_ratio < PATTERN:
        raise ValueError(
            "the measurement does not tell its kernel: its spectrum has lines of its own, as a "
            "regular pattern has; blur(kernel=FILE) takes a known one"
        )
    if best.model == "motion" and best.numbers[0] + REACH * errors[0] > longest:
        raise ValueError(
            "the measurement does not tell its kernel: it may be a motion of more than "
            f"{longest:g} pixels, the longest that is tried, or the scene has lines of its own in "
            "its direction; blur(kernel=FILE) takes a known one"
        )
    shape = _reached(best, errors)
    kernel, std = _fitted(kernel, shape), _fitted(std, shape)
    return KernelEstimate(best.model, best.numbers, errors, kernel, std, seen.noise)


def _grid(model: Model, longest: float) -> Iterator[Candidate]:
    """Kernels of a model: a motion's ends move by a pixel or two from one to the next."""
    size = FIRST[model]
    if model != "motion":
        step, last = (0.25, longest / 3) if model == "defocus" else (0.2, longest / 6)
        yield from (Candidate(model, (size + k * step,)) for k in range(int((last - size) / step)))
        return
    while size <= longest:
        turns = max(6, round(math.pi * size / 2))
        yield from (Candidate(model, (size, 180.0 * k / turns)) for k in range(turns))
        size += 1.0


def _steps(candidate: Candidate) -> tuple[float, ...]:
    """Sizes of the first steps: half of the grid."""
    if candidate.model == "motion":
        return 0.5, 60.0 / candidate.numbers[0]
    return (0.12,)


def _moved(candidate: Candidate, place: int, step: float) -> Candidate:
    numbers = list(candidate.numbers)
    numbers[place] += step
    if candidate.model == "motion":
        numbers[1] %= 180.0
    return Candidate(candidate.model, tuple(round(n, 4) for n in numbers))


def _climb(
    seen: Periodogram, best: Candidate, tried: dict[Candidate, float], longest: float
) -> None:
    """Steps to likelier numbers, halved four times, added to what has been ``tried``."""
    steps = _steps(best)
    for halving in range(4):
        moving = True
        while moving:
            near = [
                _moved(best, place, sign * step / 2**halving)
                for place, step in enumerate(steps)
                for sign in (1, -1)
            ]
            for each in near:
                if each not in tried and SMALL < each.numbers[0] <= longest:
                    tried[each] = seen.log_likelihood(each.kernel)
            found = max((c for c in [best, *near] if c in tried), key=tried.__getitem__)
            moving, best = found != best, found


def _deviation(best: Candidate, tried: dict[Candidate, float]) -> Tensor:
    """The deviation of each pixel of the kernel, of all that were tried, as likely as they are."""
    weights = {c: math.exp(TRUST * (value - tried[best])) for c, value in tried.items()}
    shape = best.kernel.shape
    mean, square = torch.zeros(2, *shape, dtype=torch.float64)
    for candidate, weight in weights.items():
        if weight > 1e-3:
            kernel = _fitted(candidate.kernel, shape)
            mean, square = mean + weight * kernel, square + weight * kernel**2
    total = sum(weight for weight in weights.values() if weight > 1e-3)
    return (square / total - (mean / total) ** 2).clamp_min(0).sqrt()


def _reached(best: Candidate, errors: tuple[float, ...]) -> tuple[int, int]:
    """The size of a picture of all kernels that may be drawn."""
    ends = [(n, n - REACH * e, n + REACH * e) for n, e in zip(best.numbers, errors, strict=True)]
    shapes = [
        Candidate(best.model, numbers).kernel.shape
        for numbers in product(*ends)
        if numbers[0] >= SMALL
    ]
    return max(shape[0] for shape in shapes), max(shape[1] for shape in shapes)


def _fitted(kernel: Tensor, shape: Sequence[int]) -> Tensor:
    """An odd kernel cut or padded about its centre to an odd ``shape``."""
    pads = [(new - old) // 2 for old, new in zip(kernel.shape, shape, strict=True)]
    return torch.nn.functional.pad(kernel, (pads[1], pads[1], pads[0], pads[0]))


def _error(seen: Periodogram, best: Candidate, place: int, top: float) -> float:
    """The deviation of a number: how far it moves until the trusted likelihood falls by 1/2."""
    found = []
    for sign in (1, -1):
        step = _steps(best)[place] / 8
        for _ in range(8):
            value = seen.log_likelihood(_moved(best, place, sign * step).kernel)
            fall = TRUST * (top - value)
            if fall >= 0.5:
                break
            step *= 2
        found.append(step * math.sqrt(0.5 / max(fall, 0.5)))
    return sum(found) / 2
