"""Many measurements by one command: each on its own, whoever does it."""

from __future__ import annotations

import csv
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from typer.testing import Result

from invscore.cli import many
from invscore.cli.many import _Work
from invscore.cli.restoring import Job
from invscore.files.atomic import _host
from invscore.images import crop_and_shrink, load_image, save_image
from invscore.many import named_seed

Run = Callable[..., Result]
KEPT = ("--method", "diffpir", "--steps", "2", "--samples", "2", "--noise", "0.05")
MASKED = ("--op", "inpaint(keep=0.5)", *KEPT)


@pytest.fixture
def images(folder: Path) -> Path:
    """Seven small images of two shapes."""
    camera = crop_and_shrink(load_image("camera"), 64)
    for k in range(5):
        save_image(folder / f"in/a{k}.png", camera[:, 6 * k : 6 * k + 24, :24])
    for k in range(2):
        save_image(folder / f"in/b{k}.png", camera[:, :16, 9 * k : 9 * k + 20])
    return folder / "in"


def table(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "index.csv").open(encoding="utf-8") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def samples(folder: Path) -> dict[str, np.ndarray]:
    found = {file.parent.name: np.load(file)["samples"] for file in folder.glob("*/arrays.npz")}
    assert found
    return found


def assert_equal(one: Path, other: Path, tolerance: float = 0.0) -> None:
    first, second = samples(one), samples(other)
    assert first.keys() == second.keys()
    for name, values in first.items():
        np.testing.assert_allclose(values, second[name], rtol=0, atol=tolerance)


def test_a_folder_is_restored_and_gone_on_with(reconstruct: Run, images: Path) -> None:
    ran = reconstruct(*MASKED, "--image", "in", "--out", "out")
    assert ran.exit_code == 0, ran.output
    assert "7 of 7 restored" in ran.output
    rows = table(Path("out"))
    assert list(rows) == ["a0", "a1", "a2", "a3", "a4", "b0", "b1"]
    assert all(row["status"] == "done" and float(row["psnr"]) > 5 for row in rows.values())
    assert float(rows["a1"]["psnr"]) == json.loads(Path("out/a1/metrics.json").read_text())["psnr"]
    assert rows["b0"]["options.steps"] == "2"
    assert {file.name for file in Path("out/b0").iterdir()} == {
        *("arrays.npz", "metrics.json", "mean.png", "std.png"),
        *("reconstruction.png", "measurement.png", "truth.png"),
    }
    times = {name: os.stat(f"out/{name}/metrics.json").st_mtime_ns for name in rows}
    Path("out/a3/metrics.json").unlink()
    save_image(images / "b1.png", torch.rand(1, 16, 20))
    again = reconstruct(*MASKED, "--image", "in", "--out", "out")
    assert "7 of 7 restored, 5 of them before" in again.output
    for name, row in table(Path("out")).items():
        new = os.stat(f"out/{name}/metrics.json").st_mtime_ns != times[name]
        assert new == (name in ("a3", "b1"))
        assert (row["psnr"] == rows[name]["psnr"]) == (name != "b1")
    other = reconstruct(*MASKED, "--image", "in", "--out", "out", "--seed", "1")
    assert "7 of 7 restored\n" in other.output


def test_neither_company_nor_batch_changes_a_result(reconstruct: Run, images: Path) -> None:
    reconstruct(*MASKED, "--image", "in", "--out", "out")
    seed = str(named_seed(0, "a3.png"))
    assert table(Path("out"))["a3"]["seed"] == seed
    alone = (*MASKED, "--image", "in/a3.png", "--out", "alone/a3", "--seed", seed)
    assert reconstruct(*alone).exit_code == 0
    reconstruct(*MASKED, "--image", "in", "--out", "one", "--batch-size", "2")
    (images / "a0.png").unlink()
    reconstruct(*MASKED, "--image", "in/*.png", "--out", "fewer")
    whole = samples(Path("out"))
    for folder in ("alone", "one", "fewer"):
        for name, values in samples(Path(folder)).items():
            np.testing.assert_allclose(values, whole[name], rtol=0, atol=1e-5)


def test_what_fails_is_named_and_the_others_go_on(reconstruct: Run, images: Path) -> None:
    images.joinpath("torn.png").write_bytes(b"no picture")
    np.save(images / "nan.npy", np.full((24, 24), np.nan, np.float32))
    ran = reconstruct(*MASKED, "--image", "in", "--out", "out")
    assert ran.exit_code == 1
    assert "2 of 9 have failed: out/index.csv says why" in ran.output
    rows = table(Path("out"))
    assert rows["torn"]["status"] == rows["nan"]["status"] == "failed"
    assert "must be finite" in rows["nan"]["error"]
    assert not Path("out/torn").exists()
    assert sum(row["status"] == "done" for row in rows.values()) == 7


