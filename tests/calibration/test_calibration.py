"""Calibration on posteriors in closed form: exact samples need none, narrowed ones are widened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from invscore import GaussianNoise, GaussianPrior, InverseProblem, Result, reconstruct, simulate
from invscore.calibration import Calibration, calibrate
from invscore.exact import exact_posterior
from invscore.operators import Blur

F64 = torch.float64
SHAPE = (1, 8, 8)
OPERATOR = Blur.gaussian(1.0, SHAPE)


def prior() -> GaussianPrior:
    place = torch.cartesian_prod(torch.arange(8.0), torch.arange(8.0)).double()
    covariance = 0.04 * torch.exp(-(torch.cdist(place, place) ** 2) / 8)
    return GaussianPrior(
        torch.full(SHAPE, 0.5, dtype=F64), covariance + 1e-3 * torch.eye(64, dtype=F64)
    )


def result_of(samples: Tensor, **changes: Any) -> Result:
    """A result with these samples, (n, b, \\*shape), as if drawn by the driver."""
    made: dict[str, Any] = {
        "samples": samples,
        "trace": {},
        "evaluations": 1.0,
        "jacobian_products": 0.0,
        "seconds": 1.0,
        "method": "exact",
        "options": {"steps": 3, "sizes": (1, 2)},
        "seed": 0,
        "scale": 1.0,
        "residual": torch.ones(samples.shape[1]),
        "warnings": (),
    }
    return Result(**{**made, **changes})


def pairs(
    count: int, samples: int, *, spread: float = 1.0, seed: int = 0
) -> Iterator[tuple[Result, Tensor]]:
    """Exact posterior samples, their distance from the posterior mean times ``spread``."""
    truth = prior().sample(count, seed)
    y = simulate(OPERATOR, truth, GaussianNoise(0.05), seed)
    for k in range(count):
        problem = InverseProblem(OPERATOR, y[k : k + 1], GaussianNoise(0.05))
        posterior = exact_posterior(problem, prior())
        drawn = posterior.sample(samples, 10_000 + 100 * (seed + k))[:, None]
        yield result_of(posterior.mean + spread * (drawn - posterior.mean)), truth[k : k + 1]


@pytest.fixture(scope="module")
def exact() -> Calibration:
    return calibrate(pairs(60, 6), level=0.9)


@pytest.fixture(scope="module")
def narrow() -> Calibration:
    return calibrate(pairs(60, 6, spread=0.5), level=0.9)


def test_exact_samples_are_calibrated(exact: Calibration) -> None:
    coverage, error = exact.mean("coverage_before")
    assert error < 0.01
    assert coverage == pytest.approx(0.9, abs=4 * error)
    # Of sixty images a loss of (61 * 0.1 - 1) / 60 = 8.5 % is allowed.
    assert exact.factor == pytest.approx(1.05, abs=0.06)


def test_samples_of_half_the_spread_are_widened(exact: Calibration, narrow: Calibration) -> None:
    before, _ = narrow.mean("coverage_before")
    after, error = narrow.mean("coverage_after")
    assert 0.5 < before < 0.75
    assert after == pytest.approx(0.91, abs=4 * error)
    # The mean of the samples is nearer to the posterior's, too: not twice, but almost.
    assert narrow.factor / exact.factor == pytest.approx(1.9, abs=0.15)
    width, _ = narrow.mean("width_before")
    wider, _ = narrow.mean("width_after")
    assert wider / width == pytest.approx(narrow.factor, rel=0.02)


def test_new_images_are_covered(narrow: Calibration) -> None:
    held = []
    for result, truth in pairs(60, 6, spread=0.5, seed=500):
        interval = narrow.interval(result)
        torch.testing.assert_close(
            interval.width, narrow.factor * result.interval(narrow.level).width
        )
        held.append(interval.contains(truth).double().mean())
    coverage = torch.stack(held)
    error = float(coverage.std()) / len(held) ** 0.5
    assert float(coverage.mean()) == pytest.approx(0.91, abs=4 * error)


def test_a_level_is_of_pixels() -> None:
    found = calibrate(pairs(20, 4, spread=2.0), level=0.7)
    assert found.factor < 0.8, "too wide a spread is narrowed"
    before, after = (found.mean(f"coverage_{when}") for when in ("before", "after"))
    assert before[0] > 0.85
    assert after[0] == pytest.approx(0.7 + 0.3 / 21, abs=0.3 / 21 + 4 * after[1])


def test_an_image_is_judged_by_the_others() -> None:
    given = list(pairs(11, 4))
    found = calibrate(given, level=0.8)
    for k, (result, truth) in enumerate(given):
        others = calibrate(given[:k] + given[k + 1 :], level=0.8)
        interval = others.interval(result)
        image = found.images[k]
        assert image.coverage_after == float(interval.contains(truth).double().mean())
        assert image.width_after == pytest.approx(float(interval.width.mean()))
        before = result.interval(0.8)
        assert image.coverage_before == float(before.contains(truth).double().mean())
        assert image.width_before == pytest.approx(float(before.width.mean()))


def test_batches_count_their_images() -> None:
    ones = list(pairs(12, 4))
    samples = torch.cat([result.samples for result, _ in ones], dim=1)
    truth = torch.cat([truth for _, truth in ones])
    together = calibrate([(result_of(samples), truth)])
    assert together == calibrate(ones)
    assert len(together.images) == 12


def test_complex_images_count_both_parts() -> None:
    turned = [(result_of((1 + 1j) * r.samples), (1 + 1j) * truth) for r, truth in pairs(12, 4)]
    # As volumes, whose intervals do not ask neighbours either.
    ones = [(result_of(r.samples.unsqueeze(3)), truth.unsqueeze(2)) for r, truth in pairs(12, 4)]
    assert calibrate(turned).factor == pytest.approx(calibrate(ones).factor, rel=0.05)
    for quantity in ("coverage_before", "coverage_after", "width_before"):
        both = calibrate(turned).mean(quantity)
        assert both == pytest.approx(calibrate(ones).mean(quantity), rel=0.05, abs=2e-3)


def test_a_calibration_is_kept_in_a_file(exact: Calibration, tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    found = calibrate(pairs(10, 2), noise=0.05, prior="smooth")
    found.save(file)
    assert Calibration.load(file) == found
    content = json.loads(file.read_text())
    assert content["setting"] == {
        "antithetic": False,
        "method": "exact",
        "options": {"steps": 3, "sizes": [1, 2]},
        "samples": 2,
        "noise": 0.05,
        "prior": "smooth",
    }
    assert content["means"]["coverage_after"] == found.mean("coverage_after")[0]
    assert len(content["images"]) == 10
    assert exact.content()["factor"] == exact.factor


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"method": "dps"}, "method exact, given dps"),
        ({"options": {"steps": 4, "sizes": (1, 2)}}, "options.steps 3, given 4"),
        ({"options": {"steps": 3, "sizes": (1, 3)}}, r"options.sizes \[1, 2\], given \[1, 3\]"),
    ],
)
def test_another_setting_is_refused(
    exact: Calibration, changes: dict[str, Any], sentence: str
) -> None:
    result, _ = next(pairs(1, 6))
    exact.interval(result)
    with pytest.raises(ValueError, match=f"the calibration was made with {sentence}: "):
        exact.interval(result_of(result.samples, **changes))
    with pytest.raises(ValueError, match="made with samples 6, given 5"):
        exact.interval(result_of(result.samples[:5]))


def test_recorded_settings_are_compared_where_both_have_them() -> None:
    found = calibrate(pairs(10, 2), noise=0.05)
    found.require({"noise": 0.05, "operator": "blur"})
    with pytest.raises(ValueError, match=r"made with noise 0.05, given 0.1"):
        found.require({"noise": 0.1})


SOUND = {"format": "invscore calibration 2", "level": 0.9, "factor": 1.5, "setting": {}}


IMAGES = [{"coverage_before": 1, "coverage_after": 1, "width_before": 1, "width_after": 1}]


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[1]",
        "{}",
        json.dumps(SOUND),
        json.dumps({**SOUND, "images": [{"coverage": 1}]}),
        json.dumps({**SOUND, "images": IMAGES, "format": "invscore calibration 0"}),
        json.dumps({**SOUND, "images": IMAGES, "level": 2}),
        json.dumps({**SOUND, "images": IMAGES, "factor": "wide"}),
        json.dumps({**SOUND, "images": IMAGES, "factor": -1.5}),
    ],
)
def test_files_that_are_no_calibration(tmp_path: Path, content: str) -> None:
    file = tmp_path / "c.json"
    with pytest.raises(ValueError, match=r"calibration '.*c\.json': no such file"):
        Calibration.load(file)
    file.write_text(json.dumps({**SOUND, "images": IMAGES}))
    assert Calibration.load(file).factor == 1.5
    file.write_text(content)
    with pytest.raises(
        ValueError, match=r"must be a file written by 'invscore calibrate', got '.*c\.json'"
    ):
        Calibration.load(file)


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"level 0.9 needs at least 10 images, got 9"):
        calibrate(pairs(9, 2))
    with pytest.raises(ValueError, match=r"level 0.5 needs at least 2 images, got 0"):
        calibrate([], level=0.5)
    with pytest.raises(ValueError, match=r"`level` must lie in \(0, 1\), got 90"):
        calibrate(pairs(10, 2), level=90)
    with pytest.raises(ValueError, match="`samples` must hold at least 2 for an interval, got 1"):
        calibrate(pairs(10, 1))
    first, truth = next(pairs(1, 3))
    with pytest.raises(
        ValueError, match=r"`truth` must have the shape \(1, 1, 8, 8\), got \(1, 8, 8\)"
    ):
        calibrate([(first, truth[0])])
    other = result_of(first.samples, method="other")
    with pytest.raises(ValueError, match="the results must be those of one method"):
        calibrate([(first, truth), (other, truth)])
    alike = result_of(first.samples[:1].expand(3, 10, *SHAPE))
    with pytest.raises(ValueError, match="no factor widens an interval of no width"):
        calibrate([(alike, truth.expand(10, *SHAPE))])


def test_results_of_the_driver_have_intervals() -> None:
    truth = prior().sample(2, 0)
    y = simulate(OPERATOR, truth, GaussianNoise(0.05), 0)
    problem = InverseProblem(OPERATOR, y, GaussianNoise(0.05))
    result = reconstruct(problem, prior(), method="mmps", samples=9, steps=10)
    lower, upper = result.interval(0.8)
    assert lower.shape == upper.shape == (2, *SHAPE)
    torch.testing.assert_close((lower + upper) / 2, result.mean)
    torch.testing.assert_close(result.quantile(0.1), result.samples.amin(dim=0))
    with pytest.raises(ValueError, match=r"`q` must lie in \[0.1, 0.9\] for 9 samples, got 0.05"):
        result.quantile(0.05)
