"""Scans along a trajectory from files that other programs write."""

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from sigpy.mri import birdcage_maps
from typer.testing import Result

from invscore.images import load_image
from invscore.operators.noncartesian import radial_trajectory

pytest.importorskip("pytorch_finufft")

MRI = "noncartesian-mri"
Run = Callable[..., Result]
SIZE, SPOKES, SAMPLES = 32, 40, 48
HEADER = f"""<?xml version="1.0"?><ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD"><encoding>
<trajectory>radial</trajectory><encodedSpace><matrixSize><x>{SIZE}</x><y>{SIZE}</y><z>1</z>
</matrixSize></encodedSpace><reconSpace><matrixSize><x>{SIZE}</x><y>{SIZE}</y><z>1</z></matrixSize>
</reconSpace></encoding></ismrmrdHeader>"""


def coil_maps() -> np.ndarray:
    maps = birdcage_maps((4, SIZE, SIZE))
    return maps / np.sqrt((np.abs(maps) ** 2).sum(axis=0))


@pytest.fixture(scope="module")
def scan() -> tuple[np.ndarray, np.ndarray]:
    """Samples (coils, spokes, samples) by the explicit sum, and cycles a pixel (..., 2)."""
    maps = coil_maps()
    image = torch.nn.functional.avg_pool2d(load_image("camera")[None], 16)[0, 0].double().numpy()
    cycles = radial_trajectory(SPOKES, SAMPLES).numpy() / (2 * np.pi)
    place = np.arange(SIZE) - SIZE // 2
    rows = np.exp(-2j * np.pi * np.outer(cycles[0], place))
    columns = np.exp(-2j * np.pi * np.outer(cycles[1], place))
    y = np.einsum("nh,chw,nw->cn", rows, maps * image, columns, optimize=True) / SIZE
    rng = np.random.default_rng(0)
    y = y + 0.02 * (rng.standard_normal(y.shape) + 1j * rng.standard_normal(y.shape))
    y = y.reshape(4, SPOKES, SAMPLES).astype(np.complex64)
    return y, np.moveaxis(cycles.reshape(2, SPOKES, SAMPLES), 0, -1)


def assert_restored(out: str) -> None:
    told = json.loads(Path(out, "metrics.json").read_text())
    assert told["shape"] == [1, SIZE, SIZE]
    level = [s for s in told["assumed"] if s.startswith("noise")]
    assert 0.015 < float(level[0].split()[1].rstrip(",")) < 0.04
    image = torch.nn.functional.avg_pool2d(load_image("camera")[None], 16)[0].numpy()
    mean = np.load(Path(out, "arrays.npz"))["mean"]
    assert np.corrcoef(mean.ravel(), image.ravel())[0, 1] > 0.9


def test_arrays_of_any_units(reconstruct: Run, scan: tuple[np.ndarray, np.ndarray]) -> None:
    samples, cycles = scan
    np.save("kspace.npy", samples)
    np.save("maps.npy", coil_maps().astype(np.complex64))
    for name, values in (("pixel", cycles), ("radian", 2 * np.pi * cycles), ("fov", SIZE * cycles)):
        np.save("path.npy", values)
        out = reconstruct(
            *(
                "--op",
                "noncartesian-mri(trajectory=path.npy, maps=maps.npy)",
                "--measurement",
                "kspace.npy",
            ),
            *("--shape", f"1,{SIZE},{SIZE}", "--samples", "1", "--out", name),
        )
        assert out.exit_code == 0, out.output
        assert_restored(name)


def test_bart(reconstruct: Run, scan: tuple[np.ndarray, np.ndarray]) -> None:
    samples, cycles = scan
    path = np.zeros((3, SAMPLES, SPOKES), np.complex64)
    path[:2] = SIZE * cycles.transpose(2, 1, 0)
    for name, values in (("path", path), ("kspace", samples.transpose(2, 1, 0)[None])):
        sizes = (*values.shape, *[1] * (16 - values.ndim))
        Path(f"{name}.hdr").write_text("# Dimensions\n" + " ".join(map(str, sizes)) + "\n")
        values.astype(np.complex64).ravel(order="F").tofile(f"{name}.cfl")
    np.save("maps.npy", coil_maps().astype(np.complex64))
    out = reconstruct(
        *(
            "--op",
            "noncartesian-mri(trajectory=path.cfl, maps=maps.npy)",
            "--measurement",
            "kspace.cfl",
        ),
        *("--shape", f"1,{SIZE},{SIZE}", "--samples", "1", "--out", "out"),
    )
    assert out.exit_code == 0, out.output
    assert_restored("out")
    assert Path("out/reconstruction.cfl").exists()


