"""Draws of the clean image behind decimation, in closed form."""

from __future__ import annotations

from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.methods.gaussian_field.decimated import explained_sums, told_sums
from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.methods.matched_spectrum.measurement import (
    AtLevel,
    Picture,
    SpectralMeasurement,
    as_column,
)
from invscore.methods.matched_spectrum.shared_noise import Basis, SharedNoise
from invscore.operators import SuperResolution
from invscore.rng import SampleRNG


class DecimatedMeasurement(SpectralMeasurement):
    """Measurement of sums of cosines, of which no two have one in common, as by decimation."""

    def __init__(
        self, problem: InverseProblem, operator: SuperResolution, bands: FrequencyBands
    ) -> None:
        super().__init__(bands)
        _, y, variance = problem.linear_gaussian("matched_spectrum")
        self._operator = operator
        told, precision = told_sums(operator, y, as_column(variance, y))
        self.shared = SharedNoise(told, precision, Basis(operator.parted, operator.summed))

    def precision(self) -> Tensor:
        return self._operator.parted(self.shared.precision, squared=True)

    def draw(self, level: AtLevel, rng: SampleRNG) -> Picture:
        c, spread, denoised, x = level.taken()
        told, precision = self.shared.beyond(x, level.sigma)
        del x
        drawn = self.noise(spread, level.local, rng).add_(denoised)
        del spread, denoised
        told -= self._operator.summed(drawn)
        told -= rng.normal_like(told).mul_(precision.rsqrt().nan_to_num(posinf=0.0))
        return self.pictured(drawn.add_(explained_sums(self._operator, c, told, precision)))

    def drawn(self, before: Tensor, after: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        operator, known = self._operator, self.shared.known(sigma)
        error = after - before
        lost = (1 - (1 - known).sqrt()) * operator.summed(error)
        share = 1 - operator.parted(known, squared=True)  # in all channels alike
        return error.sub_(operator.parted(lost)), share
