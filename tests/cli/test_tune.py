"""``invscore tune`` with a tiny prior and images of waves."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from typer.testing import Result

from invscore.images import crop_and_shrink, load_image, save_image
from invscore.tune.tuning_problem import TuningProblem

pytest.importorskip("optuna")

Run = Callable[..., Result]

CONFIG = """
prior: {prior}
size: 64
tasks:
- {{name: blur, op: deblur}}
- {{name: edges, op: "deblur(sigma=2.0)"}}
methods:
- {{name: tv, options: {{iterations: 10}}}}
- {{name: map}}
- {{name: diffpir, samples: 2, options: {{steps: 2}}}}
"""


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prior: str) -> Path:
    """The current folder, with a configuration and two images in it."""
    monkeypatch.chdir(tmp_path)
    axis = torch.linspace(0, 9, 40)
    for name, k in (("a", 1.0), ("b", 2.3)):
        wave = 0.5 + 0.4 * torch.sin(k * axis[:, None] + axis**1.5)
        save_image(tmp_path / "val" / f"{name}.png", wave[None])
    (tmp_path / "bench.yaml").write_text(CONFIG.format(prior=prior))
    return tmp_path


@pytest.fixture
def tune(invscore: Run, photos: Path) -> Run:  # noqa: ARG001
    def run(*more: str) -> Result:
        common = {"--config": "bench.yaml", "--images": "val", "--size": "32", "--trials": "3"}
        words = [word for pair in common.items() if pair[0] not in more for word in pair]
        return invscore("tune", *words, *more)

    return run


def record(file: str = "tuned.yaml") -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(Path(file).read_text())
    return found


def test_options_are_written_and_found_again(tune: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tune()
    assert first.exit_code == 0, first.output
    assert re.search(r"method +task +default +tuned +gain +options", first.output)
    content = record()
    assert list(content["methods"]) == ["tv", "diffpir"]
    found = content["methods"]["tv"]["blur"]
    assert found["trials"] == 3
    assert found["psnr"] >= found["psnr_default"]
    assert content["methods"]["diffpir"]["edges"]["samples"] == 2
    assert content["images"] == ["a", "b"]
    assert content["size"] == 32
    assert {"invscore", "torch", "optuna"} <= set(content["versions"])
    assert content["command"].startswith("invscore")
    text = Path("tuned.yaml").read_text()
    assert not re.search(r"20\d\d-\d\d", text), "no dates: the same command writes the same file"
    monkeypatch.setattr(TuningProblem, "score", None)  # nothing is tried twice
    assert tune().exit_code == 0
    assert Path("tuned.yaml").read_text() == text


def test_parts_of_a_configuration(tune: Run) -> None:
    found = tune("--methods", "tv", "--tasks", "edges", "--crops", "3", "--out", "o/x.yaml")
    assert found.exit_code == 0, found.output
    content = record("o/x.yaml")
    assert {name: list(tasks) for name, tasks in content["methods"].items()} == {"tv": ["edges"]}
    assert content["images"] == ["a-0", "b-0", "a-1"]
    assert Path("o/x.journal").is_file()


def test_what_is_found_before_an_interruption_is_kept(
    tune: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    score, calls = TuningProblem.score, []

    def interrupted(self: TuningProblem, *given: Any) -> float:
        calls.append(self.method.name)
        if calls.count("diffpir") == 3:
            raise KeyboardInterrupt
        return score(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(TuningProblem, "score", interrupted)
        found = tune()
    assert found.exit_code == 130
    assert "interrupted" in found.output
    kept = record()["methods"]
    assert kept["tv"]["blur"]["trials"] == 3
    assert kept["diffpir"]["blur"] == {
        "options": {},
        "psnr": kept["diffpir"]["blur"]["psnr_default"],
        "psnr_default": kept["diffpir"]["blur"]["psnr_default"],
        "samples": 2,
        "trials": 1,
    }
    assert tune().exit_code == 0
    again = record()["methods"]
    assert again["tv"]["blur"] == kept["tv"]["blur"]
    assert again["diffpir"]["blur"]["trials"] == 3


def test_a_task_that_a_method_does_not_serve(tune: Run, photos: Path) -> None:
    config = (photos / "bench.yaml").read_text().replace("deblur(sigma=2.0)", "phase")
    (photos / "bench.yaml").write_text(config)
    assert tune("--methods", "tv").exit_code == 0
    found = record()["methods"]["tv"]
    assert "options" in found["blur"]
    assert "tv needs a linear operator" in found["edges"]["refused"]


def test_mistakes_are_told_in_a_sentence(tune: Run, photos: Path) -> None:
    def sentence(*more: str) -> str:
        found = tune(*more)
        assert found.exit_code == 2
        assert not Path("tuned.yaml").exists()
        return " ".join(found.output.split())

    assert "unknown method 'dps': the configuration has tv, map, diffpir" in sentence(
        "--methods", "dps"
    )
    assert "unknown task 'holes'" in sentence("--tasks", "holes")
    assert "no such folder" in sentence("--images", "nowhere")
    assert "samples, which are held out, got 'camera'" in sentence("--images", "camera")
    assert "`size` must lie in [1, 40]" in sentence("--size", "50")
    assert "`--out` must be a file, got the folder 'val'" in sentence("--out", "val")
    assert "1000000000000 crops would need" in sentence("--crops", str(10**12))
    save_image(photos / "val" / "c.png", crop_and_shrink(load_image("coins"), 64))
    assert "image 'c.png' is the sample 'coins' of scikit-image" in sentence()
    assert "nothing of 'map' is tuned: it is of" in sentence("--methods", "map")
