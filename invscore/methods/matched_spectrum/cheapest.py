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
from invscore.operators import LinearOperator, SuperResolution


def measurement_for(
    problem: InverseProblem, operator: LinearOperator, bands: FrequencyBands
) -> Measurement:
    """The cheapest that the operator and the noise allow."""
    gaussian = isinstance(problem.noise, GaussianNoise)
    if gaussian and isinstance(operator, SuperResolution) and bands.mirrored:
        return DecimatedMeasurement(problem, operator, bands)
    passed = OperatorPower.of(operator, bands)
    if gaussian:
        if passed.is_filter and not operator.in_complex:
            return FilteredMeasurement(problem, passed.power, bands)
        if operator.in_complex == operator.out_complex:
            try:
                svd = operator.svd(problem.y.dtype)
            except NotImplementedError:
                pass
            else:
                return DecomposedMeasurement(problem, svd, bands)
    return PlainMeasurement(problem, passed.power, bands)
