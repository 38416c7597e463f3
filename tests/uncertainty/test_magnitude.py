"""Samples that have grown without bound are told, whatever the residual says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, PoissonNoise, Prior, reconstruct, simulate
from invscore.batches import PerImage
from invscore.methods.base import METHODS, Step, register
from invscore.noise.base import Noise
from invscore.operators import Identity, Inpainting, Operator, from_function
from invscore.priors import GaussianPrior
from invscore.rng import SampleRNG
from invscore.uncertainty import magnitude_warnings

SHAPE = (1, 8, 8)
PRIOR = GaussianPrior(torch.full(SHAPE, 0.5), 0.04)
HALF = Inpainting.box(SHAPE, (4, 8), (0, 0))
NOISE = GaussianNoise(0.05)


def problem_of(operator: Operator, truth: Tensor) -> InverseProblem:
    return InverseProblem(operator, simulate(operator, truth, NOISE, 0), NOISE)


def hidden(size: float) -> Tensor:
    """Samples that agree with a measurement of the lower half: (4, 2, \\*SHAPE)."""
    samples = PRIOR.sample(8).reshape(4, 2, *SHAPE)
    samples[1, 1, :, :4] += size
    return samples


@pytest.mark.parametrize(("size", "told"), [(0.0, False), (1.0, False), (6.0, True), (1e25, True)])
def test_what_y_does_not_see(size: float, told: bool) -> None:
    problem = problem_of(HALF, PRIOR.sample(2))
    found = magnitude_warnings(problem, PRIOR, hidden(size))
    assert bool(found) == told
    if told:  # half of the pixels, in deviations of 0.2
        times = float(found[0].split("samples are ")[1].split(" ")[0])
        assert times == pytest.approx(size / 0.2 * 0.5**0.5, rel=0.06)


def test_samples_are_as_far_as_the_measurement() -> None:
    """A signal of heavy tails may be far away, where y says so."""
    truth = PRIOR.sample(2) + 40.0
    problem = problem_of(Identity(SHAPE), truth)
    samples = truth + 0.05 * torch.randn(3, *truth.shape)
    assert not magnitude_warnings(problem, PRIOR, samples)
    assert magnitude_warnings(problem, PRIOR, 200 * samples)


@pytest.mark.parametrize("noise", [NOISE, PoissonNoise(1e4)], ids=["gaussian", "poisson"])
def test_scales_of_images(noise: Noise) -> None:
    """The measurement, too, is as much larger as its image: that says nothing of the samples."""
    scale = torch.tensor([1.0, 1000.0])
    column = scale.reshape(-1, 1, 1, 1)
    y = simulate(HALF, column * PRIOR.sample(2), noise, 0)
    problem = InverseProblem(HALF, y, noise)
    assert not magnitude_warnings(problem, PRIOR, column * hidden(0.0), scale)
    assert magnitude_warnings(problem, PRIOR, column * hidden(5.0), scale)
    assert magnitude_warnings(problem_of(HALF, PRIOR.sample(2)), PRIOR, column * hidden(0.0))


def test_not_a_number_is_told() -> None:
    problem = problem_of(HALF, PRIOR.sample(2))
    assert magnitude_warnings(problem, PRIOR, hidden(torch.nan))


class Doubling(Prior):
    """A denoiser that makes what it is given larger."""

    mean, variance = 0.5, 0.04

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:  # noqa: ARG002
        return 2 * x


BEND = from_function(lambda x: x[:, :, 4:] ** 2, SHAPE, linear=False)


@pytest.mark.parametrize("operator", [HALF, BEND])
def test_the_driver_tells(operator: Operator) -> None:
    """Of any method and operator: this one grows where nothing is measured."""

    @register("grows", exact=False, law="none", cites="here")
    def grows(
        problem: InverseProblem,
        prior: Prior,
        rng: SampleRNG,  # noqa: ARG001
        *,
        steps: int = 100,
    ) -> Iterator[Step]:
        """Grow."""
        x = torch.full((len(problem.y), *SHAPE), 0.5)
        for _ in range(steps):
            x[:, :, :4] = prior.denoise(x, 0.1)[:, :, :4]
            yield Step(x, x, 0.1)

    try:
        truth = torch.full((1, *SHAPE), 0.5)
        problem = InverseProblem(operator, simulate(operator, truth, NOISE, 0), NOISE)
        found = reconstruct(problem, Doubling(), method="grows", samples=2).warnings
    finally:
        METHODS.pop("grows")
    assert "the method has diverged" in found[0]
    assert "as its images are, where 1 is expected" in found[0]
