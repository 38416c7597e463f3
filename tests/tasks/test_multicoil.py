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
