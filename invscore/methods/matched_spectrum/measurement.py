"""What a measurement tells a sampler of Gaussian fields: states, and draws of the clean image.

In closed form where the operator is a filter (or decimation, ``decimated``); through its singular
vectors where they are cheap; by the operator itself elsewhere.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.methods.gaussian_field.frequency_bands import PROBES, FrequencyBands
from invscore.methods.gaussian_field.masked import explained_pixels
from invscore.methods.gaussian_field.operator_power import steadied
from invscore.methods.gaussian_field.posterior import Unexplained, explained
from invscore.methods.matched_spectrum.local_answer import LocalAnswer
from invscore.methods.matched_spectrum.local_scale import LocalScale
from invscore.methods.matched_spectrum.shared_noise import Basis, SharedNoise
from invscore.operators import LinearOperator
from invscore.operators.svd import SVD, unchanged
from invscore.rng import SampleRNG

SHARPEST = 50.0
"""The level over the noise of y: where y is more precise, it is taken for this precise in a draw,
and what that leaves open is small beside the noise of the next level."""
PACE = 1.5
"""Iterations of conjugate gradients for each unit of level over noise."""
MOST = {"shared": 15, "uneven": 30, "fresh": 30}
"""Most iterations of conjugate gradients. Where the noise of states is shared, less of y is left to
explain; an uneven field mixes frequencies and needs more."""
TRUST = 0.35
"""Exponent tau of the covariance C^(1 - tau) sigma^(2 tau) in draws from states of fresh noise: 0
is what D says of its error, 1 the level."""


class Picture(NamedTuple):
    """Images, (b, \\*shape), and their spectra."""

    image: Tensor
    spectrum: Tensor


@dataclass
class AtLevel:
    """What is known when the clean image is drawn: taken out where it is used the last time.

    ``c``: the variances of x0 about ``denoised``, D at the state ``x`` of level ``sigma``, which
    was made from the draw ``clean``, and ``spread`` those of draws, all but x as spectra. ``x``:
    what a draw asks of it. ``local``: how uneven draws are, if they are.
    """

    sigma: float
    c: Tensor
    spread: Tensor
    denoised: Tensor
    clean: Tensor
    x: Tensor
    local: LocalAnswer | None = None

    def release(self) -> None:
        """Hold nothing that is as large as an image."""
        del self.c, self.spread, self.denoised, self.clean, self.x

    def taken(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """``c``, ``spread``, ``denoised`` and ``x``, released."""
        parts = self.c, self.spread, self.denoised, self.x
        self.release()
        return parts


class Measurement(abc.ABC):
    """States at a level, and draws of the clean image given such a state and y.

    ``local``: whether draws are as uneven as a level says, and have no scale of their own.
    """

    local = False

    def __init__(self, bands: FrequencyBands) -> None:
        self.bands = bands

    @abc.abstractmethod
    def state(self, clean: Picture, sigma: float, rng: SampleRNG) -> Picture:
        """``clean`` and noise of the level ``sigma``."""

    @abc.abstractmethod
    def asked(self, x: Picture) -> Tensor:
        """Form in which a draw takes the state x: the image or its spectrum."""

    @abc.abstractmethod
    def draw(self, level: AtLevel, rng: SampleRNG) -> Picture:
        """The image given the state of a ``level``, which is released, and y.

        A field of variances ``spread`` about what has been denoised, moved by what y says, which is
        weighed by ``c``.
        """

    @abc.abstractmethod
    def drawn(self, before: Tensor, after: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        """Of ``after - before``, what states of the level ``sigma`` have from draws; all spectra.

        The rest they have from y. And the share of the variance of each frequency that it is.
        """

    def noise(self, spread: Tensor, local: LocalAnswer | None, rng: SampleRNG) -> Tensor:
        """The spectrum of a field of variances ``spread``, as uneven as ``local`` says."""
        even = spread.sqrt() * rng.normal_like(spread)
        if local is None:
            return even
        image = self.bands.image(even)
        del even
        return self.bands.spectrum(image.mul_(local.scale(image)))

    def picture(self, image: Tensor) -> Picture:
        """Images with their spectra."""
        return Picture(image, self.bands.spectrum(image))

    def pictured(self, spectrum: Tensor) -> Picture:
        """Spectra with their images."""
        return Picture(self.bands.image(spectrum), spectrum)


class SpectralMeasurement(Measurement):
    """Measurement of frequencies, or of sums of them: states are spectra, whose noise is shared."""

    local = True
    shared: SharedNoise

    def precision(self) -> Tensor:
        """With which y tells each frequency, were the others known: of spectra, (b, \\*shape)."""
        return self.shared.precision

    def state(self, clean: Picture, sigma: float, rng: SampleRNG) -> Picture:
        return self.pictured(self.shared.state(clean.spectrum, sigma, rng))

    def asked(self, x: Picture) -> Tensor:
        return x.spectrum


class FilteredMeasurement(SpectralMeasurement):
    """Measurement by a filter: every frequency is measured on its own."""

    def __init__(self, problem: InverseProblem, power: Tensor, bands: FrequencyBands) -> None:
        super().__init__(bands)
        operator, y, variance = problem.linear_gaussian("matched_spectrum")
        seen = power > 100 * torch.finfo(power.dtype).eps * power.max()
        spectrum = bands.spectrum(operator.rmatvec(y))
        u = torch.where(seen, spectrum / torch.where(seen, power, 1.0), 0)
        del spectrum
        precision = torch.where(seen, power, 0.0) / as_column(variance, u)
        self.shared = SharedNoise(u, precision)

    def draw(self, level: AtLevel, rng: SampleRNG) -> Picture:
        c, spread, denoised, x = level.taken()
        told, precision = self.shared.beyond(x, level.sigma)
        del x
        left = _left(c, precision)
        told -= denoised
        mean = denoised + told.mul_(precision).mul_(left)
        del told, denoised
        if spread is not c:
            left = _left(spread, precision)
        del c, spread, precision
        return self.pictured(mean.add_(self.noise(left, level.local, rng)))

    def drawn(self, before: Tensor, after: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        share = 1 - self.shared.known(sigma)
        return (after - before) * share.sqrt(), share


class FreshMeasurement(Measurement):
    """Measurement whose states have fresh noise: what they have of y they have by way of draws."""

    def state(self, clean: Picture, sigma: float, rng: SampleRNG) -> Picture:
        return self.picture(clean.image + sigma * rng.normal_like(clean.image))

    def asked(self, x: Picture) -> Tensor:
        return x.image

    def drawn(
        self,
        before: Tensor,
        after: Tensor,
        sigma: float,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor]:
        return after - before, after.real.new_ones(()).expand(1, *after.shape[1:])


class Effort:
    """Iterations of conjugate gradients at a level, for operators that mix frequencies.

    A draw is moved by what y says beyond it (perturb and fit, Papandreou & Yuille 2010).
    ``sharpness``, (b,): the largest singular value over the noise of y. ``most``: iterations.
    """

    def __init__(self, sharpness: Tensor, most: int) -> None:
        self._sharpness, self._sharpest, self._most = sharpness, float(sharpness.max()), most

    def __call__(self, sigma: float, axes: int) -> dict[str, Any]:
        """For all images, and for each, as a column of so many ``axes``."""
        most = math.ceil(min(PACE * sigma * self._sharpest, self._most))
        each = (PACE * sigma * self._sharpness).ceil().clamp_max(self._most)
        return {"iterations": most, "limit": each.reshape(-1, *[1] * (axes - 1))}


class DecomposedMeasurement(Measurement):
    """Measurement by an operator with cheap singular vectors, as masks.

    Complex images are next to nothing outside an object, and D errs little there: for them the
    field is as uneven as the error of D is (``LocalScale``). A slice of a brain from a quarter of
    its k-space gains 0.9 dB by it; photographs, measured so or by masks, gain nothing.
    """

    def __init__(self, problem: InverseProblem, svd: SVD, bands: FrequencyBands) -> None:
        _, y, variance = problem.linear_gaussian("matched_spectrum")
        alike = bool((variance == variance[0]).all())
        seen, coefficients = svd.seen, svd.uh(y)
        level = as_column(variance[:1] if alike else variance, coefficients).sqrt()
        singular = torch.where(seen, svd.s, 1.0)
        self.shared = SharedNoise(
            torch.where(seen, coefficients / singular, 0),
            torch.where(seen, svd.s / level, 0.0) ** 2,
            Basis(svd.v, svd.vh),  # and not its values, which are as large as an image
        )
        del coefficients
        sharpness = self.shared.precision.flatten(1).amax(dim=1).sqrt()
        uneven = y.is_complex()
        super().__init__(bands)
        self._effort = Effort(sharpness, MOST["uneven" if uneven else "shared"])
        self._v, self._vh = svd.v, svd.vh
        self._of_pixels = svd.v is unchanged
        self._by_filters = self._of_pixels and not (uneven or bands.mirrored)
        # Of real images they are signs, which a byte holds.
        self._probes = [p if p.is_complex() else p.to(torch.int8) for p in bands.probes()]
        self.scale: Callable[[Tensor], Tensor] | None = LocalScale(bands) if uneven else None
        self.local = not uneven
        # No sharper than the iterations of an uneven field follow: what they leave is ghosts.
        self.sharpest = MOST["uneven"] / PACE if uneven else SHARPEST

    def state(self, clean: Picture, sigma: float, rng: SampleRNG) -> Picture:
        return self.picture(self.shared.state(clean.image, sigma, rng))

    def asked(self, x: Picture) -> Tensor:
        return x.image

    def draw(self, level: AtLevel, rng: SampleRNG) -> Picture:
        bands, scale, sigma = self.bands, None, level.sigma
        if self.scale is not None:
            scale = self.scale(bands.image(level.clean - level.denoised))
        c, spread, denoised, x = level.taken()
        told, precision = self.shared.beyond(x, sigma)
        # A spectrum where the field is stationary, an image where it is not.
        if scale is None:
            drawn = denoised + self.noise(spread, level.local, rng)
        else:
            drawn = bands.image(denoised) + scale * bands.image(spread.sqrt() * rng.normal_like(c))
        del x, denoised, spread
        precision = precision.clamp_max((self.sharpest / sigma) ** 2)
        power = self._passed(precision, c)
        root = precision.sqrt()
        del precision
        # In the order of the draws: what is measured has noise after the image.
        seen = self._vh(bands.image(drawn) if scale is None else drawn)
        residual = root * (told - seen) - rng.normal_like(told)
        del told
        if self._by_filters and scale is None:
            given = Unexplained(residual.mul_(root), None, c, root.square_())
            del root, residual, c, power, drawn
            return self.picture(seen + explained_pixels(given, **self._effort(sigma, seen.ndim)))
        del seen
        given = Unexplained(residual, None, c, power)
        del residual, c, power
        shift = explained(
            lambda v: root * self._vh(v),
            lambda u: self._v(root * u),
            given,
            bands,
            scale=scale,
            **self._effort(sigma, drawn.ndim),
        )
        if scale is None:
            return self.pictured(drawn.add_(shift))
        return self.picture(drawn.add_(scale * bands.image(shift)))

    def drawn(self, before: Tensor, after: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        known = self.shared.known(sigma)
        passed = self._passed(known, after)  # before anything else is held
        image = self.bands.image(after - before)
        known = known.neg_().add_(1).sqrt_().neg_().add_(1)
        known = known * self._vh(image)  # which may be the image itself
        image = image - self._v(known)
        del known
        return self.bands.spectrum(image), passed.neg_().add_(1).clamp_min_(0)

    def _passed(self, precision: Tensor, like: Tensor) -> Tensor:
        """Measured power of each frequency, (b, \\*shape) or one number for all: by random images,
        but where pixels are measured, of which all frequencies have as much."""
        if self._of_pixels:
            return precision.mean(tuple(range(1, precision.ndim)), keepdim=True)
        found = like.real.new_empty(PROBES, len(precision), *self.bands.shape)
        for signs, places in zip(
            self._probes, torch.split(found, len(self._probes[0])), strict=True
        ):
            probes = signs if signs.is_complex() else signs.to(like.dtype)
            answers = precision[:, None] * self._vh(self.bands.image(probes))
            answers = self._v(answers.flatten(0, 1))
            answers = self.bands.spectrum(answers).reshape(-1, len(probes), *self.bands.shape)
            places.copy_((probes.conj() * answers).real.transpose(0, 1))
            del probes, answers
        return steadied(found)[0]


class PlainMeasurement(FreshMeasurement):
    """Measurement by any operator and noise, taken for Gaussian of its variance at A(D).

    States have fresh noise. What they tell of the measured image is a draw, and much of y is left
    for the Gaussian to explain, which therefore has to be more like photographs: as uneven over the
    image as the error of D is (``LocalScale``), and y moves it as if D erred more, by the
    covariance ``C^(1 - TRUST) sigma^(2 TRUST)``. Photographs, on which D errs more rarely and by
    more than a Gaussian would, gain 0.2 to 0.4 dB by each.
    """

    def __init__(self, problem: InverseProblem, power: Tensor, bands: FrequencyBands) -> None:
        variance = problem.measured(problem.noise.variance(problem.y).expand(problem.y.shape))
        sharpness = (power.max() / variance.flatten(1).amin(dim=1)).sqrt()
        super().__init__(bands)
        self._effort = Effort(sharpness, MOST["fresh"])
        operator = problem.operator
        assert isinstance(operator, LinearOperator)
        self._problem, self._operator = problem, operator
        self._power = bands.even(power[None])[0]
        self._scale = LocalScale(bands)

    def draw(self, level: AtLevel, rng: SampleRNG) -> Picture:
        problem, operator = self._problem, self._operator
        sigma, c, spread = level.sigma, level.c, level.spread
        scale = self._scale(self.bands.image(level.clean - level.denoised))
        denoised = self.bands.image(level.denoised)
        level.release()
        drawn = denoised + scale * self.bands.image(spread.sqrt() * rng.normal_like(c))
        del spread
        least = (sigma / SHARPEST) ** 2 * self._power.max()
        seen = operator.matvec(denoised)
        del denoised
        deviation = torch.maximum(problem.noise.variance(seen), least).sqrt()
        told = problem.noise.working(problem.y, seen)
        del seen
        residual = told - operator.matvec(drawn) - deviation * rng.normal_like(problem.y)
        del told
        inverse = (1 / deviation.square()).expand(residual.shape)
        each = problem.measured(inverse).flatten(1).mean(dim=1)
        del inverse
        power = as_column(each, c) * self._power
        given = Unexplained(residual, deviation, trusted(c, sigma), power)
        del residual, deviation, c, power
        shift = explained(
            operator.matvec,
            operator.rmatvec,
            given,
            self.bands,
            scale=scale,
            **self._effort(sigma, drawn.ndim),
        )
        return self.picture(drawn + scale * self.bands.image(shift))


def trusted(c: Tensor, sigma: float) -> Tensor:
    """The variances by which y moves draws from states of fresh noise: see ``TRUST``."""
    return c ** (1 - TRUST) * sigma ** (2 * TRUST)


def as_column(values: Tensor, like: Tensor) -> Tensor:
    """Numbers of images, (b,), that broadcast against the batch ``like``."""
    return values.reshape(-1, *[1] * (like.ndim - 1))


def _left(variance: Tensor, precision: Tensor) -> Tensor:
    """Variance that a measurement of this ``precision`` leaves of a ``variance``."""
    left = (precision * variance).add_(1)
    return torch.div(variance, left, out=left)
