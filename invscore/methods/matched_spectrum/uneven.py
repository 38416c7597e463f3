"""Draws that y moves most where they are most uncertain, by conjugate gradients."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.methods.gaussian_field.posterior import Unexplained, explained
from invscore.methods.matched_spectrum.decimated import DecimatedMeasurement
from invscore.methods.matched_spectrum.measurement import (
    MOST,
    AtLevel,
    Effort,
    FilteredMeasurement,
    Picture,
    SpectralMeasurement,
)
from invscore.operators import SuperResolution
from invscore.rng import SampleRNG


class UnevenFilter(FilteredMeasurement):
    """Measurement by a filter, in whose draws y moves most what is most uncertain.

    A field as uneven as the level says has no independent frequencies. Where few places are
    uncertain, as on a black ground, what y says the image has too little of is not put on that
    ground, from which D would take it away.
    """

    def __init__(self, problem: InverseProblem, power: Tensor, bands: FrequencyBands) -> None:
        super().__init__(problem, power, bands)
        self._effort = effort_of(self)

    def draw(self, level: AtLevel, rng: SampleRNG) -> Picture:
        if level.local is None:
            return super().draw(level, rng)
        return _draw(self, level, rng, self._effort, _same, _same, _same)


class UnevenDecimation(DecimatedMeasurement):
    """The same by decimation, of sums of cosines."""

    def __init__(
        self, problem: InverseProblem, operator: SuperResolution, bands: FrequencyBands
    ) -> None:
        super().__init__(problem, operator, bands)
        self._effort = effort_of(self)

    def draw(self, level: AtLevel, rng: SampleRNG) -> Picture:
        if level.local is None:
            return super().draw(level, rng)
        operator = self._operator
        return _draw(
            self,
            level,
            rng,
            self._effort,
            operator.summed,
            operator.parted,
            lambda precision: operator.parted(precision, squared=True),
        )


def effort_of(measurement: SpectralMeasurement) -> Effort:
    """That of a field that is uneven."""
    sharpness = measurement.shared.precision.flatten(1).amax(dim=1).sqrt()
    return Effort(sharpness, MOST["uneven"])


def _same(values: Tensor) -> Tensor:
    return values


def _draw(
    measurement: SpectralMeasurement,
    level: AtLevel,
    rng: SampleRNG,
    effort: Effort,
    coefficients: Callable[[Tensor], Tensor],
    spectrum: Callable[[Tensor], Tensor],
    power: Callable[[Tensor], Tensor],
) -> Picture:
    """The image of a ``level`` given y: a field of its variances and local scale, moved by y.

    ``coefficients`` of spectra are measured, ``spectrum`` is the adjoint, and ``power`` what a
    precision of the one is to the other.
    """
    bands, sigma, c = measurement.bands, level.sigma, level.c
    denoised = bands.image(level.denoised)
    assert level.local is not None
    scale = level.local.scale(denoised)
    told, precision = measurement.shared.beyond(level.x, sigma)
    drawn = denoised + scale * bands.image(level.spread.sqrt() * rng.normal_like(c))
    level.release()
    root = precision.sqrt()
    residual = root * (told - coefficients(bands.spectrum(drawn))) - rng.normal_like(told)
    shift = explained(
        lambda v: root * coefficients(bands.spectrum(v)),
        lambda u: bands.image(spectrum(root * u)),
        Unexplained(residual, None, c, power(precision)),
        bands,
        scale=scale,
        **effort(sigma, drawn.ndim),
    )
    return measurement.picture(drawn.add_(scale * bands.image(shift)))
