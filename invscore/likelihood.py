"""The inverse problem that an operator, a measurement and its noise make."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from invscore.batches import Numbers, PerImage, all_finite, as_tensor, ordinary, per_image
from invscore.hardware.doubles import widest
from invscore.noise import GaussianNoise, Noise, PoissonNoise
from invscore.noise.base import require_moments
from invscore.noise.gaussian import as_noise
from invscore.operators import LinearOperator, Operator
from invscore.operators.declared import fault_of_measurements, require_operator
from invscore.operators.mask_fit import mask_doubts
from invscore.rng import SampleRNG, sample_rng

__all__ = ["GaussianNoise", "InverseProblem", "Noise", "PoissonNoise", "simulate"]

ROUNDING = 8.0
"""Rounding error of ``A(x)``, in units of the floating-point precision times the rms of y."""
WRITTEN = 0.3
"""Rounding error of a y that was stored in lower precision than it is treated in, in units of that
precision."""
ROOM = (1e-12, 1e12)
"""Range of the rms of y whose squares, and those of noise far below it, single precision holds."""


@dataclass(frozen=True)
class InverseProblem:
    """A measurement ``y`` of unknown images x: (b, \\*out_shape) and (b, \\*in_shape).

    Where the operator has a mask ``measured``, entries of ``y`` outside it carry no information:
    they may hold anything, NaN included, are set to zero, and are not counted in likelihoods;
    ``doubts`` are sentences on what they tell of another mask (``operators.mask_fit``).

    ``y`` may be an array of NumPy, ``noise`` a number or one an image: the standard deviation of
    Gaussian noise. ``y`` is treated in single precision at least, half precision being what it was
    written in, and without gradients; in double precision where its rms is below 1e-12 or beyond
    1e12, as of fluxes in SI units, where squares of its noise would not fit, and the device has it.
    Gaussian noise below the rounding errors of ``A(x)``, 8 relative precisions of the rms of y
    (4e-7 of a bright image in single precision), or of y in half precision, is taken for them:
    ``noise`` is what counts, for noise 0 too.

    Raises ``TypeError`` for another kind of operator, measurement or noise, and
    ``ValueError`` when the shape of ``y`` does not fit the operator, when ``y`` is complex
    and the operator is not (or the reverse), when it is not of a floating-point type, when nothing
    is measured, when a measured entry is not finite, or when the noise cannot have produced ``y``.

        >>> import torch
        >>> from invscore import GaussianNoise, InverseProblem
        >>> from invscore.operators import Identity
        >>> y = torch.ones(1, 1, 2, 2)
        >>> problem = InverseProblem(Identity((1, 2, 2)), y, GaussianNoise(0.5))
        >>> problem.score(torch.zeros(1, 1, 2, 2)).unique()
        tensor([4.])
    """

    operator: Operator
    y: Tensor
    noise: Noise
    doubts: tuple[str, ...] = field(init=False, repr=False, compare=False, default=())

    def __post_init__(self) -> None:
        require_operator(self.operator)
        object.__setattr__(self, "y", as_tensor("y", self.y))
        object.__setattr__(self, "noise", as_noise(self.noise))
        expected, given = tuple(self.operator.out_shape), tuple(self.y.shape)
        if given[1:] != expected or len(given) != len(expected) + 1:
            raise ValueError(
                f"the measurement `y` must have shape (b, {', '.join(map(str, expected))}) "
                f"for the operator {type(self.operator).__name__}, got {given}"
            )
        if self.y.is_complex() != self.operator.out_complex:
            kind = "complex" if self.operator.out_complex else "real"
            raise ValueError(
                f"the measurement `y` must be {kind} for this operator, whose out_complex is "
                f"{self.operator.out_complex}, got {_named(self.y.dtype)}"
            )
        if not (self.y.is_complex() or self.y.is_floating_point()):
            raise ValueError(
                "the measurement `y` must be of a floating-point type, got "
                f"{_named(self.y.dtype)}: y.float() takes its numbers as they are"
            )
        written = torch.finfo(self.y.dtype).eps
        y = ordinary(self.y)
        y = y.to(torch.promote_types(y.dtype, torch.float32))
        mask = self.operator.measured
        if mask is not None:
            if not bool(mask.any()):
                raise ValueError("the operator must measure something, got a mask without any true")
            masked = torch.where(mask.to(y.device), y, 0)
            if not torch.equal(masked, y):  # which holds what tells of another mask
                object.__setattr__(self, "doubts", mask_doubts(y, mask))
            y = masked
        object.__setattr__(self, "y", y)
        if not all_finite(y):
            raise ValueError("the measurement `y` must be finite, got NaN or infinite values")
        self.noise.check(y)
        require_moments(self.noise, y)
        size = widest(self.measured(y).flatten(1).abs()).square().mean(dim=1).sqrt()
        if bool(((size > 0) & ((size < ROOM[0]) | (size > ROOM[1]))).any()):
            y = widest(y)
            object.__setattr__(self, "y", y)
        precision = torch.finfo(y.dtype).eps
        share = max(ROUNDING * precision, WRITTEN * written if written > precision else 0.0)
        floor = (share * torch.where(size > 0, size, 1.0)).to(y.real.dtype)
        object.__setattr__(self, "noise", self.noise.at_least(floor))

    @property
    def image_dtype(self) -> torch.dtype:
        """The dtype of the unknown images: that of ``y``, complex or real as the operator says."""
        real = self.y.real.dtype
        return real.to_complex() if self.operator.in_complex else real

    def residual(self, x: Tensor) -> Tensor:
        """``y - A(x)``."""
        return self.y - self.operator(x)

    def working_residual(self, clean: Tensor) -> Tensor:
        """The residual near ``clean`` that the noise sees: y - clean for most laws.

        That of the Gaussian measurement with ``noise.variance(clean)`` that is like y there
        (``Noise.working``), (b, \\*out_shape).
        """
        return self.noise.working(self.y, clean) - clean

    @property
    def count(self) -> int:
        """Number of measured real numbers of one image."""
        measured = self.operator.measured
        entries = math.prod(self.operator.out_shape) if measured is None else int(measured.sum())
        return 2 * entries if self.operator.out_complex else entries

    def discrepancy(self, x: Tensor) -> Tensor:
        """The rms of the residual in units of the noise, (b,): 1 on average at the true image.

        Over the measured numbers, real and imaginary parts apart. Poisson noise is taken at the
        level that ``A(x)`` implies (Pearson residuals), neighbours of few counts together.
        """
        return self.squares(x)[0].sqrt()

    def discrepancy_variance(self, x: Tensor) -> Tensor:
        """The variance of ``discrepancy(x)**2`` if x is the true image: (b,).

        2 / count for Gaussian noise, whose residuals have a chi-square law; more for others.
        """
        return self.squares(x)[1]

    def log_likelihood(self, x: Tensor) -> Tensor:
        """``log p(y | x)`` of the measured entries in nats, (b,)."""
        y, clean = self.measured(self.y).flatten(1), self.measured(self.operator(x)).flatten(1)
        return self._flat_noise.log_likelihood(y, clean)

    def score(self, x: Tensor) -> Tensor:
        """The gradient of ``log p(y | x)`` in ``x``: ``J(x)^H`` applied to the noise's score."""
        return self.operator.vjp(x, self.noise.score(self.y, self.operator(x)))

    def linear_gaussian(self, method: str) -> tuple[LinearOperator, Tensor, Tensor]:
        """``(A, y, s^2)`` for a method that needs a linear operator and Gaussian noise, s^2 (b,).

        Raises ``ValueError`` naming ``method`` where the problem is not of that kind.
        """
        if not isinstance(self.operator, LinearOperator):
            raise ValueError(
                f"{method} needs a linear operator, given {type(self.operator).__name__}"
            )
        if not isinstance(self.noise, GaussianNoise):
            raise ValueError(f"{method} needs Gaussian noise, given {type(self.noise).__name__}")
        variance = (self.noise.level(self.y) ** 2).flatten().expand(len(self.y))
        return self.operator, self.y, variance

    def select(self, images: Tensor) -> InverseProblem:
        """The problem of the images with the indices ``images``, (k,), repetitions allowed."""
        return replace(self, y=self.y[images], noise=self.noise.select(images))

    def scaled(self, factor: PerImage) -> InverseProblem:
        """The problem for ``factor * x`` with a linear operator: a number, or one an image, (b,).

        Of the noise models, Gaussian noise alone takes one an image.
        """
        y = per_image(factor, self.y, "factor") * self.y
        return replace(self, y=y, noise=self.noise.scaled(factor))

    def shifted(self, offset: PerImage) -> InverseProblem:
        """The problem for ``x - offset`` with a linear operator; a number, or one an image."""
        x = self.y.new_zeros(len(self.y), *self.operator.in_shape, dtype=self.image_dtype)
        return replace(self, y=self.y - self.operator(x + per_image(offset, x, "offset")))

    def measured(self, values: Tensor) -> Tensor:
        """The measured entries of ``values``, (b, \\*out_shape): (b, n), or all as they are."""
        places = self._places
        return values if places is None else values.flatten(1).index_select(1, places)

    @cached_property
    def _places(self) -> Tensor | None:
        """Indices of the measured entries of a flat y, found once: the host waits for them."""
        mask = self.operator.measured
        if mask is None:
            return None
        places = mask.to(self.y.device).flatten().nonzero()[:, 0]
        # In four bytes each, as there may be as many as numbers.
        return places.int() if mask.numel() < 2**31 else places

    @cached_property
    def _flat_noise(self) -> Noise:
        return self.noise.flat(self._places, tuple(self.operator.out_shape))

    def misfit_of(self, residual: Tensor) -> Tensor:
        """The mean square of ``residual``, ``y - A(x)``, in units of the noise, (b,)."""
        y = self.measured(self.y).flatten(1)
        return self._flat_noise.misfit(y, y - self.measured(residual).flatten(1))[0]

    def squares(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The square of ``discrepancy(x)`` and its ``discrepancy_variance``, both (b,), at once."""
        y, clean = self.measured(self.y), self.measured(self.operator(x))
        return self._flat_noise.misfit(y.flatten(1), clean.flatten(1))


def _named(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def simulate(
    operator: Operator, x: Numbers, noise: Noise | PerImage, rng: SampleRNG | int = 0
) -> Tensor:
    """A measurement of the images ``x``, (b, \\*in_shape): noisy where measured, else zero.

    ``noise`` may be a number, or one an image: the standard deviation of Gaussian noise. ``rng`` is
    a generator of b streams, or a seed. Raises ``TypeError`` for another kind of operator or noise,
    ``ValueError`` for images of another shape.

        >>> import torch
        >>> from invscore import GaussianNoise, simulate
        >>> from invscore.operators import SuperResolution
        >>> operator = SuperResolution(2, (1, 8, 8))
        >>> simulate(operator, torch.rand(3, 1, 8, 8), GaussianNoise(0.1), 0).shape
        torch.Size([3, 1, 4, 4])
    """
    require_operator(operator)
    noise, x = as_noise(noise), as_tensor("x", x)
    if tuple(x.shape[1:]) != tuple(operator.in_shape) or not len(x.shape):
        raise ValueError(
            f"the images `x` must have shape (b, {', '.join(map(str, operator.in_shape))}) for the "
            f"operator {type(operator).__name__}, got {tuple(x.shape)}"
        )
    clean = operator(x)
    if fault := fault_of_measurements(operator, clean, len(x)):
        raise ValueError(
            f"the operator {type(operator).__name__} does not keep its shapes: {fault}"
        )
    rng = sample_rng(rng, len(x), "noise", x.device)
    if operator.measured is None:
        return noise.sample(clean, rng)
    mask = operator.measured.to(clean.device)
    y = torch.zeros_like(clean)
    law = noise.flat(mask.flatten().nonzero()[:, 0], tuple(operator.out_shape))
    y[:, mask] = law.sample(clean[:, mask], rng)
    return y
