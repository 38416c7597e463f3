"""The noise level of a measurement that nobody declared, estimated from the measurement.

The rule, by what is measured:

- k-space of real images: opposed frequencies are complex conjugates, so that their difference is
  noise alone, wherever both are measured.
- k-space of complex images: the frequencies where an image has least (``noise_of_kspace``).
- Pictures (blurred, small, or noisy alone), and what measures an image entry by entry (masks,
  orthonormal mixtures): Stein's identity (``stein``). What is missing is filled by a short
  reconstruction and noise of that level.
- Where pixels are missing: the geometric mean of that, which is rather too small, and of what the
  flattest pixels have (``flattest``), which is rather too large.
- Blurs: the geometric mean of Stein's and of the power at frequencies that the blur and the falling
  spectrum of images leave nothing of.
- Without a prior, and for smooth data such as sinograms: the median of finest diagonal differences
  (Donoho & Johnstone 1994), which texture makes too large.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from invscore.batches import Numbers, as_tensor
from invscore.estimation.finest_differences import finest_level
from invscore.estimation.flattest_regions import flattest_level
from invscore.estimation.noise_of_kspace import level_of_kspace
from invscore.estimation.offset import above_zero
from invscore.estimation.scale import estimate_scale, factor_of_peak
from invscore.estimation.stein import stein_level
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods import get_method
from invscore.operators import (
    MRI,
    Blur,
    Identity,
    Inpainting,
    LinearOperator,
    Operator,
    Slicewise,
    SuperResolution,
)
from invscore.operators.convolution import transfer_function
from invscore.options.argument_checks import require_type
from invscore.priors.base import Prior
from invscore.priors.volume import VolumePrior
from invscore.rng import sample_rng

FEWEST = 64
"""Least number of measurements for an estimate."""

PAIRS = 32
"""Least number of opposed frequencies of k-space for an estimate from them."""

BAND = 0.1
"""Share of the frequencies, those with the least expected signal, that are taken for empty."""

NEAR = 0.06
"""Relative precision to which a declared level is checked."""
DOUBTED = 1.1
"""Standard errors by which Stein's identity must leave a declared level for it to be looked into;
what it then comes to is told only beyond ``misfit.LEAST`` and ``misfit.MOST``."""

FILL_STEPS, FILLS = 10, 2
"""Reconstructions that fill what is missing: ``FILLS`` of them, of ``FILL_STEPS`` steps each."""

SLICES = (0.25, 0.5, 0.75)
"""Relative depths of the slices of a volume over which the median level is taken."""

TRUSTED, TRUSTED_IN_BAND = 10.0, 5.0
"""Largest ratio of the level that texture (``TRUSTED``) or an empty band (``TRUSTED_IN_BAND``)
allows to that which the prior finds, up to which the prior is believed."""

CLOSE, FAR = 1.5, 2.5
"""Ratios of the level of the flattest pixels to that of Stein's identity: up to ``CLOSE`` the
former counts in full, from ``FAR`` on not at all, for then no place is flat."""

CHANCE = 1.09
"""Relative error by chance of the flattest pixels' level: 1 + 1 / sqrt(2 x 64)."""

PLAIN = 1.15 * CHANCE**2
"""Ratio of the ends of the estimate's range up to which the range is not told."""

REFUSED = (ValueError, RuntimeError)
"""What priors raise for images of another shape than theirs; those of users, what torch does."""

DARK = 1e-30
"""The level of a measurement that is zero."""

ADVICE = "give the noise level (--noise), its standard deviation in units of the measurement"


@torch.no_grad()
def estimate_noise(operator: Operator, y: Numbers, prior: Prior | None = None) -> Tensor:
    """The standard deviation of white Gaussian noise in ``y``, (b, \\*out_shape): (b,).

    Complex measurements have it in their real and in their imaginary parts. ``prior`` knows the
    images that were measured; without one, only smooth or strongly blurred ones are served well.
    Costs up to 12 evaluations of the denoiser, 44 where something is missing. Poisson noise has no
    level of its own: its strength is a matter of the photons, which are to be declared.

    Raises ``ValueError`` where no estimate can be had: for a nonlinear operator, for fewer than 64
    measured numbers, or for measurements that are neither pictures nor entries of an image.

        >>> import torch
        >>> from invscore import GaussianNoise, estimate_noise, simulate
        >>> from invscore.operators import Identity
        >>> operator = Identity((1, 64, 64))
        >>> y = simulate(operator, torch.full((1, 1, 64, 64), 0.5), GaussianNoise(0.1), 0)
        >>> round(estimate_noise(operator, y).item(), 2)
        0.1
    """
    return estimate_noise_range(operator, y, prior).level


