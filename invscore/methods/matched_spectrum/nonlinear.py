"""A measurement that is not linear: draws of a Gaussian field given y by Gauss-Newton steps."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods.common.proximal import proximal
from invscore.methods.common.whitened import Whitened
from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.methods.matched_spectrum.local_scale import LocalScale
from invscore.methods.matched_spectrum.measurement import (
    SHARPEST,
    AtLevel,
    FreshMeasurement,
    Picture,
    trusted,
)
from invscore.operators import Operator
from invscore.rng import SampleRNG

NEWTON, PRODUCTS = 4, 10
"""Gauss-Newton steps of a draw, and iterations of conjugate gradients in each."""


class WhitenedField(Whitened):
    """``A(centre + scale F^-1(deviation w)) / noise`` as a function of white spectra w."""

    def __init__(
        self,
        operator: Operator,
        bands: FrequencyBands,
        centre: Tensor,
        scale: Tensor,
        deviation: Tensor,
        noise: Tensor,
    ) -> None:
        super().__init__(operator, centre)
        self.bands, self.scale, self.deviation, self.noise = bands, scale, deviation, noise

    def away(self, w: Tensor) -> Tensor:
        return self.scale * self.bands.image(self.deviation * w)

    def back(self, x: Tensor) -> Tensor:
        return self.deviation * self.bands.spectrum(self.scale * x)

    def __call__(self, w: Tensor) -> Tensor:
        return super().__call__(w) / self.noise

    def jvp(self, w: Tensor, v: Tensor) -> Tensor:
        return super().jvp(w, v) / self.noise

    def vjp(self, w: Tensor, u: Tensor) -> Tensor:
        return super().vjp(w, u / self.noise)


class NonlinearMeasurement(FreshMeasurement):
    """Measurement by an operator that is not linear, and any noise.

    As `PlainMeasurement`, with its uneven field and its trust: states have fresh noise, and the
    noise of y is taken for Gaussian of its variance at A(D). A draw of the field and one of the
    noise are explained best together, by Gauss-Newton steps (randomised maximum likelihood, exact
    of a linear operator; Oliver et al. 1996).
    """

    def __init__(self, problem: InverseProblem, bands: FrequencyBands) -> None:
        super().__init__(bands)
        self._problem, self._scale = problem, LocalScale(bands)

    def draw(self, level: AtLevel, rng: SampleRNG) -> Picture:
        problem, bands, c = self._problem, self.bands, level.c
        scale = self._scale(bands.image(level.clean - level.denoised))
        deviation = trusted(c, level.sigma).sqrt()
        drawn = (level.spread.sqrt() / deviation) * rng.normal_like(c)
        denoised = bands.image(level.denoised)
        level.release()
        seen = problem.operator(denoised)
        told = problem.noise.working(problem.y, seen)
        noise = problem.noise.variance(seen).expand(seen.shape).sqrt()
        passed = problem.operator.jvp(denoised, scale * bands.image(deviation * drawn))
        passed = problem.measured(passed).flatten(1).abs().square().mean(dim=1).sqrt()
        noise = torch.maximum(noise, passed.reshape(-1, *[1] * (noise.ndim - 1)) / SHARPEST)
        white = WhitenedField(problem.operator, bands, denoised, scale, deviation, noise)
        y = told / noise - rng.normal_like(told)
        task = InverseProblem(white, y, GaussianNoise(1.0))
        return self.picture(
            white.image(proximal(task, drawn, 1.0, iterations=NEWTON, products=PRODUCTS))
        )
