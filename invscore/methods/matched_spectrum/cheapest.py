"""Which of the measurements serves an operator and a noise."""

from __future__ import annotations

from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.methods.gaussian_field.operator_power import OperatorPower
from invscore.methods.matched_spectrum.decimated import DecimatedMeasurement
from invscore.methods.matched_spectrum.measurement import (
    DecomposedMeasurement,
    FilteredMeasurement,
    Measurement,
    PlainMeasurement,
)
from invscore.methods.matched_spectrum.uneven import UnevenDecimation, UnevenFilter
from invscore.operators import LinearOperator, SuperResolution


def measurement_for(
    problem: InverseProblem, operator: LinearOperator, bands: FrequencyBands, uneven: bool = False
) -> Measurement:
    """The cheapest that operator and noise allow.

    ``uneven``: y moves draws behind filters and decimation as unevenly as they are spread.
    """
    gaussian = isinstance(problem.noise, GaussianNoise)
    if gaussian and isinstance(operator, SuperResolution) and bands.mirrored:
        decimated = UnevenDecimation if uneven else DecimatedMeasurement
        return decimated(problem, operator, bands)
    passed = OperatorPower.of(operator, bands)
    if gaussian:
        if passed.is_filter and not operator.in_complex:
            filtered = UnevenFilter if uneven else FilteredMeasurement
            return filtered(problem, passed.power, bands)
        if operator.in_complex == operator.out_complex:
            try:
                svd = operator.svd(problem.y.dtype)
            except NotImplementedError:
                pass
            else:
                return DecomposedMeasurement(problem, svd, bands)
    return PlainMeasurement(problem, passed.power, bands)