class NoiseRange(NamedTuple):
    """The noise of measurements and what it may be, ``low`` to ``high``: (b,) each."""

    level: Tensor
    low: Tensor
    high: Tensor

    def __str__(self) -> str:
        """The level and its range, of one measurement."""
        level, low, high = (float(each) for each in self)
        told = f"noise {level:.3g}, estimated from the measurement"
        if high <= PLAIN * low:
            return told
        return (
            f"{told}; with pixels missing it may be {low:.2g} to {high:.2g}: give --noise where it "
            "is known"
        )


@torch.no_grad()
def estimate_noise_range(operator: Operator, y: Numbers, prior: Prior | None = None) -> NoiseRange:
    """The noise, and what else it may be where pixels of a picture are missing.

    From what Stein's identity finds, or what the noise would be if the picture is flat nowhere, the
    lesser, to what the flattest pixels have, the larger of both, and for chance a little beyond; at
    both ends the level, where one estimate is all there is.
    """
    require_type("operator", operator, Operator)
    if not isinstance(operator, LinearOperator):
        raise ValueError(
            "the noise cannot be estimated from the measurement of a nonlinear operator, got "
            f"{type(operator).__name__}: {ADVICE}"
        )
    y = as_tensor("y", y)
    problem = InverseProblem(operator, y, GaussianNoise(1.0))
    if problem.count < FEWEST:
        raise ValueError(
            f"the noise can be estimated from {FEWEST} measured numbers or more, got "
            f"{problem.count}: {ADVICE}"
        )
    problem = above_zero(problem)
    if isinstance(operator, Slicewise):
        slices = _some_slices(operator, problem.y)
        each = estimate_noise_range(operator.operator, slices.flatten(0, 1), _of_slices(prior))
        return NoiseRange(*(e.reshape(slices.shape[:2]).quantile(0.5, dim=1) for e in each))
    found = [_of_one(operator, image[None], prior) for image in problem.y]
    smallest = torch.finfo(y.dtype).eps * problem.y.abs().flatten(1).amax(dim=1).cpu().double()
    smallest = torch.where(smallest > 0, smallest, DARK)
    levels = torch.tensor(found, dtype=torch.float64).T.maximum(smallest)
    return NoiseRange(*levels)


@torch.no_grad()
def noise_seen(problem: InverseProblem, prior: Prior, samples: Tensor) -> Tensor | None:
    """The noise that the prior sees in y, over that which is declared, of each image: (b,).

    ``samples`` (n, b, \\*in_shape) fill what is missing. The estimate begins at the declared level
    and ends there, after two evaluations of the denoiser, where that is right. For pictures that
    are noisy, or small and noisy, and for masks; for k-space of real images by opposed frequencies,
    without the prior. None for all others, for fewer than 64 numbers, for other noise, and for
    levels that the prior does not know.
    """
    operator, noise = problem.operator, problem.noise
    if isinstance(operator, MRI) and isinstance(noise, GaussianNoise):
        return _seen_in_kspace(operator, problem.y, noise)
    if problem.count < FEWEST:
        return None
    known = isinstance(operator, Identity | SuperResolution | Inpainting)
    if not (known and isinstance(operator, LinearOperator) and isinstance(noise, GaussianNoise)):
        return None
    levels = noise.level(problem.y).flatten().expand(len(problem.y)).tolist()
    if min(levels) < prior.sigma_min or max(levels) > min(prior.unit, prior.sigma_max):
        return None
    mask = isinstance(operator, Inpainting)
    seen = operator if mask else Identity(problem.y.shape[1:])
    if mask and not _selects(operator):
        return None
    try:
        found = [
            stein_level(seen, y[None], prior, level, fill[None] if mask else None, NEAR, DOUBTED)
            / level
            for y, level, fill in zip(problem.y, levels, samples[0], strict=True)
        ]
    except REFUSED:
        return None
    return torch.tensor(found, dtype=torch.float64)


def _seen_in_kspace(operator: MRI, y: Tensor, noise: GaussianNoise) -> Tensor | None:
    levels = noise.level(y).flatten()
    if operator.in_complex or operator.measured is None or len(levels) not in (1, len(y)):
        return None
    found = [_opposed(operator, each[None]) for each in y]
    if None in found:
        return None
    return torch.tensor(found, dtype=torch.float64) / levels.cpu().double()


