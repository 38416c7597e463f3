"""The comparison of parametrisations: what it measures, and a short run."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import parametrisations

    return parametrisations


def test_the_target_of_the_score_has_no_bound(example: ModuleType) -> None:
    for sigma in (0.01, 0.1):
        loss = example.loss_scale(example.untrained("score"), sigma)
        assert loss == pytest.approx((example.SPREAD / sigma) ** 2, rel=0.05)
        for name in ("noise", "data", "v", "edm"):
            assert example.loss_scale(example.untrained(name), sigma) == pytest.approx(1, abs=0.05)


def test_so_has_the_noise_of_its_gradient(example: ModuleType) -> None:
    """The gradient is linear in the target, as the network gives 0."""
    score = [example.gradient_noise(example.untrained("score"), s) for s in (0.01, 0.02)]
    assert score[0] / score[1] == pytest.approx(2, rel=0.2)  # the network sees other inputs
    noise = example.gradient_noise(example.untrained("noise"), 0.01)
    assert score[0] / noise == pytest.approx(example.SPREAD / 0.01, rel=1e-3)


def test_the_exact_denoiser_has_no_error(example: ModuleType) -> None:
    assert example.error(example.DATA, 0.1) == 0.0
    # Data of variance s^2 about 0 and F = 0: D is x at no noise and 0 at much.
    silent = example.untrained("edm").requires_grad_(False)
    assert example.error(silent, 10.0) < 0.05
    assert example.error(silent, 0.3) > 0.3


def test_a_short_run(
    example: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(example, "GRID", np.geomspace(example.LOWEST, example.HIGHEST, 3))
    monkeypatch.setattr(example, "SHOWN", 20)
    example.main(str(tmp_path / "figure.png"), 60)
    _, *rows = capsys.readouterr().out.splitlines()
    found = {row[:19].strip(): [float(number) for number in row[19:].split()] for row in rows}
    assert set(found) == {"score", "noise", "image", "v", "EDM"}
    fine, coarse = ({name: errors[k] for name, errors in found.items()} for k in (0, 2))
    assert fine["image"] > 5 * fine["EDM"], "small noise does not forgive"
    assert coarse["noise"] > 5 * coarse["EDM"], "large noise multiplies"
    assert coarse["score"] > 5 * coarse["noise"]
    assert (tmp_path / "figure.png").stat().st_size > 10_000
