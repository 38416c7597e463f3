"""Coils along a trajectory whose noise is correlated."""

from pathlib import Path

import numpy as np
import pytest
import torch

from invscore.operators import NonCartesianMRI
from invscore.operators.coils import birdcage_maps
from invscore.operators.noncartesian import radial_trajectory
from invscore.tasks import noncartesian
from invscore.tasks.builtin import build
from invscore.tasks.measured import measured_task
from invscore.tasks.specs import parse_spec

pytest.importorskip("pytorch_finufft")
pytest.importorskip("sigpy")

COILS, SIZE, SPOKES, SAMPLES = 3, 16, 12, 32
HEADER = f"""<?xml version="1.0"?><ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD"><encoding>
<trajectory>radial</trajectory><encodedSpace><matrixSize><x>{SIZE}</x><y>{SIZE}</y><z>1</z>
</matrixSize></encodedSpace><reconSpace><matrixSize><x>{SIZE}</x><y>{SIZE}</y><z>1</z></matrixSize>
</reconSpace></encoding></ismrmrdHeader>"""
MIXING = torch.tensor([[0.2, 0, 0], [0.1j, 0.05, 0], [0.3, 0.02, 0.01]], dtype=torch.complex128)
"""Of independent noise of level 1: coils are unlike, and the first is heard in all."""


def _noise(count: int, seed: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    white = torch.randn(COILS, count, 2, dtype=torch.float64, generator=rng)
    return MIXING @ torch.view_as_complex(white)


def _scan() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Image (1, h, w), its maps, samples without noise (coils, n), trajectory (2, n)."""
    omega = radial_trajectory(SPOKES, SAMPLES)
    maps = birdcage_maps(COILS, SIZE, SIZE)
    rng = torch.Generator().manual_seed(0)
    image = torch.rand(1, SIZE, SIZE, dtype=torch.float64, generator=rng) + 0j
    clean = NonCartesianMRI(omega, maps.to(torch.complex128))(image[None])[0]
    return image, maps, clean, omega


def test_a_file_of_noise_whitens_samples_and_maps(tmp_path: Path) -> None:
    image, maps, clean, omega = _scan()
    noise = _noise(clean.shape[1], seed=1)
    files = {"k": clean + noise, "maps": maps, "path": omega, "noise": MIXING @ MIXING.mH}
    for name, values in files.items():
        np.save(tmp_path / f"{name}.npy", values.numpy())
    options = ", ".join(
        f"{option}={tmp_path / file}.npy"
        for option, file in (
            *(("trajectory", "path"), ("maps", "maps"), ("noise_covariance", "noise")),
        )
    )
    task = measured_task(
        parse_spec(f"noncartesian-mri({options}, real=false)"),
        str(tmp_path / "k.npy"),
        shape=(1, SIZE, SIZE),
        noise="auto",
        device="cpu",
    )
    assert task.noise == 1
    assert any("whitened" in sentence for sentence in task.assumed)
    operator, y = task.problem.operator, task.problem.y
    # The likelihood is that of the samples as they are, with their covariance C:
    # |y' - A' x|^2 = (y - A x)^H C^-1 (y - A x), at the truth and at another image.
    inverse = torch.linalg.inv(MIXING @ MIXING.mH)
    plain = NonCartesianMRI(omega, maps.to(torch.complex128))
    for x in (image, 0.5 * image.flip(-1)):
        left = (clean + noise - plain(x[None])[0]).to(torch.complex128)
        expected = torch.einsum("an,ab,bn->", left.conj(), inverse, left).real
        found = (y - operator(x[None].to(torch.complex64))).abs().square().sum()
        assert float(found) == pytest.approx(float(expected), rel=1e-3)
    # ... which at the truth is the number of parts.
    white = y[0] - operator(image[None].to(torch.complex64))[0]
    assert float(white.abs().square().mean() / 2) == pytest.approx(1, abs=0.1)


def test_acquisitions_of_noise_whiten_a_radial_scan(tmp_path: Path) -> None:
    ismrmrd = pytest.importorskip("ismrmrd")
    image, maps, clean, omega = _scan()
    np.save(tmp_path / "maps.npy", maps.numpy())
    samples = (clean + _noise(clean.shape[1], seed=1)).to(torch.complex64)
    lines = samples.reshape(COILS, SPOKES, SAMPLES).numpy()
    path = (omega / (2 * np.pi)).reshape(2, SPOKES, SAMPLES).permute(1, 2, 0).float().numpy()
    dataset = ismrmrd.Dataset(str(tmp_path / "scan.h5"), "dataset", True)
    dataset.write_xml_header(HEADER)
    scan = ismrmrd.Acquisition.from_array(_noise(4000, seed=2).to(torch.complex64).numpy())
    scan.set_flag(ismrmrd.ACQ_IS_NOISE_MEASUREMENT)
    dataset.append_acquisition(scan)
    for k in range(SPOKES):
        line = np.ascontiguousarray(lines[:, k])
        dataset.append_acquisition(ismrmrd.Acquisition.from_array(line, path[k]))
    dataset.close()
    task = measured_task(
        parse_spec(f"noncartesian-mri(maps={tmp_path / 'maps.npy'}, real=false)"),
        str(tmp_path / "scan.h5"),
        shape=None,
        noise="auto",
        device="cpu",
    )
    assert task.noise == 1
    left = task.problem.y - task.problem.operator(image[None].to(torch.complex64))
    found = left[0] @ left[0].mH / (2 * left.shape[-1])
    torch.testing.assert_close(found, torch.eye(COILS) + 0j, rtol=0, atol=0.15)


def test_maps_are_those_of_images_that_fit_the_samples() -> None:
    size = 48
    true = birdcage_maps(4, size, size)
    rows, columns = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    inside = ((rows - 24) / 18) ** 2 + ((columns - 24) / 14) ** 2 < 1
    image = inside * (1 + 0.3 * torch.sin(rows / 5) * torch.cos(columns / 4)) + 0j
    omega = radial_trajectory(12, 96)  # of 75 that would fill k-space
    y = NonCartesianMRI(omega, true)(image[None, None])[0]
    maps = noncartesian.maps_of_samples(y, omega, (size, size), real=False)
    likeness = (maps.conj() * true).sum(dim=0).abs()
    assert float((2 - 2 * likeness)[inside].mean().sqrt()) < 0.012


@pytest.mark.parametrize("spokes", [4, 16, 64])
def test_simulated_spirals_are_sampled_along_their_arms(spokes: int) -> None:
    """Neighbouring samples are at most half a cycle of the field of view apart."""
    pytest.importorskip("pytorch_finufft")
    operator = build("noncartesian-mri", (1, 48, 40), {"trajectory": "spiral", "spokes": spokes})
    arms = operator.omega.reshape(2, spokes, -1)
    apart = (arms[:, :, 1:] - arms[:, :, :-1]).norm(dim=0) * 48 / (2 * torch.pi)
    assert float(apart.max()) < 0.52
    outer = arms[:, :, -1].norm(dim=0)
    assert float(outer.min()) > 0.97 * torch.pi
