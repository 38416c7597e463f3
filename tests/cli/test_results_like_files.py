"""Results go back in the format of the measurement: each, by its library, through the command.

A maker writes a file whose header says something and whose numbers have units of their own; a
checker reads the result and returns its numbers, once it has found that the header is still there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

from invscore.images import load_image
from invscore.readers.table import FORMATS

Run = Callable[..., Result]
Made = tuple[str, list[str]]
"""The name of the file, and options that it needs."""

WITHOUT = ("picture", "NPY", "NPZ", "raw")
"""Formats whose results are pictures and arrays.npz alone, as the table of the docs says."""


@dataclass(frozen=True)
class Kind:
    """A format, how a file of it is made, and what must be in its result, ``o/reconstruction*``."""

    name: str
    make: Callable[[np.ndarray], Made]
    result: str
    check: Callable[[Path], np.ndarray]
    white: float = 1.0


def ome_tiff(image: np.ndarray) -> Made:
    tifffile = pytest.importorskip("tifffile")
    sizes = {"PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5}
    shades = (65535 * image).round().astype(np.uint16)
    tifffile.imwrite("y.ome.tif", shades, ome=True, metadata={"axes": "YX", **sizes})
    return "y.ome.tif", []


def of_ome_tiff(file: Path) -> np.ndarray:
    tifffile = pytest.importorskip("tifffile")
    with tifffile.TiffFile(file) as opened:
        for said in ('PhysicalSizeX="0.25"', 'PhysicalSizeY="0.5"', 'PhysicalSizeXUnit="µm"'):
            assert said in str(opened.ome_metadata)
        return np.asarray(opened.asarray())


def fits(image: np.ndarray) -> Made:
    lib = pytest.importorskip("astropy.io.fits")
    header = lib.Header({"CTYPE1": "RA---TAN", "CRVAL1": 83.6, "CRPIX1": 5.5, "CD1_1": -1e-4})
    header.update({"BUNIT": "electron/s", "OBJECT": "M 42"})
    lib.PrimaryHDU(image, header).writeto("y.fits")
    return "y.fits", []


def of_fits(file: Path) -> np.ndarray:
    lib = pytest.importorskip("astropy.io.fits")
    header = lib.getheader(file)
    expected = {"CTYPE1": "RA---TAN", "CRVAL1": 83.6, "CRPIX1": 5.5, "CD1_1": -1e-4}
    expected |= {"BUNIT": "electron/s", "OBJECT": "M 42", "BITPIX": -32}
    assert {name: header[name] for name in expected} == expected
    return np.asarray(lib.getdata(file), np.float32)


AFFINE = np.array([[-2.0, 0, 0, 90], [0, 0, 3, -126], [0, -1.5, 0, -72], [0, 0, 0, 1]])


def nifti(image: np.ndarray) -> Made:
    lib = pytest.importorskip("nibabel")
    made = lib.Nifti1Image(np.stack([0 * image, image], axis=2), AFFINE)
    made.header["descrip"] = b"a head"
    made.to_filename("y.nii.gz")
    return "y.nii.gz", ["--index", "1"]


def of_nifti(file: Path) -> np.ndarray:
    lib = pytest.importorskip("nibabel")
    opened = lib.load(file)
    np.testing.assert_allclose(opened.affine @ [0, 0, 0, 1], AFFINE @ [0, 0, 1, 1])
    np.testing.assert_allclose(opened.affine[:, :3], AFFINE[:, :3])
    assert opened.header["descrip"].item() == b"a head"
    assert opened.get_data_dtype() == np.float32
    return np.asarray(opened.dataobj)[..., 0]


def hdf5(image: np.ndarray) -> Made:
    with pytest.importorskip("h5py").File("y.h5", "w") as opened:
        opened["scan/image"] = image
        opened["scan/image"].attrs["exposure"] = 0.5
    return "y.h5", ["--key", "scan/image"]


def of_hdf5(file: Path) -> np.ndarray:
    with pytest.importorskip("h5py").File(file) as opened:
        assert opened["scan/image"].attrs["exposure"] == 0.5
        return np.asarray(opened["scan/image"]).squeeze()


def bart(image: np.ndarray) -> Made:
    Path("y.hdr").write_text(f"# Dimensions\n{image.shape[0]} {image.shape[1]} 1 1\n")
    shifted = np.fft.fft2(np.fft.ifftshift(image), norm="ortho")
    np.fft.fftshift(shifted).astype(np.complex64).ravel(order="F").tofile("y.cfl")
    np.save("mask.npy", np.ones(image.shape, bool))
    return "y.cfl", ["--op", "mri(mask=mask.npy)"]


def of_bart(file: Path) -> np.ndarray:
    lines = file.with_suffix(".hdr").read_text().splitlines()
    assert lines[0] == "# Dimensions"
    shape = [int(size) for size in lines[1].split()]
    return np.fromfile(file, np.complex64).reshape(shape, order="F").squeeze()


def mat(image: np.ndarray) -> Made:
    pytest.importorskip("scipy.io").savemat("y.mat", {"scene": image, "note": "hello"})
    return "y.mat", ["--key", "scene"]


def of_mat(file: Path) -> np.ndarray:
    return np.asarray(pytest.importorskip("scipy.io").loadmat(file)["scene"])


def dicom(image: np.ndarray) -> Made:
    lib = pytest.importorskip("pydicom")
    meta = lib.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID = lib.uid.MRImageStorage
    meta.MediaStorageSOPInstanceUID = lib.uid.generate_uid()
    meta.TransferSyntaxUID = lib.uid.ExplicitVRLittleEndian
    dataset = lib.dataset.FileDataset("y.dcm", {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.Rows, dataset.Columns = image.shape
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation, dataset.SamplesPerPixel = 15, 0, 1
    dataset.PhotometricInterpretation, dataset.Modality = "MONOCHROME2", "MR"
    dataset.PatientName, dataset.PixelSpacing = "Doe^Jane", [0.5, 0.75]
    dataset.RescaleSlope, dataset.RescaleIntercept = "0.001", "0"
    dataset.PixelData = (1000 * image).round().astype("<u2").tobytes()
    dataset.save_as("y.dcm", enforce_file_format=True)
    return "y.dcm", []


def of_dicom(file: Path) -> np.ndarray:
    lib = pytest.importorskip("pydicom")
    dataset = lib.dcmread(file)
    assert (dataset.PatientName, dataset.PixelSpacing) == ("Doe^Jane", [0.5, 0.75])
    stored = dataset.pixel_array.astype(float)
    values = stored * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
    return values.astype(np.float32)


def mrc(image: np.ndarray) -> Made:
    with pytest.importorskip("mrcfile").new("y.mrc", data=image) as made:
        made.voxel_size = 1.5
    return "y.mrc", []


def of_mrc(file: Path) -> np.ndarray:
    with pytest.importorskip("mrcfile").open(file) as opened:
        assert float(opened.voxel_size.x) == float(opened.voxel_size.y) == 1.5
        return np.array(opened.data)


def zarr(image: np.ndarray) -> Made:
    made = pytest.importorskip("zarr").create_array("y.zarr", data=image)
    made.attrs["exposure"] = 0.5
    return "y.zarr", []


def of_zarr(file: Path) -> np.ndarray:
    lib = pytest.importorskip("zarr")
    opened = lib.open(lib.storage.ZipStore(file, mode="r"), mode="r")
    assert opened.attrs["exposure"] == 0.5
    return np.asarray(opened).squeeze()


def ome_zarr(image: np.ndarray) -> Made:
    group = pytest.importorskip("zarr").open_group("y.zarr", mode="w", zarr_format=2)
    group.create_array("0", data=np.stack([0 * image, image]))
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    scale = {"type": "scale", "scale": [2.0, 0.5, 0.25]}
    place = {"type": "translation", "translation": [0.0, 7.0, 9.0]}
    datasets = [{"path": "0", "coordinateTransformations": [scale, place]}]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": datasets, "version": "0.4"}]
    return "y.zarr", ["--index", "1"]


def of_ome_zarr(file: Path) -> np.ndarray:
    lib = pytest.importorskip("zarr")
    group = lib.open(lib.storage.ZipStore(file, mode="r"), mode="r")
    (scales,) = group.attrs["ome"]["multiscales"]
    assert [axis["name"] for axis in scales["axes"]] == ["c", "y", "x"]
    assert scales["axes"][2]["unit"] == "micrometer"
    assert scales["datasets"][0]["coordinateTransformations"] == [
        {"type": "scale", "scale": [1.0, 0.5, 0.25]},
        {"type": "translation", "translation": [0.0, 7.0, 9.0]},
    ]
    return np.asarray(group[scales["datasets"][0]["path"]]).squeeze()


def nrrd(image: np.ndarray) -> Made:
    lib = pytest.importorskip("SimpleITK")
    made = lib.GetImageFromArray(np.stack([0 * image, image]))
    made.SetSpacing((0.25, 0.5, 2.0))
    made.SetOrigin((1.0, 2.0, 3.0))
    lib.WriteImage(made, "y.nrrd")
    return "y.nrrd", ["--index", "1"]


def of_nrrd(file: Path) -> np.ndarray:
    lib = pytest.importorskip("SimpleITK")
    opened = lib.ReadImage(str(file))
    assert opened.GetSpacing() == (0.25, 0.5, 2.0)
    assert opened.GetOrigin() == (1.0, 2.0, 5.0)
    return np.asarray(lib.GetArrayFromImage(opened))[0]


def csv(image: np.ndarray) -> Made:
    np.savetxt("y.csv", image, delimiter=",", fmt="%.9g")
    return "y.csv", []


def of_csv(file: Path) -> np.ndarray:
    return np.loadtxt(file, delimiter=",", dtype=np.float32)


KINDS = (
    Kind("TIFF", ome_tiff, ".tif", of_ome_tiff, white=65535),
    Kind("FITS", fits, ".fits", of_fits),
    Kind("NIfTI", nifti, ".nii.gz", of_nifti),
    Kind("HDF5", hdf5, ".h5", of_hdf5),
    Kind("BART", bart, ".cfl", of_bart),
    Kind("MAT", mat, ".mat", of_mat),
    Kind("DICOM", dicom, ".dcm", of_dicom),
    Kind("MRC", mrc, ".mrc", of_mrc),
    Kind("ITK", nrrd, ".nrrd", of_nrrd),
    Kind("text", csv, ".csv", of_csv),
    Kind("Zarr", zarr, ".zarr.zip", of_zarr),
    Kind("Zarr", ome_zarr, ".zarr.zip", of_ome_zarr),
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.make.__name__)
def test_results_are_like_the_file(reconstruct: Run, folder: Path, kind: Kind) -> None:
    image = load_image("gray.png")[0, :32, :24].numpy()
    name, options = kind.make(image)
    options = options if "--op" in options else [*options, "--op", "denoise"]
    done = reconstruct(
        *("--measurement", name, "--noise", "0.05", *options),
        *("--steps", "1", "--samples", "2", "--out", "o"),
    )
    assert done.exit_code == 0, done.output
    arrays = np.load("o/arrays.npz")
    for stem, array in (("reconstruction", "mean"), ("std", "std")):
        found = kind.check(folder / "o" / f"{stem}{kind.result}")
        assert found.dtype in (np.float32, np.complex64)
        expected = kind.white * arrays[array].squeeze()
        off = 2e-5 * np.abs(expected).max() if kind.name == "DICOM" else 0.0  # 16 bits, a slope
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=off)


def test_all_formats_are_walked() -> None:
    walked = {kind.name for kind in KINDS}
    assert walked | set(WITHOUT) == {form.name for form in FORMATS}
    assert all(form.write for form in FORMATS if form.name in walked)


@pytest.mark.parametrize("name", ["y.zarr", "y.h5"])
def test_chunks_that_are_not_stored_are_told(reconstruct: Run, folder: Path, name: str) -> None:  # noqa: ARG001
    image = load_image("gray.png")[0, :32, :24].numpy()
    sizes: dict[str, Any] = {"shape": (32, 24), "chunks": (8, 24), "dtype": "f4"}
    if name == "y.zarr":
        pytest.importorskip("zarr").create_array(name, **sizes)[:16] = image[:16]
    else:
        with pytest.importorskip("h5py").File(name, "w") as opened:
            opened.create_dataset("y", **sizes)[:16] = image[:16]
    told = f"'{name}' stores 2 of its 4 chunks: the others are taken for its fill value, 0.0"
    options = ("--op", "denoise", "--noise", "0.05", "--steps", "1", "--out", "o")
    with pytest.warns(UserWarning, match=told):
        done = reconstruct("--measurement", name, *options)
    assert done.exit_code == 0, done.output


def test_chunks_without_a_value_are_refused(reconstruct: Run, folder: Path) -> None:
    made = pytest.importorskip("zarr").create_array(
        "y.zarr", shape=(32, 24), chunks=(8, 24), dtype="f4", zarr_format=2, fill_value=None
    )
    made[:16] = 1
    done = reconstruct("--measurement", "y.zarr", "--op", "denoise", "--out", "o")
    assert done.exit_code == 2
    assert "must store all of its 4 chunks, or declare a fill value, got 2" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (folder / "o").exists()
