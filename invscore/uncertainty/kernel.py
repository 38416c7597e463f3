"""Whether a blurred picture tells of another kernel than its operator has.

A kernel that is declared too narrow is explained by a softer image, and leaves no mark on the
residual. It leaves one on the measurement: the spectrum of what a prior knows is a smooth, falling
one, so that the slope and the zeros that are left belong to the kernel. The declared kernel is
compared with the same one made larger, smaller and turned, by how likely each makes the periodogram
of y (``invscore.estimation.periodogram``). Where another explains y better by more than pictures
differ among themselves, a few draws of the prior, measured as declared, say whether its own
images would.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter

import torch
from torch import Tensor

from invscore.estimation.blur_kernel import SMALLEST
from invscore.estimation.periodogram import Periodogram
from invscore.likelihood import GaussianNoise, InverseProblem, simulate
from invscore.operators import Blur
from invscore.operators.kernels import mapped_kernel
from invscore.priors.base import Prior
from invscore.sampling import NotFiniteError, sample

SIZES = (0.6, 0.7, 0.8, 1.2, 1.33, 1.5, 1.75, 2.0)
ANGLES = (-75.0, -60.0, -45.0, -30.0, -15.0, 15.0, 30.0, 45.0, 60.0, 75.0)
ACROSS = 90.0
"""Angle in degrees by which a kernel is turned as a whole, its axes exchanged."""

ROUND = 1.2
"""Largest ratio of a kernel's length to its width for which turning it changes little."""

LONG, LONGEST = 2.0, 1.5
"""Least ratio of length to width of a kernel that counts as motion, and the largest ratio by which
another motion may be longer."""

WIDER, NARROWER, MOVED = 0.2, 0.6, 1.0
"""Gain in log-likelihood, in nats for each pixel along a side, that another kernel must have: a
wider one, a narrower one, and another motion, since scenes have lines of their own."""

ASIDE = 0.4
"""Share of that gain below which another kernel is neither told nor compared on draws of the
prior."""

SHARPER = 2.0
"""Gain in log-likelihood, in nats for each pixel along a side, of a narrower kernel over more noise
from which on a picture is sharper than declared: of noise it is below 0, of sharp ones above 15."""

SOFTER = 0.9
"""Least standard deviation in pixels of the blur that a wider kernel adds: scenes themselves are
that soft."""

FAINT = 0.04
"""Level of the noise that is added to a picture, relative to its standard deviation, below which no
photograph has a power-law spectrum."""

LARGEST = 128
"""Side in pixels of the part that is looked at."""

LARGE, EMPTY = 48, 1e-4
"""Side in pixels from which a kernel is looked at without its borders, and the largest share of its
weight that they may have."""

DRAWS, STEPS, DRAWN = 3, 8, 64
"""Draws of the prior for comparison, the steps of each, and their side in pixels."""


@dataclass(frozen=True)
class OtherKernel:
    """The likeliest kernel made ``size`` times as large, or long, or turned by ``angle`` degrees.

    ``gain`` is its log likelihood over that of the declared kernel, in units of what is told: there
    is another kernel where it is more than 1.
    """

    size: float = 1.0
    angle: float = 0.0
    gain: float = 0.0


def kernel_warnings(
    problem: InverseProblem, prior: Prior, *, turned: bool = False
) -> tuple[str, ...]:
    """A sentence where the measurement of a blur tells of a kernel that is not the declared one.

    Of ``Blur`` and Gaussian noise; pictures of fewer than 32 pixels a side tell nothing.
    ``turned``: only of one that lies otherwise, for which no other noise or border can be taken.

    After the example of ``invscore.uncertainty``:

    >>> from invscore.uncertainty import kernel_warnings
    >>> kernel_warnings(problem, prior)
    ()
    """
    if (told := _told(problem)) is None:
        return ()
    blur, kernel, levels = told
    found = [likelier(y, kernel, level) for y, level in zip(problem.y, levels, strict=True)]
    worst = max(range(len(found)), key=lambda image: found[image].gain)
    other = found[worst]
    if other.gain <= 1 or (turned and not other.angle):
        return ()
    if _of_the_prior(blur, levels[worst], other, prior):
        return ()
    return (_sentence(other),)


