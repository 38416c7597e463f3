"""Factors from errors that are known, and the configuration that finds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from invscore.bench.imaging.cells import Cell, Outcome, remember
from invscore.bench.imaging.config import ImagingConfig
from invscore.bench.imaging.sources import BenchmarkImage
from invscore.calibration.widening import on_validation, widening, write_images
from invscore.images import load_image

CONFIG: dict[str, Any] = {
    "prior": "photos-gray",
    "limit": 2,
    "repeats": 3,
    "tasks": [
        {"name": "a", "op": "deblur"},
        {"name": "b", "op": "deblur", "size": 8, "images": "x"},
    ],
    "methods": [
        {"name": "tv"},
        {"name": "diffpir", "samples": 4, "calibration": "none.json"},
        {"name": "dps"},
    ],
}


def outcome(folder: Path, number: int, errors: torch.Tensor, refusal: str = "") -> Outcome:
    source = BenchmarkImage(f"image-{number}", "gray", 8)
    cell = Cell("a", "deblur", 0.1, source, "dps", "dps", {}, 4, "p", "", number, 0)
    made = Outcome(cell, {}, refusal, {} if refusal else {"errors": errors})
    remember(made, folder)
    return made


def test_errors_that_are_uniform(tmp_path: Path) -> None:
    # Of n images with errors spread evenly from 0 to 3, a loss of (0.1 (n + 1) - 1) / n is allowed.
    even = 3 * torch.linspace(0, 1, 2001)
    found = widening([outcome(tmp_path, k, even) for k in range(19)], tmp_path)
    assert found.factor == pytest.approx(3 * (1 - 1 / 19), abs=0.005)
    assert found.before == pytest.approx([1 / 3] * 19, abs=0.001)
    assert found.after == pytest.approx([1 - 0.9 / 18] * 19, abs=0.002)


def test_an_image_is_held_by_the_factor_of_the_others(tmp_path: Path) -> None:
    errors = [torch.linspace(0, 1, 2001) for _ in range(12)]
    errors[5] = 100 * errors[5]
    found = widening([outcome(tmp_path, k, e) for k, e in enumerate(errors)], tmp_path)
    assert found.after[5] < 0.02
    assert min(found.after[:5]) == 1.0, "the odd one out is among those that they are judged by"
    assert found.before[5] == pytest.approx(0.01, abs=0.001)


def test_reasons_why_there_is_no_factor(tmp_path: Path) -> None:
    even = torch.linspace(0, 1, 2001)
    good = [outcome(tmp_path, k, even) for k in range(10)]
    with pytest.raises(ValueError, match=r"level 0.9 needs at least 10 images, got 9"):
        widening(good[:9], tmp_path)
    with pytest.raises(ValueError, match="dps: no SVD"):
        widening([*good, outcome(tmp_path, 11, even, "dps: no SVD")], tmp_path)
    wrong = outcome(tmp_path, 12, torch.full((2001,), torch.inf))
    with pytest.raises(ValueError, match="agree on too many wrong pixels"):
        widening([*good[:4], wrong, *good[4:], wrong], tmp_path)


def test_the_configuration_has_the_methods_that_sample_and_one_folder(tmp_path: Path) -> None:
    config = ImagingConfig.model_validate(CONFIG)
    found = on_validation(config, tmp_path, 16)
    assert [(method.name, method.calibration) for method in found.methods] == [("diffpir", None)]
    assert (found.images, found.size, found.limit, found.repeats) == (str(tmp_path), 16, None, 1)
    assert all(task.images is None and task.size is None for task in found.tasks)
    points = config.model_copy(update={"methods": (config.methods[0], config.methods[2])})
    with pytest.raises(ValueError, match="at least one method must sample"):
        on_validation(points, tmp_path, 16)


def test_images_are_written_and_older_ones_go(tmp_path: Path) -> None:
    random = torch.Generator().manual_seed(0)
    real, phase = torch.rand(2, 3, 8, 8, generator=random)
    turned = torch.polar(real[:1], phase[:1])
    write_images({"old": real, "real": 1 - real}, tmp_path / "images")
    write_images({"real": real, "turned": turned}, tmp_path / "images")
    assert sorted(f.name for f in (tmp_path / "images").iterdir()) == ["real.png", "turned.npy"]
    again = load_image(tmp_path / "images" / "real.png")
    assert (again - real).abs().max() <= 0.5 / 255 + 1e-6
    assert torch.equal(load_image(tmp_path / "images" / "turned.npy"), turned)
