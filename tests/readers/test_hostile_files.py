"""Files that are cut off, or contradict what they say of themselves, give one sentence each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from invscore.images import load_measurement
from invscore.tasks.measured import measured_task
from invscore.tasks.specs import parse_spec

RANDOM = np.random.default_rng(0)
VOLUME = RANDOM.random((6, 20, 16)).astype(np.float32)
KSPACE = (RANDOM.normal(size=(4, 20, 16)) + 1j * RANDOM.normal(size=(4, 20, 16))).astype("c8")
HEADER = """<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD"><encoding><encodedSpace><matrixSize>
<x>20</x><y>16</y><z>1</z></matrixSize></encodedSpace><trajectory>{}</trajectory></encoding>
</ismrmrdHeader>"""
CARTESIAN = HEADER.format("cartesian")


def scan(
    file: Path,
    xml: str | None = CARTESIAN,
    lines: int = 16,
    samples: int = 20,
    path: np.ndarray | None = None,
    lost: bool = False,
) -> None:
    """An ISMRMRD file of four coils; ``lost``: every other line lacks one."""
    ismrmrd = pytest.importorskip("ismrmrd")
    dataset = ismrmrd.Dataset(str(file), "dataset", True)
    if xml is not None:
        dataset.write_xml_header(xml)
    for k in range(lines):
        data = np.resize(KSPACE[:, :, k % 16], (4 - (lost and k % 2), samples))
        given = () if path is None else (path[k],)
        line = ismrmrd.Acquisition.from_array(np.ascontiguousarray(data), *given)
        line.idx.kspace_encode_step_1 = k
        dataset.append_acquisition(line)
    dataset.close()


def written(file: Path, **arrays: Any) -> None:
    with pytest.importorskip("h5py").File(file, "w") as opened:
        for name, value in arrays.items():
            opened[name.replace("__", "/")] = value


def refused(op: str, file: Path, shape: tuple[int, ...] | None = None, **part: Any) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        measured_task(
            parse_spec(op), str(file), shape=shape, noise=0.01, device="cpu", part=part or None
        )
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        ({"xml": "<ismrmrdHeader><enc"}, "must have a header of ISMRMRD in XML, got unclosed"),
        ({"xml": " "}, "must have a header of ISMRMRD in XML, got no element"),
        ({"xml": None}, "must hold a header dataset/xml beside dataset/data, got none"),
        ({"xml": CARTESIAN.replace("16", "many")}, "header of ISMRMRD in XML, got invalid"),
        ({"xml": CARTESIAN.replace("16", "-16")}, "XML, got a negative size"),
        ({"lines": 20}, "must hold lines from 0 to 15 about 8 as its header says, got 0 to 19"),
        ({"samples": 30}, "must hold lines of at most 20 samples as its header says, got 30"),
        ({"lost": True}, r"must have as many coils in all its lines, got [3, 4]"),
        ({"xml": HEADER.format("radial")}, "must hold its radial trajectory, got none"),
    ],
)
def test_acquisitions_that_their_header_does_not_fit(
    tmp_path: Path, made: dict[str, Any], sentence: str
) -> None:
    scan(tmp_path / "scan.h5", **made)
    assert sentence in refused("multicoil-mri", tmp_path / "scan.h5")


def test_trajectories_that_are_none(tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", KSPACE.reshape(4, -1)[:, :90])
    for path, sentence in (
        (np.zeros((90, 2)), "must leave the centre of k-space, got frequencies of 0 alone"),
        (RANDOM.random((90, 2)) * 1j, "must be real frequencies, got complex128"),
        (np.full((90, 2), "a"), "must be real frequencies, got <U1"),
        (np.full((90, 2), np.nan), "must be finite frequencies"),
        (RANDOM.random((90, 3)), "must be two-dimensional"),
        (RANDOM.random((80, 2)), "must have 80 samples of each coil, as its trajectory has"),
    ):
        np.save(tmp_path / "t.npy", path)
        op = f"noncartesian-mri(trajectory={tmp_path / 't.npy'})"
        assert sentence in refused(op, tmp_path / "k.npy", (1, 20, 16))


def test_coils_that_do_not_fit(tmp_path: Path) -> None:
    file = tmp_path / "f.h5"
    written(file, kspace=KSPACE[None])
    silent = np.eye(4)
    silent[2, 2] = 0
    for option, values, sentence in (
        ("maps", 0 * KSPACE, "must tell what coils see, got zero everywhere"),
        ("maps", KSPACE[:3], "must be complex, of shape (4, 20, 16), got complex64 of shape (3,"),
        ("maps", KSPACE.real, "must be complex, of shape"),
        ("noise_covariance", silent, "c.npy' must be Hermitian and positive definite: no coil's"),
        ("noise_covariance", np.eye(3), "must be of 4 coils"),
    ):
        np.save(tmp_path / "c.npy", values)
        found = refused(f"multicoil-mri({option}={tmp_path / 'c.npy'})", file, index=0)
        assert sentence in found
    assert "must have 8 coils, got 4" in refused("multicoil-mri(coils=8)", file, index=0)
    written(file, kspace=KSPACE[None] + np.inf)
    assert "must be finite, got infinite k-space" in refused("multicoil-mri", file, index=0)
    written(file, kspace=KSPACE[None][:0], mask=np.ones(16))
    assert "must hold k-space, got none of shape (0, 4," in refused("multicoil-mri", file, index=0)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"theta": np.full(20, np.nan)}, "must have finite degrees in exchange/theta"),
        ({"theta": np.array([b"a"] * 20)}, "must have finite degrees in exchange/theta"),
        ({"theta": np.arange(19.0)}, "an angle for each of 20 projections"),
        ({"data_white": np.zeros((1, 2, 16))}, "must have more light in exchange/data_white"),
        ({"data_dark": np.full((1, 2, 16), 2e3)}, "than without a beam, 2000 on average, got 1000"),
        ({"data": np.ones((20, 2, 16)) + 0j}, "must have real numbers in exchange/data, got comp"),
    ],
)
def test_projections_that_contradict_their_fields(
    tmp_path: Path, changed: dict[str, Any], sentence: str
) -> None:
    arrays = {"data": np.ones((20, 2, 16)), "data_white": np.full((1, 2, 16), 1e3)}
    arrays |= {"theta": np.arange(20.0)} | changed
    written(tmp_path / "s.h5", **{f"exchange__{name}": each for name, each in arrays.items()})
    assert sentence in refused("ct", tmp_path / "s.h5", (1, 16, 16), index=0)


def nifti(file: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    nibabel.Nifti1Image(VOLUME, np.eye(4)).to_filename(file)


def pages(file: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(file, VOLUME, metadata={"axes": "ZYX"}, ome=True)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 0.9])
@pytest.mark.parametrize(
    ("write", "name"), [(nifti, "a.nii"), (nifti, "a.nii.gz"), (pages, "a.ome.tif")]
)
def test_a_stack_that_is_cut_off_is_not_read_at_all(
    tmp_path: Path, write: Callable[[Path], None], name: str, share: float
) -> None:
    write(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    assert torch.isfinite(load_measurement(tmp_path / name, index=0)).all()
    (tmp_path / name).write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match="cannot be read") as caught:
        load_measurement(tmp_path / name, index=0)
    assert "\n" not in str(caught.value)


def test_headers_of_words(tmp_path: Path) -> None:
    KSPACE.tofile(tmp_path / "k.cfl")
    for header in ("# Dimensions\nforty 36\n", "", "# Dimensions\n-4 5\n", "\xff 3"):
        (tmp_path / "k.hdr").write_text(header)
        with pytest.raises(ValueError, match="must hold 1 to 16 positive sizes, got"):
            load_measurement(tmp_path / "k.cfl")


def test_a_sparse_matrix_of_matlab_is_an_image(tmp_path: Path) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    scipy_io = pytest.importorskip("scipy.io")
    scipy_io.savemat(tmp_path / "a.mat", {"y": sparse.csr_matrix(VOLUME[0])})
    np.testing.assert_allclose(load_measurement(tmp_path / "a.mat"), VOLUME[0])


def test_what_libraries_stumble_over_is_damage(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(b"\0" * 4 + b"x" * 20)
    with pytest.raises(ValueError, match="cannot be read as MAT") as caught:
        load_measurement(tmp_path / "a.mat")
    assert "index" not in str(caught.value)