def _some_slices(operator: Slicewise, y: Tensor) -> Tensor:
    """Measurements of slices from the inner half of volumes: (b, n, \\*out_shape of a slice)."""
    inner = len(operator.operator.out_shape) == 3
    depth = operator.depth
    places = sorted({round(share * (depth - 1)) for share in SLICES})
    return (y.movedim(2, 1) if inner else y)[:, places]


def _of_slices(prior: Prior | None) -> Prior | None:
    return prior.prior if isinstance(prior, VolumePrior) else prior


def _of_one(operator: LinearOperator, y: Tensor, prior: Prior | None) -> tuple[float, float, float]:
    """The level, and the ends of what it may be."""
    picture = operator.view == "image" and not y.is_complex() and y.ndim == 4
    mask = operator.measured
    holes = mask is not None and not bool(mask.all()) and operator.in_shape == y.shape[1:]
    if picture and holes and _selects(operator):
        return _of_holes(operator, y, prior)
    level = _as_one(operator, y, prior)
    return level, level, level


def _of_holes(
    operator: LinearOperator, y: Tensor, prior: Prior | None
) -> tuple[float, float, float]:
    """The level of a picture with pixels missing, and the ends of what it may be.

    A mean of what Stein's identity finds and what the flattest pixels have: these count by half of
    the share that is missing, and less where they may not be flat.
    """
    assert operator.measured is not None
    level = _as_one(operator, y, prior)
    flattest = flattest_level(y[0], operator.measured)
    if flattest is None:
        return level, level, level
    least, most = flattest
    missing = 1 - float(operator.measured.float().mean())
    texture = min(1.0, least / level) ** min(1.0, 2 * missing)
    low, high = texture * level / CHANCE, max(level, most) * CHANCE
    if level >= most:
        return most, min(low, most), high
    trust = math.log(FAR / (most / level)) / math.log(FAR / CLOSE)
    weight = min(0.5, missing) * min(1.0, max(0.0, trust)) * math.sqrt(least / most)
    return level ** (1 - weight) * most**weight, low, high


def _as_one(operator: LinearOperator, y: Tensor, prior: Prior | None) -> float:
    if isinstance(operator, MRI) and not operator.in_complex:
        level = _opposed(operator, y)
        if level is not None:
            return level
    if isinstance(operator, MRI) and operator.measured is not None:
        level = level_of_kspace(operator.measured, y, operator.dimensions)
        if level is not None:
            return level
    picture = operator.view == "image" and not y.is_complex() and y.ndim == 4
    whole = operator.measured is None or bool(operator.measured.all())
    if picture and whole:
        return _of_picture(operator, y, prior)
    if prior is not None and (_selects(operator) or (picture and operator.in_shape == y.shape[1:])):
        return _of_entries(operator, y, prior)
    if y.ndim == 4 and not y.is_complex() and whole and min(y.shape[-2:]) > 1:
        return finest_level(y)
    raise ValueError(
        "the noise can be estimated from pictures, or from entries of an image and a prior, got a "
        f"measurement of {type(operator).__name__}: {ADVICE}"
    )


def _opposed(operator: MRI, y: Tensor) -> float | None:
    """Level from differences of opposed frequencies; None where there are too few."""
    axes, sizes = tuple(range(-operator.dimensions, 0)), y.shape[-operator.dimensions :]
    shift = tuple(1 - size % 2 for size in sizes)

    def opposed(k: Tensor) -> Tensor:
        return k.flip(axes).roll(shift, dims=axes)

    mask = operator.measured.to(y.device)
    index = torch.arange(math.prod(sizes), device=y.device).reshape(sizes)
    both = mask & opposed(mask) & (index != opposed(index))
    if int(both.sum()) < 2 * PAIRS:
        return None
    difference = (y - opposed(y).conj())[:, both]
    return float(difference.abs().square().mean() / 4) ** 0.5