def test_of_a_batch_that_fails_each_is_tried(
    reconstruct: Run, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Job.reconstruct

    def fragile(self: Job, job: object, *rest: object, **more: object) -> object:
        if job.problem.y.shape[-2:] == (24, 24) and 105 in job.problem.y.flatten():
            raise RuntimeError("diverged")
        return whole(self, job, *rest, **more)

    np.save(images / "a5.npy", np.full((24, 24), 105, np.float32))
    monkeypatch.setattr(Job, "reconstruct", fragile)
    ran = reconstruct("--op", "denoise", *KEPT, "--measurement", "in", "--out", "out")
    assert ran.exit_code == 1
    rows = table(Path("out"))
    assert [name for name, row in rows.items() if row["status"] == "failed"] == ["a5"]
    assert "diverged" in rows["a5"]["error"]


def test_a_stack_is_many(reconstruct: Run, folder: Path) -> None:
    stack = np.random.default_rng(0).random((3, 1, 16, 16), dtype=np.float32)
    with h5py.File(folder / "scans.h5", "w") as file:
        file["y"] = stack
    np.save(folder / "scans.npy", stack[:, 0])
    plain = ("--op", "denoise", *KEPT)
    assert reconstruct(*plain, "--measurement", "scans.h5", "--out", "h5").exit_code == 0
    asked = ("--measurement", "scans.npy", "--axes", "zhw", "--out", "npy")
    assert reconstruct(*plain, *asked).exit_code == 0
    assert list(table(folder / "h5")) == ["scans-0", "scans-1", "scans-2"]
    assert_equal(folder / "h5", folder / "npy")
    np.testing.assert_array_equal(np.load("h5/scans-2/arrays.npz")["y"], stack[2])


def test_what_lies_beside_pictures_is_left_alone(reconstruct: Run, folder: Path) -> None:
    for name in ("a b ü.png", ".a b ü.png", "sub/.c.png"):
        save_image(folder / "in" / name, torch.rand(1, 16, 16))
    for name in ("._a.png", "notes.txt", "Thumbs.db", ".DS_Store"):
        (folder / "in" / name).write_bytes(b"not a picture")
    assert reconstruct(*MASKED, "--image", "in", "--out", "out").exit_code == 0
    assert list(table(folder / "out")) == ["a b ü"]
    ran = reconstruct(*MASKED, "--image", "in/sub", "--out", "none")
    assert ran.exit_code == 2
    assert "no images in 'in/sub'" in ran.output


def test_names_that_would_meet_keep_their_suffix(reconstruct: Run, images: Path) -> None:
    np.save(images / "b0.npy", np.zeros((16, 20), np.float32))
    save_image(images / "deeper/b0.png", torch.rand(1, 16, 20))
    reconstruct(*MASKED, "--image", "in/**/b*", "--out", "out")
    assert list(table(Path("out"))) == ["b0.npy", "b0.png", "b1", "deeper/b0"]
    assert Path("out/deeper/b0/metrics.json").exists()


def test_what_joins_changes_no_result(reconstruct: Run, images: Path) -> None:
    """Neither another file of one stem, nor the first in another folder."""
    reconstruct(*MASKED, "--image", "in", "--out", "before")
    reconstruct(*MASKED, "--image", "i*/**/b*", "--out", "pattern")
    assert list(table(Path("pattern"))) == ["in/b0", "in/b1"]
    np.save(images / "b0.npy", np.zeros((16, 20), np.float32))
    save_image(images / "deeper/b2.png", torch.rand(1, 16, 20))
    reconstruct(*MASKED, "--image", "in", "--out", "after")
    reconstruct(*MASKED, "--image", "in/**/b*", "--out", "deeper")
    before, after = samples(Path("before")), samples(Path("after"))
    deeper = samples(Path("deeper"))
    assert "b0" not in after
    np.testing.assert_allclose(after["b0.png"], before["b0"], rtol=0, atol=1e-5)
    assert not np.allclose(after["b0.npy"], before["b0"], rtol=0, atol=1e-2)
    for name, values in {"b0.png": "b0", "b1": "b1"}.items():
        np.testing.assert_allclose(deeper[name], before[values], rtol=0, atol=1e-5)


@pytest.mark.usefixtures("images")
def test_three_workers_one_of_whom_dies(reconstruct: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    reconstruct(*MASKED, "--image", "in", "--out", "one")
    monkeypatch.setattr(many, "_Work", Deadly)
    ran = reconstruct(
        *MASKED, "--image", "in", "--out", "many", "--workers", "3", "--batch-size", "2"
    )
    assert ran.exit_code == 0, ran.output
    assert Path("died").exists()
    assert_equal(Path("one"), Path("many"), 1e-5)
    assert not list(Path("many").glob(".*"))


class Deadly(_Work):
    """Whoever is given a3 first is killed, in the midst of writing."""

    def __call__(self, sources: object) -> object:
        if any(source.name == "a3" for source in sources) and not Path("died").exists():
            Path("died").touch()
            (self.folder / f".a3.{os.getpid()}@{_host()}.partial").mkdir()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(sources)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--image", "in/*.jpg"), "no file fits the pattern 'in/*.jpg'"),
        (("--image", "empty"), "no images in 'empty'"),
        (
            ("--image", "gray.png", "--workers", "2"),
            "--image must be a folder, a pattern",
        ),
        (("--image", "in", "--out", "foreign"), "`--out` must be empty or hold results"),
        (("--op", "deblur(sigma=-1)", "--image", "in"), "all 7 have failed: "),
    ],
)
def test_what_is_refused(
    reconstruct: Run, images: Path, arguments: tuple[str, ...], message: str
) -> None:
    (images.parent / "empty").mkdir()
    (images.parent / "foreign").mkdir()
    (images.parent / "foreign" / "thesis.tex").touch()
    given = arguments if "--op" in arguments else (*MASKED[:2], *arguments)
    ran = reconstruct(*KEPT, *given, *(() if "--out" in given else ("--out", "out")))
    assert ran.exit_code == 2
    assert message in " ".join(ran.output.split())
    assert not (images.parent / "out").exists()
