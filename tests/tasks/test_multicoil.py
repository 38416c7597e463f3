"""k-space of several coils, from a file as fastMRI has it to an operator."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor

from invscore import InverseProblem
from invscore.operators import MRI, CoilMaps
from invscore.operators.coils import birdcage_maps
from invscore.operators.masks import random_lines
from invscore.tasks import multicoil
from invscore.tasks.measured import measured_task
from invscore.tasks.specs import parse_spec
from invscore.tasks.task import task_of_image

pytest.importorskip("sigpy")
SIGMA = 0.02


def phantom() -> Tensor:
    rows, columns = torch.meshgrid(torch.arange(48.0), torch.arange(40.0), indexing="ij")
    inside = torch.sigmoid(10 * (1 - ((rows - 24) / 19) ** 2 - ((columns - 20) / 15) ** 2))
    return (inside * (0.7 + 0.3 * torch.sin(rows / 5) * torch.cos(columns / 4)) + 0j)[None]


def scan(file: Path) -> Tensor:
    """Writes two slices of k-space as fastMRI does, (slices, coils, h, w); the mask."""
    x, lines = phantom(), random_lines(40, 2, 0.3)
    clean = (MRI(lines, (4, 48, 40)) @ CoilMaps(birdcage_maps(4, 48, 40)))(x[None].cfloat())[0]
    g = torch.Generator().manual_seed(0)
    y = clean + 2**0.5 * SIGMA * torch.randn(clean.shape, dtype=clean.dtype, generator=g)
    with h5py.File(file, "w") as opened:
        opened["kspace"] = torch.stack([0 * y, torch.where(lines, y, 0)]).numpy()
        opened["ismrmrd_header"] = b"<x/>"
    return lines


def test_fastmri_files_of_several_coils(tmp_path: Path) -> None:
    file = tmp_path / "scan.h5"
    lines = scan(file)
    job = measured_task(
        parse_spec("multicoil-mri(real=false)"),
        str(file),
        shape=None,
        noise="auto",
        device="cpu",
        part={"index": 1},
    )
    operator = job.problem.operator
    assert operator.in_shape == (1, 48, 40)
    assert operator.measured is not None
    assert torch.equal(operator.measured, lines.expand(4, 48, 40))
    assert SIGMA * 0.9 < job.noise < SIGMA * 1.2
    solved = operator.ridge(job.problem.y, 1e-3)
    assert 0.5 < float(job.problem.discrepancy(solved)) < 1.1
    assert float(job.problem.discrepancy(0 * solved)) > 5
    inner = MRI(lines, (4, 48, 40)) @ CoilMaps(birdcage_maps(4, 48, 40).flip(0))
    wrong = InverseProblem(inner, job.problem.y, job.problem.noise)
    assert float(wrong.discrepancy(inner.ridge(wrong.y, 1e-3))) > 2  # coils in another order
    assert [text.split(":")[0] for text in job.assumed[:2]] == ["mask", "maps"]
    assert job.apart is not None  # no other slice has these maps


def test_simulated_scans() -> None:
    spec = parse_spec("multicoil-mri(coils=3, real=false)")
    job = task_of_image(spec, phantom(), noise=SIGMA, seed=0, device="cpu")
    assert job.problem.y.shape == (1, 3, 48, 40)


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (np.ones((3, 48, 40), complex), r"must be complex, of shape \(4, 48, 40\), got"),
        (np.ones((4, 48, 40)), r"must be complex, of shape \(4, 48, 40\), got float64"),
    ],
)
def test_maps_that_do_not_fit(tmp_path: Path, maps: np.ndarray, message: str) -> None:
    scan(tmp_path / "scan.h5")
    np.save(tmp_path / "maps.npy", maps)
    with pytest.raises(ValueError, match=message):
        measured_task(
            parse_spec(f"multicoil-mri(maps={tmp_path / 'maps.npy'})"),
            str(tmp_path / "scan.h5"),
            shape=None,
            noise=0.01,
            device="cpu",
            part={"index": 1},
        )


def _correlated(seed: int, coils: int, count: int) -> torch.Tensor:
    """Noise of coils that is correlated and unlike, (coils, count)."""
    rng = torch.Generator().manual_seed(seed)
    mixing = torch.randn(coils, coils, dtype=torch.complex128, generator=rng)
    mixing = torch.diag(torch.linspace(0.01, 0.2, coils).to(torch.complex128)) @ (
        torch.eye(coils) + 0.4 * mixing
    )
    white = torch.randn(coils, count, 2, dtype=torch.float64, generator=rng)
    return mixing @ torch.view_as_complex(white)


def test_a_scan_of_noise_whitens_kspace_and_maps(tmp_path: Path) -> None:
    noise = _correlated(0, 4, 5000)
    np.save(tmp_path / "noise.npy", noise.numpy())
    covariance = multicoil.read_covariance(str(tmp_path / "noise.npy"), 4)
    np.save(tmp_path / "covariance.npy", covariance.numpy())
    for file in ("noise.npy", "covariance.npy"):
        options = {"noise_covariance": str(tmp_path / file)}
        white = multicoil.whitened(noise, options)
        found = white @ white.mH / (2 * white.shape[1])
        torch.testing.assert_close(found, torch.eye(4, dtype=found.dtype), rtol=0, atol=1e-6)
    maps = birdcage_maps(4, 16, 16)
    np.save(tmp_path / "maps.npy", maps.numpy())
    mask = torch.ones(16, 16, dtype=torch.bool)
    image = torch.rand(1, 1, 16, 16) + 0j
    clean = (MRI(mask, (4, 16, 16)) @ CoilMaps(maps))(image)[0]
    given = {"noise_covariance": str(tmp_path / "noise.npy"), "maps": str(tmp_path / "maps.npy")}
    seen = multicoil.whitened(clean, given)
    operator, told = multicoil.measured_coils(seen, {**given, "real": False}, "k")
    torch.testing.assert_close(operator(image)[0], seen, rtol=1e-3, atol=1e-3)
    assert any("whitened" in sentence for sentence in told)


def test_estimated_maps_of_whitened_coils_keep_the_units_of_the_scan(tmp_path: Path) -> None:
    pytest.importorskip("sigpy")
    np.save(tmp_path / "noise.npy", _correlated(0, 4, 5000).numpy())
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    inside = ((rows - 16) / 12) ** 2 + ((columns - 16) / 9) ** 2 < 1
    image = 300 * (inside * (1 + 0.3 * torch.sin(rows / 5)))[None, None] + 0j
    mask = torch.ones(32, 32, dtype=torch.bool)
    clean = (MRI(mask, (4, 32, 32)) @ CoilMaps(birdcage_maps(4, 32, 32)))(image)[0]
    given = {"noise_covariance": str(tmp_path / "noise.npy"), "real": False}
    seen = multicoil.whitened(clean, given)
    operator, _ = multicoil.measured_coils(seen, given, "k")
    found = operator.pinv(seen[None])[0].abs()
    torch.testing.assert_close(found[:, inside], image[0].abs()[:, inside], rtol=0.03, atol=0)


def test_covariances_of_other_coils_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "noise.npy", _correlated(0, 3, 100).numpy())
    np.save(tmp_path / "few.npy", _correlated(0, 4, 9).numpy())
    with pytest.raises(ValueError, match=r"must be of 4 coils, \(4, 4\) or a scan \(4, n\)"):
        multicoil.read_covariance(str(tmp_path / "noise.npy"), 4)
    with pytest.raises(ValueError, match="must have 16 samples of each coil or more, got 9"):
        multicoil.read_covariance(str(tmp_path / "few.npy"), 4)
    kspace = torch.ones(3, 16, 16, dtype=torch.complex64)
    with pytest.raises(ValueError, match="k must have 4 coils, got 3"):
        multicoil.measured_coils(kspace, {"coils": 4}, "k")
