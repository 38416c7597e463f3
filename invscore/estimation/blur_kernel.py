"""The kernel of a blurred picture, from the picture alone: motion, defocus or a Gaussian.

The power spectrum of photographs is smooth and falls as a power of the frequency; that of a blurred
one has the kernel's zeros and slopes besides. Kernels of three families are compared by how likely
they make the periodogram of the windowed picture (Whittle's likelihood, the window's leakage
accounted for as in Sykulski et al. 2019), the photograph's spectrum being fitted for each:
amplitude, exponent, how these differ between directions, and the noise where it is not known.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Literal

import torch
from torch import Tensor
from torch.fft import fft2, fftfreq, irfft2, rfft2

from invscore.operators.kernels import disk_kernel, gaussian_kernel, gaussian_size, motion_kernel

Model = Literal["motion", "defocus", "gaussian"]
MODELS: tuple[Model, ...] = ("motion", "defocus", "gaussian")
UNITS = {
    "motion": (("length", "pixels"), ("angle", "degrees")),
    "defocus": (("radius", "pixels"),),
    "gaussian": (("sigma", "pixels"),),
}
FIRST, LAST = {"motion": 3.0, "defocus": 1.0, "gaussian": 0.6}, 26.0
"""Sizes that are tried: lengths, radii and deviations in pixels from the first, and the longest
motion; disks reach a third of it and Gaussians a sixth."""

LOWEST = 2.5
"""Periods in the picture: below, the window leaks what is constant."""

TRUST = 0.1
"""Of Whittle's likelihood: neighbouring frequencies of photographs are not independent."""

DECIDED = 3.0
"""Nats, so trusted, by which a kernel must explain more than none."""

SPREAD = 0.5
"""Of the kernel's norm: that of its deviation, beyond which it is not told."""

PATTERN = -0.66
"""Of the mean logarithm of the periodogram over its expectation, which is -0.577 of a field: where
lines of a spectrum stand out of it, the fit is below, and a pattern is taken for a kernel."""

SMALLEST = 32
"""Pixels a side that a picture must have."""

SMALL = 0.5
"""Pixels below which no kernel is tried."""

REACH = 3.0
"""Deviations up to which kernels are drawn."""

ITERATIONS, HALVINGS = 40, 8
"""Of the fit, and of a step that would make it worse."""

SLIGHT, FAR, REMEMBERED = 1e-2, 3.0, 2**15
"""Nats that the last iteration promises; times what one promises, twice what a parabola gains,
that are out of reach; pixels of pictures for which it is remembered what kernels leave of them."""

START = (-6.0, -2.7, 0.0, 0.0, 0.0, 0.0)
PRECISION = (0.0, 30.0, 20.0, 20.0, 20.0, 20.0)
"""Of a photograph's spectrum: log amplitude, exponent, and waves of two and four periods a turn."""


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