def write_ismrmrd(file: str, samples: np.ndarray, cycles: np.ndarray) -> None:
    ismrmrd = pytest.importorskip("ismrmrd")
    dataset = ismrmrd.Dataset(file, "dataset", True)
    dataset.write_xml_header(HEADER)
    for k in range(samples.shape[1]):
        path = cycles[k].astype(np.float32)
        line = ismrmrd.Acquisition.from_array(np.ascontiguousarray(samples[:, k]), path)
        line.idx.kspace_encode_step_1 = k
        dataset.append_acquisition(line)
    dataset.close()


def test_ismrmrd_tells_trajectory_and_size(
    reconstruct: Run, scan: tuple[np.ndarray, np.ndarray]
) -> None:
    write_ismrmrd("scan.h5", *scan)
    out = reconstruct(
        *("--op", "noncartesian-mri", "--measurement", "scan.h5", "--samples", "1"),
        *("--out", "out"),
    )
    assert out.exit_code == 0, out.output
    assert_restored("out")
    with h5py.File("out/reconstruction.h5") as opened:
        assert opened["reconstruction"].shape == (1, SIZE, SIZE)


def test_operators_on_a_grid_refuse_spokes(
    reconstruct: Run, scan: tuple[np.ndarray, np.ndarray]
) -> None:
    write_ismrmrd("scan.h5", *scan)
    for operator in ("multicoil-mri", "mri"):
        out = reconstruct("--op", operator, "--measurement", "scan.h5", "--out", "out")
        assert out.exit_code == 2, out.output
        assert "got samples along a trajectory, which 'noncartesian-mri' takes" in " ".join(
            out.output.split()
        )
        assert not Path("out").exists()


def test_a_simulation(reconstruct: Run, folder: Path) -> None:  # noqa: ARG001
    for path in ("radial", "spiral"):
        out = reconstruct(
            *("--op", f"noncartesian-mri(trajectory={path}, spokes=12, coils=2)"),
            *("--image", "gray.png", "--size", "32", "--samples", "1", "--out", path),
        )
        assert out.exit_code == 0, out.output
        told = json.loads(Path(path, "metrics.json").read_text())
        assert told["psnr_measurement"] > 10


def test_what_does_not_fit_is_refused(
    reconstruct: Run, scan: tuple[np.ndarray, np.ndarray]
) -> None:
    samples, cycles = scan
    np.save("kspace.npy", samples)
    np.save("short.npy", cycles[1:])
    np.save("wrong.npy", np.zeros((5, 7)))
    np.save("real.npy", samples.real)
    np.save("path.npy", cycles)
    np.save("none.npy", cycles[:0])
    np.save("silent.npy", 0 * samples)
    shape = ("--shape", f"1,{SIZE},{SIZE}")
    given = "noncartesian-mri(trajectory=path.npy"
    for operator, file, more, sentence in (
        ("noncartesian-mri", "kspace.npy", shape, "give trajectory=FILE"),
        (f"{given})", "kspace.npy", (), "give --shape C,H,W"),
        ("noncartesian-mri(trajectory=short.npy)", "kspace.npy", shape, "must have 1872 samples"),
        (
            "noncartesian-mri(trajectory=wrong.npy)",
            "kspace.npy",
            shape,
            "of shape (n, 2) or (2, n)",
        ),
        ("noncartesian-mri(trajectory=no.npy)", "kspace.npy", shape, "no such file"),
        ("noncartesian-mri(trajectory=none.npy)", "kspace.npy", shape, "frequencies, got none"),
        (f"{given})", "silent.npy", shape, "is zero everywhere: it measures nothing"),
        (f"{given})", "real.npy", shape, "must be complex samples"),
        (f"{given}, coils=3)", "kspace.npy", shape, "must have 3 coils, got 4"),
        (f"{given}, units=fov, maps=path.npy)", "kspace.npy", shape, "the maps 'path.npy' must"),
    ):
        out = reconstruct(
            "--op", operator, "--measurement", file, *more, "--out", "out", "--samples", "1"
        )
        assert out.exit_code == 2, out.output
        assert sentence in " ".join(out.output.split()), out.output
        assert not Path("out").exists()
