"""Lensless cameras and radio interferometers, from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from invscore.tasks.instruments import read_baselines
from invscore.tasks.measured import measured_task
from invscore.tasks.noises import parse_declared
from invscore.tasks.specs import parse_spec

RANDOM = np.random.default_rng(0)
UV = 1e4 * RANDOM.normal(size=(30, 2))
SEEN = (RANDOM.normal(size=30) + 1j * RANDOM.normal(size=30)).astype(np.complex64)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    np.save("uv.npy", UV)
    np.savez("vis.npz", vis=SEEN, weight=np.arange(30.0))
    np.save("psf.npy", RANDOM.random((12, 10)))
    np.save("raw.npy", RANDOM.random((14, 9)).astype(np.float32))
    return tmp_path


def task(op: str, file: str, shape: tuple[int, ...] | None, noise: str = "0.1", **part: Any) -> Any:
    law = parse_declared(noise)
    spec = parse_spec(op)
    return measured_task(spec, file, shape=shape, noise=law, device="cpu", part=part)


@pytest.mark.parametrize("way", ["(n, 2)", "(2, n)", "(n, 3)", "text"])
def test_baselines_are_read(folder: Path, way: str) -> None:
    file = folder / ("uv.txt" if way == "text" else "b.npy")
    if way == "text":
        lines = [f"{u!r}, {v!r} 7 # seen" for u, v in UV.tolist()]
        file.write_text("# u v w\n\n" + "\n".join(lines))
    else:
        wide = np.concatenate([UV, np.full((30, 1), np.nan)], axis=1)  # w is not looked at
        np.save(file, {"(n, 2)": UV, "(2, n)": UV.T, "(n, 3)": wide}[way])
    torch.testing.assert_close(read_baselines(file), torch.from_numpy(UV.T.copy()))


def test_weights_are_one_over_variances(folder: Path) -> None:  # noqa: ARG001
    pytest.importorskip("pytorch_finufft")
    op, noise = "interferometry(uv=uv.npy, pixel=1)", "map(file=vis.npz, key=weight)"
    job = task(op, "vis.npz", (1, 8, 8), noise, key="vis")
    expected = SEEN * np.sqrt(np.arange(30.0))
    np.testing.assert_allclose(job.problem.y[0, 0].numpy(), expected, rtol=1e-5)
    assert job.assumed == (
        "noise map: 1 of 30 numbers have no finite deviation above 0, not measured",
    )


def test_a_sensor_is_as_large_as_its_measurement(folder: Path) -> None:  # noqa: ARG001
    job = task("lensless(kernel=psf.npy)", "raw.npy", (1, 8, 6))
    assert job.problem.operator.out_shape == (1, 14, 9)
    assert float(job.problem.operator.kernel.sum()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("op", "file", "shape", "sentence"),
    [
        ("interferometry(uv=none.txt, pixel=1)", "vis.npz", (1, 8, 8), "cannot be read: No such"),
        ("interferometry(uv=psf.npy, pixel=1)", "vis.npz", (1, 8, 8), r"of shape \(n, 2\)"),
        ("interferometry(uv=uv.npy)", "vis.npz", (1, 8, 8), r"'interferometry\(pixel=1\)'"),
        ("interferometry(uv=uv.npy, pixel=60)", "vis.npz", (1, 8, 8), "half of the finest fringe"),
        ("interferometry(uv=uv.npy, pixel=1)", "raw.npy", (1, 8, 8), r"shape \(1, 30\), got"),
        ("lensless(kernel=psf.npy)", "raw.npy", None, "does not tell the shape of its scene"),
        ("lensless(kernel=psf.npy)", "raw.npy", (1, 2, 2), "from 1 to 13 rows and 11 columns"),
        ("lensless(kernel=psf.npy)", "uv.npy", (1, 8, 6), "from 1 to 19 rows and 15 columns"),
    ],
)
def test_what_does_not_fit(
    folder: Path,  # noqa: ARG001
    op: str,
    file: str,
    shape: tuple[int, ...] | None,
    sentence: str,
) -> None:
    with pytest.raises(ValueError, match=sentence):
        task(op, file, shape, key="vis" if file.endswith("z") else None)