def _of_picture(operator: LinearOperator, y: Tensor, prior: Prior | None) -> float:
    """Level of a picture, all of whose pixels are measured."""
    empty = _empty_band(operator, y) if isinstance(operator, Blur) else None
    start = finest_level(y) if min(y.shape[-2:]) > 1 else float(y.std())
    if prior is not None and start > 0:
        size = float(torch.quantile(y.abs().flatten()[:: max(1, y.numel() // 2**20)], 0.999))
        unit = _unit(size, prior)
        try:
            found = unit * stein_level(Identity(y.shape[1:]), y / unit, prior, start / unit)
        except REFUSED:
            found = None
        if found is not None:
            # Differences and empty bands are too large at most; far below, the prior is not right.
            most = start if empty is None else min(start, empty)
            trusted = TRUSTED if empty is None else TRUSTED_IN_BAND
            found = min(max(found, most / trusted), 1.1 * most)
            return found if empty is None else (found * empty) ** 0.5
    return start if empty is None else min(start, empty)


def _of_entries(operator: LinearOperator, y: Tensor, prior: Prior) -> float:
    """Level from the measured entries of an image, others being missing."""
    selection = operator if _selects(operator) else _Mask(operator)
    size = float(y.abs().square().sum() / InverseProblem(operator, y, GaussianNoise(1.0)).count)
    level = 0.1 * size**0.5  # of y's rms: where to begin
    unit = float(estimate_scale(InverseProblem(operator, y, GaussianNoise(level)), prior)[0])
    y, level = y / unit, level / unit
    level = max(min(level, 0.05), prior.sigma_min)
    for fill in range(FILLS):
        rng = sample_rng(fill, 1, "noise level", y.device)
        problem = InverseProblem(operator, y, GaussianNoise(level))
        *_, last = get_method("matched_spectrum").run(problem, prior, rng, steps=FILL_STEPS)
        level = stein_level(selection, y, prior, level, last.x)
    return unit * level


class _Mask(LinearOperator):
    """The measured entries of an operator of the image's shape: a soft mask without weights."""

    def __init__(self, operator: LinearOperator) -> None:
        self.in_shape, self.out_shape = operator.in_shape, operator.out_shape
        mask = operator.measured
        assert mask is not None
        self.measured = self._mask = mask

    def matvec(self, x: Tensor) -> Tensor:
        return x * self._mask.to(x)

    def rmatvec(self, y: Tensor) -> Tensor:
        return y * self._mask.to(y)


def _selects(operator: LinearOperator) -> bool:
    """Whether singular values are 0 and 1: ``A A^H`` leaves what is measured as it is."""
    if operator.in_complex != operator.out_complex:
        return False
    dtype = torch.complex64 if operator.out_complex else torch.float32
    u = torch.randn(1, *operator.out_shape, dtype=dtype, generator=torch.Generator().manual_seed(0))
    mask = operator.measured
    u = u if mask is None else u.to(mask.device) * mask
    again = operator.matvec(operator.rmatvec(u))
    return bool((again - u).abs().max() < 1e-3 * u.abs().max())


def _empty_band(blur: Blur, y: Tensor) -> float:
    """The level from frequencies of ``y`` at which a blur leaves the least of an image's spectrum.

    The border is faded out, so that what does not continue periodically does not leak into them.
    """
    height, width = y.shape[-2:]
    fades = (torch.hann_window(n + 2, periodic=False, dtype=y.dtype)[1:-1] for n in (height, width))
    rows, columns = fades
    window = (rows[:, None] * columns).to(y.device)
    window = window / window.square().mean().sqrt()
    spectrum = torch.fft.rfft2((y - y.mean(dim=(-2, -1), keepdim=True)) * window, norm="ortho")
    power = spectrum.abs().square().mean(dim=(0, 1)).cpu().flatten()
    along = torch.fft.fftfreq(height, dtype=torch.float64)[:, None]
    across = torch.arange(width // 2 + 1, dtype=torch.float64) / width
    radius = torch.hypot(along, across).clamp_min(1 / max(height, width))
    passed = _transfer(blur, (height, width)).abs() ** 2
    order = (passed * radius**-3).flatten().argsort()
    return float(power[order[: max(8, int(BAND * len(order)))]].mean()) ** 0.5


def _transfer(blur: Blur, grid: tuple[int, int]) -> Tensor:
    """The transfer function on a ``grid``, of a kernel cut to it."""
    kernel = blur.kernel[: grid[0], : grid[1]]
    return transfer_function(kernel, grid)


def _unit(peak: float, prior: Prior) -> float:
    """The factor between a picture of that ``peak`` and the prior's units."""
    if prior.peak is None or not peak > 0:
        return 1.0
    return float(factor_of_peak(torch.tensor(peak / prior.peak, dtype=torch.float64)))