def sharper_warnings(problem: InverseProblem) -> tuple[str, ...]:
    """A sentence where a picture has detail that its kernel would have removed.

    More noise than declared is a whole explanation of what there is at the highest frequencies
    where it is white. Detail is not: there, a narrower kernel explains the spectrum better.

    After the example of ``invscore.uncertainty``:

    >>> from invscore.uncertainty import sharper_warnings
    >>> sharper_warnings(problem)
    ()
    """
    if (told := _told(problem)) is None:
        return ()
    _, kernel, levels = told
    if not any(_is_sharper(y, kernel, level) for y, level in zip(problem.y, levels, strict=True)):
        return ()
    return (
        "the measurement has detail that its kernel would have removed, which no white noise "
        "explains: it was blurred less than declared, or not at all, or its noise is not white",
    )


def _told(problem: InverseProblem) -> tuple[Blur, Tensor, list[float]] | None:
    """The blur, its kernel without empty borders, and the levels of pictures whose spectra tell of
    it, or None."""
    blur, noise = problem.operator, problem.noise
    if not isinstance(blur, Blur) or not isinstance(noise, GaussianNoise) or problem.y.ndim != 4:
        return None
    smallest = min(problem.y.shape[-2:])
    if smallest < max(SMALLEST, min(blur.kernel.shape)) or problem.y.is_complex():
        return None
    levels = noise.level(problem.y).flatten().expand(len(problem.y)).tolist()
    return blur, _middle(blur.kernel.cpu()), levels


def _is_sharper(y: Tensor, kernel: Tensor, level: float) -> bool:
    """Whether a narrower kernel explains ``y``, (c, h, w), better than any level of white noise."""
    picture, total = _part(y, level)
    if not _fits(kernel, picture):
        return False
    seen = Periodogram(picture, total)
    narrower = (other for size, angle, other in others(kernel.double()) if size < 1 and not angle)
    sharp = max(map(seen.log_likelihood, (*narrower, torch.ones(1, 1, dtype=torch.float64))))
    noisy = Periodogram(picture).log_likelihood(kernel)
    return sharp - noisy > SHARPER * math.sqrt(math.prod(picture.shape[-2:]))


def likelier(y: Tensor, kernel: Tensor, level: float) -> OtherKernel:
    """The kernel that explains the picture ``y``, (c, h, w), of those like it."""
    y, total = _part(y, level)
    little_but_noise = not _deviation(y) > 2 * level
    if little_but_noise or not _fits(kernel, y):
        return OtherKernel()
    seen = Periodogram(y, total)
    declared = seen.log_likelihood(kernel)
    side = math.sqrt(math.prod(y.shape[-2:]))
    kernel = kernel.double().contiguous()
    line, alternatives = _remembered(kernel.numpy().tobytes(), tuple(kernel.shape))
    found = [(0.0, OtherKernel())]
    for size, angle, other in alternatives:
        if not _fits(other, y):
            continue
        wanted = NARROWER if size < 1 else MOVED if line else WIDER
        least = declared + ASIDE * wanted * side
        gain = seen.log_likelihood(other, least) - declared
        found.append((gain, OtherKernel(size, angle, gain / (wanted * side))))
    told = [each for each in found if each[1].gain > 1]
    return max(told or found, key=itemgetter(0))[1]


def others(kernel: Tensor) -> Iterator[tuple[float, float, Tensor]]:
    """Sizes, angles, and the kernels that differ by them from ``kernel``.

    One that is more than twice as long as wide, a motion, is made longer and shorter alone; all
    that are not round are turned as by rows that are taken for columns.
    """
    narrow, wide, axis = _axes(kernel)
    line = _is_line(kernel)
    for size in SIZES:
        if line and size > LONGEST:
            continue
        if size < 1 or wide * (size**2 - 1) ** 0.5 >= SOFTER:
            turn = _rotation(axis)
            scaled = torch.diag(kernel.new_tensor([size, 1.0 if line else size]))
            yield size, 0.0, mapped_kernel(kernel, turn @ scaled @ turn.T)
    if wide > ROUND * narrow:
        yield 1.0, ACROSS, kernel.rot90().contiguous()
    if line:
        for angle in ANGLES:
            yield 1.0, angle, mapped_kernel(kernel, _rotation(math.radians(angle)))


@lru_cache(maxsize=4)
def _remembered(
    kernel: bytes, shape: tuple[int, int]
) -> tuple[bool, list[tuple[float, float, Tensor]]]:
    """Whether a float64 kernel is a line, and ``others``: of many measurements it is the same."""
    found = torch.frombuffer(bytearray(kernel), dtype=torch.float64).reshape(shape)
    return _is_line(found), list(others(found))


