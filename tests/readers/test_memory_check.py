"""What a file declares is compared with the memory that there is before any number is read."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from invscore.hardware import memory
from invscore.images import load_image
from invscore.operators.files import read_kernel, read_mask

ZEROS = np.zeros((700, 900), np.float32)


def npz(file: Path) -> None:
    np.savez_compressed(file, image=ZEROS)


def lying_npz(file: Path) -> None:
    """A member of 200 bytes that declares 8 TB."""
    text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }".ljust(117)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("image.npy", b"\x93NUMPY\x01\x00" + b"\x76\x00" + text + b"\n" + bytes(80))


def sparse_npy(file: Path) -> None:
    np.lib.format.open_memmap(file, "w+", np.float64, (1_000_000, 1_000))


def h5(file: Path) -> None:
    import h5py

    with h5py.File(file, "w") as opened:
        opened.create_dataset("image", (100_000, 100_000), "f4", chunks=(100, 100), compression=1)


def h5_of_one_chunk(file: Path) -> None:
    import h5py

    with h5py.File(file, "w") as opened:
        opened.create_dataset("image", (8, 700, 900), "f4", chunks=(8, 700, 900), compression=1)


def nifti(file: Path) -> None:
    import nibabel

    image = nibabel.Nifti1Image(ZEROS, np.eye(4))
    header = bytearray(image.to_bytes())
    header[42:46] = np.array([30_000, 30_000], "<i2").tobytes()
    file.write_bytes(gzip.compress(bytes(header)))


def mat(file: Path) -> None:
    from scipy.io import savemat

    savemat(file, {"image": ZEROS.astype(float)}, do_compression=True)


def fits(file: Path) -> None:
    from astropy.io import fits as library

    library.CompImageHDU(ZEROS).writeto(file)


def tiff(file: Path) -> None:
    tifffile.imwrite(file, ZEROS, compression="zlib")


def mrc(file: Path) -> None:
    import mrcfile

    with mrcfile.new(file, data=ZEROS):
        pass


def nrrd(file: Path) -> None:
    file.write_text(
        "NRRD0004\ntype: float\ndimension: 2\nsizes: 30000 30000\nencoding: raw\nendian: little\n\n"
    )


def text(file: Path) -> None:
    file.write_text("0,0,0,0\n" * 40_000)


def dicom(file: Path) -> None:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, DeflatedExplicitVRLittleEndian, generate_uid

    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = CTImageStorage, generate_uid()
    made.Rows, made.Columns, made.SamplesPerPixel = *ZEROS.shape, 1
    made.BitsAllocated = made.BitsStored = 16
    made.HighBit, made.PixelRepresentation = 15, 0
    made.PhotometricInterpretation = "MONOCHROME2"
    made.PixelData = ZEROS.astype(np.uint16).tobytes()
    made["PixelData"].VR = "OW"
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = CTImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.save_as(file, enforce_file_format=True)


def png(file: Path) -> None:
    Image.fromarray(ZEROS.astype(np.uint8)).save(file)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        *(("a.npz", npz), ("a.npz", lying_npz), ("a.npy", sparse_npy), ("a.h5", h5)),
        *(("a.nii.gz", nifti), ("a.mat", mat), ("a.fits", fits), ("a.tif", tiff)),
        *(("a.mrc", mrc), ("a.dcm", dicom), ("a.png", png), ("a.nrrd", nrrd), ("a.csv", text)),
    ],
)
def test_what_does_not_fit_is_refused_by_its_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, make: Callable[[Path], None]
) -> None:
    monkeypatch.setattr(memory, "available", lambda: 1_000_000)
    make(tmp_path / name)
    with pytest.raises(ValueError, match=r"a\.\S+', of shape .* memory, 1 MB are free$"):
        load_image(tmp_path / name)


def test_a_part_of_a_file_needs_room_for_itself(tmp_path: Path) -> None:
    sparse_npy(tmp_path / "a.npy")
    h5(tmp_path / "a.h5")
    stack: Any = np.lib.format.open_memmap(tmp_path / "s.npy", "w+", np.uint8, (1 << 22, 64, 64))
    stack[7] = 255
    assert float(load_image(tmp_path / "s.npy", axes="zhw", index=7).mean()) == 1


def test_a_chunk_is_decompressed_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    h5_of_one_chunk(tmp_path / "a.h5")
    monkeypatch.setattr(memory, "available", lambda: 15_000_000)
    with pytest.raises(ValueError, match=r"of shape \(700, 900\), would need 30"):
        load_image(tmp_path / "a.h5", index=2)


def test_masks_and_kernels_are_about_as_large_as_the_image(tmp_path: Path) -> None:
    npz(tmp_path / "a.npz")
    for read in (read_mask, read_kernel):
        with pytest.raises(ValueError, match=r"must fit the image's shape \(1, 8, 8\), got \(700"):
            read(tmp_path / "a.npz", image=(1, 8, 8))