class Periodogram:
    """The power of a picture (c, h, w) under a window, and how likely a kernel makes it.

    ``noise``: its standard deviation in the picture, or None where it is fitted too.
    """

    def __init__(self, picture: Tensor, noise: float | None = None) -> None:
        image = picture.detach().cpu().double().mean(dim=0)
        self.shape = (image.shape[0], image.shape[1])
        taper, _, used, self._basis = _frequencies(self.shape)
        mean = (taper * image).sum() / taper.sum()
        power = fft2(taper * (image - mean), norm="ortho").abs() ** 2
        self._power = power[used]
        self._channels = len(picture)
        self._known = None if noise is None else max(noise**2 / self._channels, 1e-12)
        lowest = float(self._power.quantile(0.1))
        self._theta = torch.tensor(START, dtype=torch.float64)
        self._theta[0] += self._power.mean().clamp_min(1e-30).log()
        self._level = math.log(self._known or max(lowest, 1e-12))
        self.mean_log_ratio = math.nan  # of the periodogram to what the last kernel expects

    @property
    def noise(self) -> float:
        """The standard deviation of the noise, that of the last kernel where it is fitted."""
        return math.exp(self._level / 2) * self._channels**0.5

    def log_likelihood(self, kernel: Tensor, least: float = -math.inf) -> float:
        """Of the periodogram, in nats, under the best spectrum; less if it is not ``least``."""
        passed, basis, power = self._passed(kernel), self._basis, self._power
        centre = torch.tensor((float(self._theta[0]), *START[1:]), dtype=torch.float64)
        precision = torch.tensor(PRECISION, dtype=torch.float64)
        theta, level = self._theta, self._level

        def expected(theta: Tensor, level: float) -> tuple[Tensor, Tensor, float]:
            """The power of what is clean, of all, and how likely the periodogram is."""
            clean = passed * (theta @ basis).clamp(-60, 60).exp()
            total = clean + math.exp(level)
            away = 0.5 * float((precision * (theta - centre) ** 2).sum())
            return clean, total, -float((total.log() + power / total).sum()) - away

        clean, total, value = expected(theta, level)
        for _ in range(ITERATIONS):  # Fisher's scoring
            design = basis * (clean / total)
            slope = design @ (power / total - 1) - precision * (theta - centre)
            fisher = design @ design.T + torch.diag(precision)
            if self._known is None:
                own = math.exp(level) / total
                across = design @ own
                slope = torch.cat([slope, (own * (power / total - 1)).sum()[None]])
                fisher = torch.cat([fisher, across[:, None]], dim=1)
                fisher = torch.cat([fisher, torch.cat([across, own.square().sum()[None]])[None]])
            step = torch.linalg.solve(fisher + 1e-6 * torch.eye(len(fisher)).double(), slope)
            promised, length = float(slope @ step), float(step.abs().max())
            if length <= 1 and value + FAR * promised < least:
                break
            step, before = step / max(length, 1.0), value
            for _ in range(HALVINGS):  # until it leads upwards
                at = theta + step[:6]
                noise = level + (float(step[6]) if self._known is None else 0.0)
                clean, total, value = expected(at, noise)
                if value >= before:
                    break
                step = step / 2
            theta, level = at, noise
            if promised < SLIGHT:
                break
        self._theta, self._level = theta, level
        self.mean_log_ratio = float((power / total).clamp_min(1e-30).log().mean())
        return value

    def _passed(self, kernel: Tensor) -> Tensor:
        """What a kernel leaves of the power of each frequency, the window's leakage included."""
        kernel = kernel.double().contiguous()
        if math.prod(self.shape) > REMEMBERED:
            return _passed(kernel, self.shape)
        return _remembered(kernel.numpy().tobytes(), tuple(kernel.shape), self.shape)


@lru_cache(maxsize=1)
def _frequencies(shape: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of pictures of a shape: the window, what it leaks, and which frequencies are looked at.

    And the logarithm of a photograph's power there as a sum, a summand a row.
    """
    height, width = shape
    taper = torch.outer(*(_half_wave(n) for n in shape))
    taper = taper / taper.square().mean().sqrt()
    leak = fft2(taper).abs() ** 2
    rows, columns = (fftfreq(n, dtype=torch.float64) for n in shape)
    down, across = torch.meshgrid(rows, columns, indexing="ij")
    radius, angle = torch.hypot(down, across), torch.atan2(down, across)
    half = (down > 0) | ((down == 0) & (across > 0))
    used = half & (torch.hypot(down * height, across * width) >= LOWEST) & (radius <= 0.5)
    waves = [f(n * angle) for n in (2, 4) for f in (torch.cos, torch.sin)]
    summands = [torch.ones_like(radius), radius.clamp_min(1e-9).log(), *waves]
    return taper, rfft2(leak / leak.sum()), used, torch.stack([each[used] for each in summands])


@lru_cache(maxsize=16)
def _remembered(kernel: bytes, shape: tuple[int, int], picture: tuple[int, int]) -> Tensor:
    """The kernels of one measurement are those of the next, where there are many."""
    return _passed(torch.frombuffer(bytearray(kernel), dtype=torch.float64).reshape(shape), picture)


def _passed(kernel: Tensor, picture: tuple[int, int]) -> Tensor:
    (kh, kw), (height, width) = kernel.shape, picture
    padded = torch.nn.functional.pad(kernel, (0, width - kw, 0, height - kh))
    _, leak, used, _ = _frequencies(picture)
    power = rfft2(fft2(padded).abs() ** 2)
    return irfft2(power * leak, s=picture)[used].clamp_min(1e-12)


def estimate_kernel(
    picture: Tensor, noise: float | None = None, models: Sequence[Model] = MODELS
) -> KernelEstimate:
    """The kernel that has blurred a ``picture``, (c, h, w), alike in all channels.

    Of straight motions up to 26 pixels long, disks up to 8.7 and Gaussians up to 4.3 pixels: those
    of ``models``. ``noise``: the standard deviation of white noise, fitted where it is None. Raises
    ``ValueError`` where no blur explains the picture better than none, where several kernels that
    differ explain it as well, for regular patterns, and for pictures that are too small.

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
    for start in [max((c for c in tried if c.model == m), key=tried.__getitem__) for m in models]:
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
    """How far numbers move at first: half of the grid."""
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


def _half_wave(size: int) -> Tensor:
    return torch.sin(math.pi * (torch.arange(size, dtype=torch.float64) + 0.5) / size)