def _part(y: Tensor, level: float) -> tuple[Tensor, float]:
    """The middle of a picture, float64, with no less noise than photographs need, and its level."""
    top, left = (max(0, (length - LARGEST) // 2) for length in y.shape[-2:])
    y = y[..., top : top + LARGEST, left : left + LARGEST].cpu().double()
    total = max(level, FAINT * _deviation(y))
    added = (total**2 - level**2) ** 0.5
    return (y + added * _grain(y.shape) if added else y), total


def _deviation(y: Tensor) -> float:
    return float((y - y.mean(dim=(1, 2), keepdim=True)).square().mean()) ** 0.5


def _fits(kernel: Tensor, picture: Tensor) -> bool:
    return all(k <= n for k, n in zip(kernel.shape, picture.shape[-2:], strict=True))


def _middle(kernel: Tensor) -> Tensor:
    """A large kernel without its borders, of which nearly nothing is in files of point spreads."""
    weights = kernel.abs() / kernel.abs().sum()
    height, width = kernel.shape
    if max(height, width) <= LARGE:
        return kernel
    rows, columns = (torch.arange(n) - n // 2 for n in (height, width))
    reach = torch.maximum(rows.abs()[:, None], columns.abs()[None])
    beyond = [float(weights[reach > r].sum()) for r in range(max(height, width) // 2 + 1)]
    r = next(r for r, share in enumerate(beyond) if share <= EMPTY)
    top, left = max(0, height // 2 - r), max(0, width // 2 - r)
    return kernel[top : height // 2 + r + 1, left : width // 2 + r + 1].contiguous()


@lru_cache(maxsize=1)
def _grain(shape: torch.Size) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def _is_line(kernel: Tensor) -> bool:
    narrow, wide, _ = _axes(kernel)
    return wide > LONG * narrow


def _axes(kernel: Tensor) -> tuple[float, float, float]:
    """Deviations of a kernel across and along its longer axis, and that axis's angle upwards."""
    weights = kernel.abs() / kernel.abs().sum()
    rows, columns = (torch.arange(n, dtype=kernel.dtype) for n in kernel.shape)
    down, right = torch.meshgrid(rows, columns, indexing="ij")
    places = torch.stack([right, -down])
    places = places - (weights * places).sum(dim=(1, 2), keepdim=True)
    squares, vectors = torch.linalg.eigh(torch.einsum("hw,ahw,bhw->ab", weights, places, places))
    narrow, wide = squares.clamp_min(0).sqrt().tolist()
    return narrow, wide, math.atan2(float(vectors[1, 1]), float(vectors[0, 1]))


def _rotation(angle: float) -> Tensor:
    cos, sin = math.cos(angle), math.sin(angle)
    return torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64)


def _of_the_prior(blur: Blur, level: float, other: OtherKernel, prior: Prior) -> bool:
    """Whether images of the prior, measured as declared, tell of another kernel about as clearly.

    Of priors that can be drawn from: of any size or, where they have one size alone, of that.
    """
    wide = (DRAWN + length - 1 for length in blur.kernel_shape)
    small = (blur.in_shape[0], *map(min, blur.in_shape[1:], wide))
    for shape in dict.fromkeys((small, blur.in_shape)):
        try:
            drawn = sample(prior, shape, n=DRAWS, sampler="ddim", steps=STEPS).samples
        except (ValueError, RuntimeError, NotFiniteError):
            continue
        boundary = "valid" if shape == small and blur.boundary == "valid" else "circular"
        measured = Blur(blur.kernel, shape, boundary=boundary)
        y = simulate(measured, drawn, GaussianNoise(level), 0)
        gains = [likelier(each, blur.kernel, level).gain for each in y]
        return sorted(gains)[DRAWS // 2] > other.gain / 2
    return False


def _sentence(other: OtherKernel) -> str:
    if other.angle == ACROSS:
        as_if = "lay across, its rows and columns exchanged"
        also = "the scene has lines of its own in one direction"
    elif other.angle:
        as_if = f"were turned by about {other.angle:+.0f} degrees (counter-clockwise)"
        also = "the scene has lines of its own in one direction"
    else:
        as_if = f"were about {other.size:.2g} times as large as declared"
        also = "the scene itself is " + (
            "not sharp" if other.size > 1 else "finer than photographs"
        )
    return (
        f"the spectrum of the measurement is as if its kernel {as_if}: the kernel is another, or "
        f"{also}"
    )
