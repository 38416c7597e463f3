"""Moderated variances: coverage on Gaussian laws in closed form, and Smyth's prior found again."""

from __future__ import annotations

import math
import sys

import pytest
import torch
from scipy.special import polygamma
from torch import Tensor

from invscore.uncertainty.intervals import half_width
from invscore.uncertainty.moderated import _freedom, _prior, _within, moderated
from invscore.uncertainty.pairs import spread
from invscore.uncertainty.windows import Windows

MODULE = sys.modules[moderated.__module__]
F64 = torch.float64
SHAPE = (1, 64, 64)
IMAGES = 12


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def smoothed(z: Tensor, pixels: float) -> Tensor:
    """White fields as stationary ones of variance 1 that are alike over ``pixels``."""
    h, w = z.shape[-2:]
    radius = torch.hypot(torch.fft.fftfreq(h)[:, None], torch.fft.rfftfreq(w)).double()
    answer = torch.exp(-2 * (math.pi * pixels * radius) ** 2)
    both = torch.where(torch.arange(w // 2 + 1) % (w // 2) == 0, 1.0, 2.0)
    answer = answer / ((answer**2 * both).sum() / (h * w)).sqrt()
    return torch.fft.irfft2(torch.fft.rfft2(z) * answer, s=(h, w))


def drawn(n: int, deviation: Tensor | float, pixels: float = 0.0) -> tuple[Tensor, Tensor]:
    """Antithetic samples (n, IMAGES, \\*SHAPE) and truths of one Gaussian law."""
    fields = normal(n // 2 + 1, IMAGES, *SHAPE, seed=n)
    fields = (smoothed(fields, pixels) if pixels else fields) * deviation
    return torch.stack([s * z for z in fields[1:] for s in (1, -1)]), fields[0]


MASK = torch.rand(SHAPE, generator=torch.Generator().manual_seed(0)) < 0.3
HIDDEN = torch.where(MASK, 0.02, 0.1).double()
ROUGH = torch.exp(0.7 * normal(*SHAPE, seed=5))


@pytest.mark.parametrize("n", [2, 4, 8])
@pytest.mark.parametrize(
    ("deviation", "pixels", "measured"),
    [(0.1, 0, None), (0.1, 1, None), (0.1, 2.5, None), (HIDDEN, 0, MASK), (ROUGH, 0, None)],
    ids=["alike", "a field", "a coarse field", "a mask", "rough"],
)
def test_intervals_hold_what_they_say(
    n: int, deviation: Tensor | float, pixels: float, measured: Tensor | None
) -> None:
    samples, truth = drawn(n, deviation, pixels)
    for level in (0.5, 0.9):
        half = half_width(samples, level, paired=True, measured=measured)
        held = float(((truth - samples.mean(0)).abs() <= half).double().mean())
        # Laws of a few degrees of freedom are near Student's, not quite: worst with two samples.
        assert held == pytest.approx(level, abs=0.03 if n == 2 else 0.02)


@pytest.mark.parametrize(("n", "before", "after"), [(2, 6.0, 1.15), (4, 2.0, 1.08), (8, 1.4, 1.05)])
def test_the_most_certain_fifth_errs_as_it_is_told(n: int, before: float, after: float) -> None:
    samples, truth = drawn(n, HIDDEN)

    def over_told(variance: Tensor, share: float) -> float:
        told = variance.flatten() * (1 + share)
        least = told.argsort()[: len(told) // 5]
        errors = (truth - samples.mean(0)).flatten()[least]
        return float((errors.square().mean() / told[least].mean()).sqrt())

    raw = spread(samples, paired=True)
    found = moderated(samples, paired=True, measured=MASK)
    assert over_told(raw.variance, raw.share) > before
    assert 0.97 < over_told(found.variance, found.share) < after
    assert float(found.variance.mean() / raw.variance.mean()) == pytest.approx(1, abs=1e-6)


FINE = torch.exp(1.2 * smoothed(normal(*SHAPE, seed=6), 1.5))


@pytest.mark.parametrize(("deviation", "taken"), [(FINE, 2), (0.1, 8)], ids=["fine", "alike"])
def test_windows_are_from_2_to_8_pixels(
    deviation: Tensor | float, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that leaves most degrees of freedom: of 1 pixel they would be more where it is 2."""
    samples = drawn(4, deviation)[0][:, :1]
    found = moderated(samples, paired=True)
    freedom = {}
    for window in (1, 2, 4, 8):
        monkeypatch.setattr(MODULE, "WINDOWS", (window,))
        only = moderated(samples, paired=True)
        freedom[window] = float(only.freedom)
        if window == taken:
            torch.testing.assert_close(only.variance, found.variance)
    assert float(found.freedom) == max(freedom[window] for window in (2, 4, 8))
    assert (freedom[1] > freedom[2]) == (taken == 2)
    assert freedom[taken] == float(found.freedom)


def test_what_is_at_the_end_of_a_window_is_no_neighbour() -> None:
    """Two pixels of a kind, 6 apart: 0.0004 of a window of 2 pixels; 4 apart: 0.005 of it."""
    variance = 0.5 + torch.rand(1, 32, 32, generator=torch.Generator().manual_seed(0), dtype=F64)
    squared = torch.zeros(32, 32, dtype=F64)
    squared[0, 0] = 1.0
    for apart, alone in ((6, True), (4, False)):
        kind = torch.zeros_like(variance)
        kind[0, 10, 10] = kind[0, 10, 10 + apart] = 1.0
        told, scale, freedom = _within(Windows(variance, 2), variance, 2.0, squared, [kind])
        assert bool((told == variance).all()) is alone
        assert bool((scale == variance).all()) is alone
        assert (freedom == 2.0) is alone


def test_measured_pixels_are_no_neighbours_of_others() -> None:
    samples, _ = drawn(4, HIDDEN)
    apart = moderated(samples, paired=True, measured=MASK).variance
    mixed = moderated(samples, paired=True).variance
    true = HIDDEN.square().expand_as(apart)
    assert float((apart / true).log().square().mean()) < 0.03
    assert float((mixed / true).log().square().mean()) > 0.5
    other = moderated(samples, paired=True, measured=MASK[:, :32]).variance
    torch.testing.assert_close(other, mixed)  # of another shape: not of these images


def test_many_samples_are_taken_at_their_word() -> None:
    """Of variances that are rough, as those of so few numbers are not known to be alike."""
    samples = normal(400, 3, *SHAPE, seed=1) * ROUGH
    raw, found = spread(samples, paired=False), moderated(samples, paired=False)
    assert float((found.variance / raw.variance).log().square().mean().sqrt()) < (2 / 399) ** 0.5
    assert float((found.scale / raw.variance).log().square().mean().sqrt()) < (2 / 399) ** 0.5
    assert bool((found.freedom >= raw.freedom).all())


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 1, 1, 1)])
def test_numbers_have_no_neighbours(shape: tuple[int, ...]) -> None:
    samples = normal(6, *shape, seed=0)
    raw, found = spread(samples, paired=True), moderated(samples, paired=True)
    torch.testing.assert_close(found.variance, raw.variance)
    torch.testing.assert_close(found.scale, raw.variance)
    assert found.freedom.tolist() == [raw.freedom] * 4
    single = moderated(samples[:1], paired=True)
    assert float(single.variance.abs().sum()) == 0


def test_samples_that_agree_but_for_rounding_tell_nothing() -> None:
    last_digit = torch.tensor([1, 1 + 6e-8, 1]).reshape(3, 1, 1, 1, 1)
    samples = torch.full((3, 2, 1, 8, 8), 0.3) * last_digit
    found = moderated(samples, paired=False)
    torch.testing.assert_close(found.variance, spread(samples, paired=False).variance)


def test_pixels_of_which_samples_agree_are_told_finite_variances() -> None:
    """As of a saturated sky beside others: no logarithm of 0."""
    samples = normal(4, 1, *SHAPE, seed=3)
    samples[..., :8] = 1.0
    found = moderated(samples, paired=True)
    assert bool(found.variance.isfinite().all() and found.scale.isfinite().all())
    assert bool((found.variance[..., 20:] > 0).all())
    assert math.isfinite(float(found.freedom))
    assert float(found.freedom) > 1


@pytest.mark.parametrize("variance", [1e-3, 0.1, 1.0, 5.0, 40.0])
def test_degrees_of_freedom_have_the_variance_that_is_asked_for(variance: float) -> None:
    assert float(polygamma(1, _freedom(variance) / 2)) == pytest.approx(variance, rel=1e-9)


@pytest.mark.parametrize("complex_", [False, True])
def test_images_do_not_know_of_one_another(complex_: bool) -> None:
    samples = normal(4, 3, 2, 16, 16, seed=2) * torch.tensor([1.0, 5.0, 0.1]).reshape(3, 1, 1, 1)
    if complex_:
        samples = torch.complex(samples, 3 * samples.roll(1, dims=0))
    together = moderated(samples, paired=False)
    for k in range(3):
        alone = moderated(samples[:, k : k + 1], paired=False)
        torch.testing.assert_close(together.variance[k], alone.variance[0])
        assert float(together.freedom[k]) == pytest.approx(float(alone.freedom[0]))
    if complex_:
        ratio = together.variance[..., 1].mean() / together.variance[..., 0].mean()
        assert float(ratio) == pytest.approx(9)


@pytest.mark.parametrize("f", [1.0, 2.0, 6.0])
@pytest.mark.parametrize("d0", [3.0, 12.0])
def test_the_prior_of_variances_is_found(f: float, d0: float) -> None:
    """Of a million, whose mean is known: d0 to some percent, and its scale ``(d0 - 2) / d0``."""
    random = torch.distributions.Chi2
    torch.manual_seed(0)
    variances = (d0 - 2) / random(torch.tensor(d0, dtype=F64)).sample((10**6,))
    seen = variances * random(torch.tensor(f, dtype=F64)).sample((10**6,)) / f
    found, off = _prior(seen.log(), f, 1e9, 0.0)
    assert found == pytest.approx(d0, rel=0.08)
    assert off == pytest.approx((d0 - 2) / d0, rel=0.03)


def test_the_prior_knows_what_neighbours_share() -> None:
    """The mean's own noise is no roughness, nor is what it has in common with the pixel any."""
    torch.manual_seed(0)
    own, shared = (torch.distributions.Chi2(2.0).sample((10**6,)).double() / 2 for _ in range(2))
    of_mean = torch.distributions.Chi2(8.0).sample((10**6,)).double() / 8
    assert _prior((own / of_mean).log(), 2.0, 8.0, 0.0)[0] > 300
    assert _prior((own / of_mean).log(), 2.0, 1e9, 0.0)[0] < 20
    half = 0.5 * own + 0.5 * shared  # four degrees of freedom, correlation 1 / sqrt 2 with its own
    rough = float((own / half).log().var())
    expected = math.pi**2 / 6 + (math.pi**2 / 6 - 1) - 2 * 0.5
    assert rough < expected  # logarithms go together more than to first order: d0 is not too large
    assert _prior((own / half).log(), 2.0, 4.0, 0.5)[0] > 100
