"""Weights of particles, and which samples share a particle set."""

from __future__ import annotations

import pytest
import torch

from invscore.methods.particles.particle_sets import ParticleSets
from invscore.methods.particles.resampling import (
    along_main_axis,
    effective_size,
    independent_size,
    systematic,
    tempered_exponent,
)
from invscore.rng import SampleRNG

WEIGHTS = torch.tensor([[0.5, 0.3, 0.15, 0.05, 0.0], [0.2] * 5], dtype=torch.float64)


def test_effective_size() -> None:
    size = effective_size(3.0 + WEIGHTS.log())
    expected = 1 / (0.5**2 + 0.3**2 + 0.15**2 + 0.05**2)
    torch.testing.assert_close(size, torch.tensor([expected, 5.0], dtype=torch.float64))


def test_systematic_resampling() -> None:
    """Each particle survives k w times, rounded down or up, and k w times on average."""
    counts = []
    for u in torch.linspace(0.0005, 0.9995, 1000, dtype=torch.float64):
        kept = systematic(WEIGHTS.log() - 7, u.expand(2))
        assert kept.shape == (2, 5)
        assert (kept.diff(dim=1) >= 0).all()
        counts.append(torch.nn.functional.one_hot(kept, 5).sum(dim=1))
    found = torch.stack(counts).double()
    expected = 5 * WEIGHTS
    assert ((found - expected).abs() < 1).all()
    torch.testing.assert_close(found.mean(dim=0), expected, rtol=0, atol=2e-3)


def test_systematic_resampling_of_many_particles() -> None:
    log_weights = torch.linspace(-3, 0, 10001, dtype=torch.float32)[None]
    kept = systematic(log_weights, torch.tensor([0.9999999]))
    assert int(kept.max()) <= 10000
    found = torch.bincount(kept[0], minlength=10001)
    assert ((found - 10001 * log_weights[0].softmax(0)).abs() < 1.01).all()


def test_tempered_exponent() -> None:
    """With weights exp(e c) of two kinds of particles, the effective size is known by hand."""
    factor = torch.cat([torch.zeros(50), torch.full((50,), 4.0)]).double()[None]
    even = torch.zeros(1, 100, dtype=torch.float64)
    lowest = torch.zeros(1, dtype=torch.float64)
    exponent = tempered_exponent(even, factor, lowest, 0.8)
    w = torch.exp(4 * exponent)
    torch.testing.assert_close((1 + w) ** 2 / (1 + w**2) / 2, torch.full((1,), 0.8).double())
    assert tempered_exponent(even, factor, lowest, 0.4) == 1.0
    assert tempered_exponent(even, factor, lowest + 0.9, 0.8) == pytest.approx(0.9)
    later = tempered_exponent(2 * factor, -factor, lowest, 0.8)
    assert later == 0.0, "weights that are uneven already leave no room"


def test_order_along_the_main_axis() -> None:
    place = torch.tensor([[0.3, -2.0, 1.0, 0.0, 5.0]], dtype=torch.float64)
    axis = torch.tensor([0.6, -0.8], dtype=torch.float64)
    across = torch.tensor([0.8, 0.6], dtype=torch.float64)
    wobble = torch.tensor([0.1, -0.1, 0.1, -0.1, 0.0], dtype=torch.float64)
    x = 7 + place[..., None] * axis + wobble[None, :, None] * across
    order = along_main_axis(x)[0].tolist()
    assert order in ([1, 3, 0, 2, 4], [4, 2, 0, 3, 1])
    assert along_main_axis(torch.complex(x, 0 * x))[0].tolist() in (order, order[::-1])


def test_populations() -> None:
    rng = SampleRNG([(k, image) for k in (2, 3, 4, 5) for image in (0, 1)])
    crowd = ParticleSets.of(rng, 4)
    assert crowd.group.tolist() == [0, 1, 0, 1, 2, 3, 2, 3]
    assert crowd.member.tolist() == [2, 2, 3, 3, 0, 0, 1, 1]
    assert crowd.first.tolist() == [0, 1, 4, 5]
    alone = ParticleSets.of(SampleRNG([(5, 1)]), 4)
    x = torch.zeros(1, 6)
    assert torch.equal(
        alone.rng.normal_like(x)[0], crowd.rng.normal_like(x.expand(4, 6))[crowd.group[-1]]
    )
    draws = crowd.rng.normal_like(x.expand(4, 6))
    assert len({tuple(row.tolist()) for row in draws}) == 4


def test_families_count_once() -> None:
    """Without resampling all particles count; where pairs are copies, half of them do."""
    places = torch.tensor([[[-3.0], [-1.0], [1.0], [3.0]]])
    none = torch.zeros(1, 4)
    alone = torch.arange(4)[None]
    torch.testing.assert_close(independent_size(none, places, alone), torch.tensor([4.0]))
    copies, pairs = places[:, [0, 0, 3, 3]], torch.tensor([[0, 0, 3, 3]])
    torch.testing.assert_close(independent_size(none, copies, pairs), torch.tensor([2.0]))
    # A family whose members disagree about everything tells as much as strangers.
    torch.testing.assert_close(
        independent_size(none, places[:, [0, 3, 0, 3]], torch.tensor([[0, 0, 1, 1]])),
        torch.tensor([4.0]),
    )
    still = torch.ones(1, 4, 1)
    torch.testing.assert_close(independent_size(none, still, pairs), torch.tensor([4.0]))


def test_family_sizes_are_those_of_the_error_of_a_mean() -> None:
    """Many sets of 60 particles, a family of 12 of which shares its first number."""
    generator = torch.Generator().manual_seed(1)
    family = (torch.arange(60) % 5).expand(4000, 60)
    shared = torch.randn(4000, 5, 1, generator=generator)[:, torch.arange(60) % 5]
    places = shared + torch.randn(4000, 60, 1, generator=generator)
    sizes = independent_size(torch.zeros(4000, 60), places, family)
    truth = 2 / places.mean(dim=1).var()
    # The mean of the set is subtracted: of five families, four are free.
    assert abs(float(1 / (1 / sizes).mean() / truth) - 5 / 4) < 0.1
