"""Files that are damaged, and packages that are missing, give one sentence."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from invscore.images import load_image, load_measurement

VOLUME = np.random.default_rng(0).normal(size=(12, 10, 5)).astype(np.float32)


def damaged(folder: Path) -> dict[str, str]:
    """Files that are not what they should be, and a part of what must be said."""
    (folder / "text.nii").write_text("hello")
    (folder / "text.fits").write_text("hello")
    (folder / "text.h5").write_text("hello")
    (folder / "text.mat").write_text("hello")
    (folder / "text.dcm").write_text("hello")
    (folder / "text.mrc").write_text("hello")
    (folder / "text.dng").write_text("hello")
    (folder / "text.cfl").write_text("hello")
    (folder / "text.nrrd").write_text("hello")
    (folder / "text.mha").write_text("hello")
    (folder / "words.txt").write_text("# a note\n1 2\n3 four\n")
    (folder / "ragged.csv").write_text("1,2,3\n4,5\n")
    (folder / "comments.txt").write_text("# nothing else\n")
    (folder / "bytes.csv").write_bytes(b"\x89PNG\xff\xfe")
    (folder / "empty.zarr").mkdir()
    return {
        "text.nii": "cannot be read as NIfTI",
        "text.fits": "cannot be read as FITS",
        "text.h5": "cannot be read as HDF5",
        "text.mat": "cannot be read as MAT",
        "text.dcm": "cannot be read as DICOM",
        "text.mrc": "cannot be read as MRC",
        "text.dng": "cannot be read as raw",
        "text.cfl": "needs 'text.hdr' beside it",
        "text.nrrd": "cannot be read as NRRD",
        "text.mha": "cannot be read as MetaImage",
        "words.txt": "must hold rows of numbers, got 'four'",
        "ragged.csv": "in each row, 3 as in the first, got 2 in row 2",
        "comments.txt": "must hold rows of numbers, got none",
        "bytes.csv": "cannot be read as text",
        "empty.zarr": "cannot be read as Zarr",
        "none.fits": "no such file",
    }


@pytest.mark.filterwarnings("error")
def test_damaged_files_give_one_sentence(tmp_path: Path) -> None:
    for package in (
        "nibabel",
        "astropy",
        "h5py",
        "pydicom",
        "mrcfile",
        "zarr",
        "rawpy",
        "SimpleITK",
    ):
        pytest.importorskip(package)
    for name, message in damaged(tmp_path).items():
        with pytest.raises(ValueError, match=message) as caught:
            load_measurement(tmp_path / name)
        assert "\n" not in str(caught.value)
        assert name in str(caught.value)


def cut_hdf5(file: Path) -> None:
    with pytest.importorskip("h5py").File(file, "w") as opened:
        opened["y"] = VOLUME


def cut_nifti(file: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    nibabel.Nifti1Image(VOLUME, np.eye(4)).to_filename(file)


def cut_itk(file: Path) -> None:
    itk = pytest.importorskip("SimpleITK")
    itk.WriteImage(itk.GetImageFromArray(VOLUME), str(file))


def cut_fits(file: Path) -> None:
    pytest.importorskip("astropy.io.fits").PrimaryHDU(np.tile(VOLUME, (4, 4, 1))).writeto(file)


@pytest.mark.parametrize(
    ("write", "suffix"),
    [
        (cut_hdf5, "h5"),
        (cut_nifti, "nii"),
        (cut_nifti, "nii.gz"),
        (cut_fits, "fits"),
        (cut_itk, "nrrd"),
        (cut_itk, "mha"),
    ],
)
def test_half_a_file_gives_one_sentence(
    tmp_path: Path, write: Callable[[Path], None], suffix: str
) -> None:
    file = tmp_path / f"a.{suffix}"
    write(file)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="cannot be read"):
        load_measurement(file)


def fastmri_of(file: Path, **more: object) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(file, "w") as opened:
        opened["kspace"] = np.ones((2, 4, 16, 12), np.complex64)
        for name, value in more.items():
            opened[name] = value


def exchange_of(file: Path, **more: object) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(file, "w") as opened:
        opened["exchange/data"] = np.ones((20, 2, 16))
        for name, value in more.items():
            opened[f"exchange/{name}"] = value


HEADER = b"""<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD"><encoding><encodedSpace><matrixSize>
<x>32</x><y>24</y><z>1</z></matrixSize></encodedSpace></encoding></ismrmrdHeader>"""


@pytest.mark.parametrize(
    ("write", "more", "sentence"),
    [
        (fastmri_of, {"mask": np.ones(17)}, r"a mask of 12 lines .* got one of shape \(17,\)"),
        (fastmri_of, {"mask": np.zeros(12)}, "must have measured lines in its mask, got none"),
        (fastmri_of, {"ismrmrd_header": HEADER}, "kspace of 32 x 24 as its header says, got 16 x"),
        (exchange_of, {"theta": np.arange(20.0)}, "must hold exchange/data_white, counts without"),
        (
            exchange_of,
            {"theta": np.arange(19.0), "data_white": np.ones((1, 2, 16))},
            r"an angle for each of 20 projections, got exchange/theta of shape \(19,\)",
        ),
    ],
)
def test_arrays_that_contradict_each_other(
    tmp_path: Path, write: Callable[..., None], more: dict[str, object], sentence: str
) -> None:
    write(tmp_path / "a.h5", **more)
    with pytest.raises(ValueError, match=sentence):
        load_measurement(tmp_path / "a.h5", index=0)


def test_zarr_without_what_is_asked_for(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    zarr.save_array(str(tmp_path / "a.zarr"), VOLUME[..., 0])
    with pytest.raises(ValueError, match=r"without a name: key must be left out, got 'mean'"):
        load_measurement(tmp_path / "a.zarr", key="mean")
    group = zarr.open_group(str(tmp_path / "b.zarr"), mode="w")
    group.create_array("0", data=VOLUME[..., 0])
    axes = [{"name": name} for name in "yx"]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "finest"}]}]
    with pytest.raises(ValueError, match=r"must hold its image 'finest' of OME-Zarr, got 0$"):
        load_measurement(tmp_path / "b.zarr")
    assert load_measurement(tmp_path / "b.zarr", key="0").shape == (12, 10)


def test_zarr_without_some_chunks_and_a_value_for_them(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    form = {"shape": (4, 6), "chunks": (4, 3), "dtype": "f4", "fill_value": None, "zarr_format": 2}
    array = zarr.create_array(str(tmp_path / "a.zarr"), **form)
    array[:, :3] = 1.0
    with pytest.raises(ValueError, match=r"must store all of its 2 chunks, or declare a .*, got 1"):
        load_measurement(tmp_path / "a.zarr")
    array[:, 3:] = 2.0
    assert load_measurement(tmp_path / "a.zarr").shape == (4, 6)


@pytest.mark.parametrize("rows", [72, 2])
def test_sizes_below_zero_end(tmp_path: Path, rows: int) -> None:
    """Behind a unit of a negative size its reader would begin again with the same."""
    fits = pytest.importorskip("astropy.io.fits")
    fits.PrimaryHDU(np.zeros((rows, 10), np.float32)).writeto(tmp_path / "a.fits")
    whole = (tmp_path / "a.fits").read_bytes()
    width = [b"NAXIS1  =" + f"{n:21d}".encode() for n in (10, -10)]
    (tmp_path / "a.fits").write_bytes(whole.replace(*width))
    with pytest.raises(ValueError, match="must have sizes from 0 in its headers, got a negative"):
        load_measurement(tmp_path / "a.fits")


def test_headers_without_what_pixels_need(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    nibabel.Nifti1Image(np.zeros(8, np.float32), np.eye(4)).to_filename(tmp_path / "a.nii")
    with pytest.raises(ValueError, match=r"must hold images, got numbers of shape \(8,\)"):
        load_measurement(tmp_path / "a.nii")
    pydicom = pytest.importorskip("pydicom")
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset = pydicom.dataset.FileDataset("a", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.PixelData = b"\0" * 512
    dataset.save_as(tmp_path / "a.dcm")
    with pytest.raises(ValueError, match="must tell Rows of its image, got none"):
        load_measurement(tmp_path / "a.dcm")


PACKAGES = {
    "a.fits": "astropy",
    "a.nii": "nibabel",
    "a.h5": "h5py",
    "a.dcm": "pydicom",
    "a.mrc": "mrcfile",
    "a.zarr": "zarr",
    "a.dng": "rawpy",
    "a.mha": "SimpleITK",
}


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).write_bytes(b"content")
    for module in [m for m in sys.modules if m.split(".")[0] == PACKAGES[name]]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, PACKAGES[name], None)
    with pytest.raises(
        ValueError, match=rf"needs the package {PACKAGES[name]}: pip install 'invscore\[files\]'"
    ):
        load_image(tmp_path / name)


@pytest.mark.parametrize(
    ("dataset", "sentence"),
    [
        (
            {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 2]}]},
            "must have a scale of 3 numbers, one for each axis, got 2",
        ),
        ({}, "must describe its image as OME-Zarr does"),
    ],
)
def test_what_ome_zarr_leaves_out_is_named(
    dataset: dict[str, object], sentence: str, tmp_path: Path
) -> None:
    zarr = pytest.importorskip("zarr")
    group = zarr.create_group(tmp_path / "a.zarr")
    group.create_array("0", data=np.zeros((3, 8, 8), "f4"))
    axes = [{"name": name} for name in "zyx"]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": [dataset]}]
    with pytest.raises(ValueError, match=sentence):
        load_measurement(tmp_path / "a.zarr", index=0)
