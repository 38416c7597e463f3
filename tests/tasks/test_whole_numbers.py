"""The rounding of files of whole numbers, below which no declared noise is."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from invscore.noise import GaussianNoise
from invscore.tasks.measured import measured_task
from invscore.tasks.specs import parse_spec
from invscore.tasks.task import Task

SHADES = np.random.default_rng(0).uniform(size=(20, 24))


def task(file: Path, noise: float) -> Task:
    return measured_task(parse_spec("denoise"), str(file), shape=None, noise=noise, device="cpu")


def level(job: Task) -> float:
    assert isinstance(job.problem.noise, GaussianNoise)
    return float(job.problem.noise.sigma)


@pytest.mark.parametrize(
    ("name", "dtype", "white"),
    [("a.png", np.uint8, 255), ("a.png", np.uint16, 65535), ("a.npy", np.uint8, 255)],
)
def test_declared_noise_is_at_least_the_rounding(
    name: str, dtype: type, white: int, tmp_path: Path
) -> None:
    file = tmp_path / name
    stored: np.ndarray = np.round(SHADES * white).astype(dtype)
    if file.suffix == ".npy":
        np.save(file, stored)
    else:
        Image.fromarray(stored).save(file)
    rounding = 1 / (white * math.sqrt(12))
    # The law of the errors that rounding has indeed made.
    assert (stored / white - SHADES).std() == pytest.approx(rounding, rel=0.1)
    for declared in (0.0, rounding / 3):
        raised = task(file, declared)
        assert level(raised) == pytest.approx(rounding, rel=1e-5)
        assert any("rounding" in said and f"{white}" in said for said in raised.assumed)
    kept = task(file, 2 * rounding)
    assert level(kept) == pytest.approx(2 * rounding, rel=1e-5)
    assert not any("rounding" in said for said in kept.assumed)
    with pytest.raises(ValueError, match="noise"):
        task(file, -1.0)


def test_floating_point_is_as_exact_as_declared(tmp_path: Path) -> None:
    file = tmp_path / "a.npy"
    np.save(file, SHADES.astype(np.float32))
    job = task(file, 1e-6)
    assert level(job) == pytest.approx(1e-6, rel=1e-5)
    assert not any("rounding" in said for said in job.assumed)
