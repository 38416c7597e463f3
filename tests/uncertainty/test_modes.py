"""Samples that fall into groups, and probes that find what samples miss."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, Prior, reconstruct, simulate
from invscore.batches import PerImage
from invscore.operators import Inpainting
from invscore.priors import GaussianMixturePrior, StationaryGaussianPrior
from invscore.uncertainty import mode_warnings, particle_warnings

SHAPE = (1, 16, 16)
GENERATOR = torch.Generator().manual_seed(0)


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=GENERATOR)


def two_modes(first: int, second: int) -> Tensor:
    """Samples that differ in rows 8 to 23 of 32, columns 0 to 15: (n, 1, 1, 32, 32)."""
    other = torch.zeros(1, 1, 32, 32)
    other[..., 8:24, :16] = randn(16, 16)
    chosen = torch.tensor([0.0] * first + [1.0] * second)[:, None, None, None, None]
    return 0.1 * randn(first + second, 1, 1, 32, 32) + chosen * other


@pytest.mark.parametrize("unit", [1e-3, 1.0, 4000.0])
def test_groups_of_rounding_errors_are_no_explanations(unit: float) -> None:
    """Where nothing is open, samples differ by what their iterations leave, in groups or not."""
    away = two_modes(3, 1)
    assert mode_warnings(unit * (0.5 + 2e-5 * away)) == ()
    assert len(mode_warnings(unit * (0.5 + 2e-4 * away))) == 1


def test_groups_are_told_with_their_place() -> None:
    (sentence,) = mode_warnings(two_modes(3, 1))
    assert sentence.startswith("4 samples fall into 2 groups (3 + 1), which differ in ")
    share = float(sentence.split("differ in ")[1].split("%")[0])
    assert 25 < share < 60  # windows of 8 x 8 that reach into a quarter of the pixels
    first, last = (int(sentence.split("rows ")[1].split(" ")[k]) for k in (0, 2))
    assert 0 <= first <= 8
    assert 23 <= last <= 31
    first, last = (
        int(sentence.split("columns ")[1].replace(":", "").split(" ")[k]) for k in (0, 2)
    )
    assert 0 <= first <= 3
    assert 15 <= last <= 23


def test_what_probes_alone_find_is_told() -> None:
    pool = two_modes(5, 1)
    (sentence,) = mode_warnings(pool[:4], pool[4:])
    assert "of 2 explanations" in sentence
    assert "1 is found from a start" in sentence
    assert not mode_warnings(pool[:4], pool[4:5])


@pytest.mark.parametrize("samples", [4, 6])
def test_one_mode_raises_no_alarm(samples: int) -> None:
    """Of smooth fields, in pairs and without: none in 200."""
    prior = StationaryGaussianPrior.power_law(SHAPE)
    for seed in range(100):
        x = prior.sample(samples, 1000 * seed)[:, None]
        assert not mode_warnings(x)
        paired = torch.cat([x[::2], 2 * prior.mean - x[::2]])
        assert not mode_warnings(paired)


def test_few_samples_signals_and_small_images_are_left_alone() -> None:
    assert not mode_warnings(two_modes(2, 1))
    assert not mode_warnings(two_modes(3, 1)[..., :8, :8])
    assert not mode_warnings(two_modes(3, 1).flatten(2))
    assert not mode_warnings(torch.zeros(4, 1, 1, 32, 32))
    window = (slice(0, 32), slice(16, 32))
    assert not mode_warnings(two_modes(3, 1), window=window)


def test_complex_images_and_channels() -> None:
    x = two_modes(2, 2)
    assert mode_warnings(torch.complex(x, 0.1 * randn(*x.shape)))
    assert mode_warnings(x.expand(-1, -1, 3, -1, -1) + 0.1 * randn(4, 1, 3, 32, 32))


def test_particles() -> None:
    assert not particle_warnings([100.0, 40.0], 100)
    assert not particle_warnings([25.0], 100)
    assert particle_warnings([24.0], 100)
    (sentence,) = particle_warnings([100.0, 11.6, 70.0], 100)
    assert "of 100 particles fell to 12:" in sentence


class Isotropic(Prior):
    """A mixture as a network knows it: white noise alone, and no level above 80 deviations."""

    def __init__(self, mixture: GaussianMixturePrior) -> None:
        self.mixture, self.mean, self.variance = mixture, mixture.mean, mixture.variance
        self.sigma_min, self.sigma_max = 0.002, 80 * mixture.variance**0.5

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        return self.mixture.denoise(x, sigma)


@pytest.fixture(scope="module")
def hidden() -> tuple[InverseProblem, Isotropic]:
    """The lower half is hidden and has four continuations, which a guess chooses among."""
    generator = torch.Generator().manual_seed(0)
    upper = torch.randn(1, 1, 8, 16, generator=generator).expand(4, -1, -1, -1)
    lower = torch.randn(4, 1, 8, 16, generator=generator)
    weights = torch.tensor([0.4, 0.3, 0.2, 0.1])
    mixture = GaussianMixturePrior(torch.cat([upper, lower], dim=2), 0.09, weights)
    rows = torch.arange(16)[:, None].expand(16, 16)
    operator, noise = Inpainting(rows < 8, SHAPE), GaussianNoise(0.05)
    y = simulate(operator, mixture.sample(1, 0), noise, 0)
    return InverseProblem(operator, y, noise), Isotropic(mixture)


def test_hidden_modes_are_told(hidden: tuple[InverseProblem, Isotropic]) -> None:
    problem, prior = hidden
    told, evaluations = [], set()
    for seed in range(8):
        options = {"samples": 4, "seed": 1000 * seed}
        alone = reconstruct(problem, prior, **options)  # type: ignore[arg-type]
        probed = reconstruct(problem, prior, probes=2, **options)  # type: ignore[arg-type]
        torch.testing.assert_close(probed.samples, alone.samples, rtol=0, atol=0)
        evaluations.add((alone.evaluations, probed.evaluations))
        told.append(any("explanations" in sentence for sentence in probed.warnings))
    assert evaluations == {(20.0, 20 + 2 * 6 / 4)}
    assert sum(told) >= 7, told


def test_one_hidden_mode_is_not(hidden: tuple[InverseProblem, Isotropic]) -> None:
    problem, prior = hidden
    one = GaussianMixturePrior(prior.mixture.means[:1], 0.09)
    y = simulate(problem.operator, one.sample(1, 0), problem.noise, 0)
    task = InverseProblem(problem.operator, y, problem.noise)
    for seed in range(8):
        result = reconstruct(task, Isotropic(one), samples=4, probes=2, seed=1000 * seed)
        assert not any("explanations" in sentence for sentence in result.warnings)


def test_probes_are_not_fewer_than_none(hidden: tuple[InverseProblem, Isotropic]) -> None:
    with pytest.raises(ValueError, match="`probes` must be at least 0, got -1"):
        reconstruct(*hidden, probes=-1)
