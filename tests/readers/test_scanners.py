"""Files of scanners: images in space, k-space and sinograms, each by its own library."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from recordings import KSPACE, PLANE, RANDOM, VOLUME, again, check_round_trip, taken

from invscore.images import load_image, load_measurement
from invscore.operators.files import read_mask


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_keeps_its_place_in_space(tmp_path: Path, suffix: str) -> None:
    nibabel = pytest.importorskip("nibabel")
    affine = np.array([[-2.0, 0, 0, 90], [0, 0, 3, -126], [0, -1.5, 0, -72], [0, 0, 0, 1]])
    file = tmp_path / f"head{suffix}"
    nibabel.Nifti1Image(VOLUME, affine).to_filename(file)
    like = taken(file, index=3)
    assert (like.axes, like.units) == ("hw", "NIfTI")
    assert np.array_equal(like.values, VOLUME[:, :, 3])
    check_round_trip(file, like)

    slice_ = nibabel.load(tmp_path / f"result{suffix}")
    assert slice_.shape == (12, 10, 1)
    assert slice_.get_data_dtype() == np.float32
    np.testing.assert_allclose(slice_.affine, nibabel.load(file).slicer[:, :, 3:4].affine)

    # Twice as many pixels on the same field: its corners are where they were.
    again(file, like, np.zeros((1, 24, 20), np.float32))
    finer = nibabel.load(tmp_path / f"result{suffix}").affine
    for old, new in (((-0.5, -0.5, 3), (-0.5, -0.5, 0)), ((11.5, 9.5, 3), (23.5, 19.5, 0))):
        np.testing.assert_allclose(finer @ [*new, 1], affine @ [*old, 1])
    # Three times as many columns, of slices that were thick.
    again(file, like, np.zeros((1, 12, 30), np.float32))
    thin = nibabel.load(tmp_path / f"result{suffix}").affine
    for old, new in (((-0.5, -0.5, 3), (-0.5, -0.5, 0)), ((11.5, 9.5, 3), (11.5, 29.5, 0))):
        np.testing.assert_allclose(thin @ [*new, 1], affine @ [*old, 1])
    # A margin of two pixels and of one.
    again(file, like, np.zeros((1, 16, 12), np.float32))
    wider = nibabel.load(tmp_path / f"result{suffix}").affine
    np.testing.assert_allclose(wider @ [2, 1, 0, 1], affine @ [0, 0, 3, 1])

    # Slices along another axis.
    like = taken(file, axes="zhw", index=2)
    assert np.array_equal(like.values, VOLUME[2])
    again(file, like, VOLUME[2][None])
    sagittal = nibabel.load(tmp_path / f"result{suffix}")
    np.testing.assert_allclose(sagittal.affine, nibabel.load(file).slicer[2:3].affine)
    assert np.array_equal(sagittal.get_fdata(), VOLUME[2:3])


def test_fields_of_view_that_cannot_be_are_told(tmp_path: Path) -> None:
    write_ismrmrd(tmp_path / "a.mrd", field=-12)
    with pytest.warns(UserWarning, match=r"a\.mrd' tells pixels of a size of -1 x 0\.1, which"):
        taken(tmp_path / "a.mrd", index={"n": 0})


def test_nifti_scales_integers(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.Nifti1Image((100 * VOLUME).astype(np.int16), np.eye(4))
    image.header.set_slope_inter(0.5, 7)
    image.to_filename(tmp_path / "a.nii")
    expected = 0.5 * (100 * VOLUME[..., 0]).astype(np.int16) + 7
    np.testing.assert_allclose(load_image(tmp_path / "a.nii", index=0)[0], expected)
    with pytest.raises(ValueError, match=r"several images, .*h=12, w=10\): index must say .* z"):
        load_image(tmp_path / "a.nii")


def write_dicom(file: Path, stored: np.ndarray, **elements: Any) -> None:
    pydicom = pytest.importorskip("pydicom")
    uid = pydicom.uid
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = (
        uid.CTImageStorage,
        uid.ExplicitVRLittleEndian,
    )
    meta.MediaStorageSOPInstanceUID = uid.generate_uid()
    dataset = pydicom.dataset.FileDataset(str(file), {}, file_meta=meta, preamble=bytes(128))
    shape = {"Rows": stored.shape[-2], "Columns": stored.shape[-1], "SamplesPerPixel": 1}
    bits = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0}
    usual = {"Modality": "CT", "PhotometricInterpretation": "MONOCHROME2", "PatientName": "A^B"}
    units = {"RescaleSlope": "1", "RescaleIntercept": "-1024", "PixelSpacing": [2.0, 3.0]}
    for name, value in {**shape, **bits, **usual, **units, **elements}.items():
        setattr(dataset, name, value)
    dataset.SOPClassUID, dataset.SOPInstanceUID = (
        uid.CTImageStorage,
        meta.MediaStorageSOPInstanceUID,
    )
    if stored.size > 1:
        dataset.PixelData = stored.astype("<u2").tobytes()
    dataset.save_as(file, enforce_file_format=True)


def test_dicom(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    stored = RANDOM.integers(0, 4096, (12, 10))
    write_dicom(tmp_path / "IM0001", stored)  # without a suffix, as scanners write them
    like = taken(tmp_path / "IM0001")
    assert like.units == "HU"
    assert np.array_equal(like.values, stored - 1024)
    check_round_trip(tmp_path / "IM0001", like, tolerance=4096 / 65535)
    again(tmp_path / "IM0001", like, np.zeros((1, 24, 20), np.float32))
    result = pydicom.dcmread(tmp_path / "result.dcm")
    assert result.PixelSpacing == [1.0, 1.5]
    assert result.PatientName == "A^B"
    assert result.SOPInstanceUID != like.header.SOPInstanceUID
    write_dicom(tmp_path / "negative.dcm", stored, PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(taken(tmp_path / "negative.dcm").values, 4095 - stored - 1024)
    write_dicom(tmp_path / "frames.dcm", np.stack([stored, stored // 2]), NumberOfFrames=2)
    assert np.array_equal(taken(tmp_path / "frames.dcm", index=1).values, stored // 2 - 1024)
    write_dicom(tmp_path / "report.dcm", np.zeros((1, 1)), Modality="SR")
    with pytest.raises(ValueError, match="must hold an image, got modality SR without pixels"):
        taken(tmp_path / "report.dcm")


def test_fastmri(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    lines = RANDOM.random(10) > 0.5
    with h5py.File(tmp_path / "a.h5", "w") as opened:
        opened["kspace"], opened["mask"] = KSPACE, lines
        opened["reconstruction_rss"] = np.moveaxis(VOLUME, 2, 0)
        opened["ismrmrd_header"] = "<ismrmrdHeader/>"
        opened.attrs["acquisition"] = "AXT2"
    like = taken(tmp_path / "a.h5", index=2)
    assert like.axes == "chw"
    assert np.array_equal(like.values, KSPACE[2])
    assert np.array_equal(load_image(tmp_path / "a.h5", index=1)[0], VOLUME[..., 1])
    assert torch.equal(read_mask(tmp_path / "a.h5"), torch.from_numpy(lines))
    again(tmp_path / "a.h5", like, PLANE[None])
    with h5py.File(tmp_path / "result.h5") as opened:
        assert np.array_equal(opened["reconstruction"][0], PLANE)
        assert opened["ismrmrd_header"][()] == b"<ismrmrdHeader/>"
        assert opened["reconstruction"].attrs["acquisition"] == "AXT2"
    with h5py.File(tmp_path / "single.h5", "w") as opened:
        opened["kspace"] = KSPACE[:, 0]
    assert torch.equal(
        load_measurement(tmp_path / "single.h5", index=3), torch.from_numpy(KSPACE[3, 0])
    )
    with pytest.raises(ValueError, match=r"must name an array in .* \(kspace\), got 'image'"):
        load_measurement(tmp_path / "single.h5", key="image")


HEADER = """<?xml version="1.0"?><ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD">
<experimentalConditions><H1resonanceFrequency_Hz>1</H1resonanceFrequency_Hz></experimentalConditions>
<encoding><encodedSpace>{size}</encodedSpace><reconSpace>{size}</reconSpace><encodingLimits>
<kspace_encoding_step_1><minimum>0</minimum><maximum>7</maximum><center>{centre}</center>
</kspace_encoding_step_1></encodingLimits><trajectory>{trajectory}</trajectory></encoding>
</ismrmrdHeader>"""
SIZE = """<matrixSize><x>12</x><y>10</y><z>1</z></matrixSize>
<fieldOfView_mm><x>1</x><y>1</y><z>1</z></fieldOfView_mm>"""


def write_ismrmrd(
    file: Path, trajectory: str = "cartesian", centre: int = 5, field: int = 1
) -> None:
    ismrmrd = pytest.importorskip("ismrmrd")
    dataset = ismrmrd.Dataset(str(file), "dataset", True)
    size = SIZE.replace("<fieldOfView_mm><x>1", f"<fieldOfView_mm><x>{field}")
    text = HEADER.format(size=size, trajectory=trajectory, centre=centre)
    dataset.write_xml_header(text.encode())
    for slice_ in range(2):
        for line in (*range(0, 10, 2), 4):  # one twice
            acquisition = ismrmrd.Acquisition.from_array(KSPACE[slice_, :, :, line])
            acquisition.idx.kspace_encode_step_1 = line - 5 + centre
            acquisition.idx.slice, acquisition.center_sample = slice_, 6
            dataset.append_acquisition(acquisition)
    noise = ismrmrd.Acquisition.from_array(99 * KSPACE[0, :, :, 0])
    noise.setFlag(ismrmrd.ACQ_IS_NOISE_MEASUREMENT)
    dataset.append_acquisition(noise)
    dataset.close()


@pytest.mark.parametrize("centre", [5, 8])
def test_ismrmrd(tmp_path: Path, centre: int) -> None:
    write_ismrmrd(tmp_path / "a.mrd", centre=centre)
    like = taken(tmp_path / "a.mrd", index={"n": 1})
    assert like.axes == "chw"
    expected = KSPACE[1].copy()
    expected[..., 1::2] = 0
    np.testing.assert_allclose(like.values, expected, rtol=1e-6)
    np.testing.assert_allclose(like.header["noise"], 99 * KSPACE[0, :, :, 0], rtol=1e-6)
    write_ismrmrd(tmp_path / "spiral.mrd", "spiral")
    with pytest.raises(ValueError, match="trajectory that is spiral, got several by slice"):
        load_measurement(tmp_path / "spiral.mrd")


def write_partitions(
    file: Path, kspace: np.ndarray, lines: list[tuple[int, int]], center: int | None = None
) -> None:
    """k-space (z, coils, readout, y) in three dimensions, of which these (z, y) are measured."""
    ismrmrd = pytest.importorskip("ismrmrd")
    dataset = ismrmrd.Dataset(str(file), "dataset", True)
    size = SIZE.replace("<z>1</z></matrixSize>", f"<z>{len(kspace)}</z></matrixSize>")
    text = HEADER.format(size=size, trajectory="cartesian", centre=5)
    if center is not None:
        limits = f"<kspace_encoding_step_2><center>{center}</center></kspace_encoding_step_2>"
        text = text.replace("</encodingLimits>", f"{limits}</encodingLimits>")
    dataset.write_xml_header(text.encode())
    for partition, line in lines:
        acquisition = ismrmrd.Acquisition.from_array(kspace[partition, :, :, line])
        acquisition.idx.kspace_encode_step_1, acquisition.idx.kspace_encode_step_2 = line, partition
        acquisition.center_sample = 6
        dataset.append_acquisition(acquisition)
    dataset.close()


def test_partitions_are_slices(tmp_path: Path) -> None:
    """Against the explicit sum; what is sampled along partitions is no stack of slices."""
    lines = [(partition, line) for partition in range(5) for line in (0, 3, 4, 5, 9)]
    write_partitions(tmp_path / "a.mrd", KSPACE, lines)
    like = taken(tmp_path / "a.mrd")
    assert (like.axes, like.values.shape) == ("zchw", (5, 4, 12, 10))
    k = np.arange(5) - 2
    turns = np.exp(2j * np.pi * np.outer(k, k) / 5) / np.sqrt(5)
    expected = np.einsum("zk,kcxy->zcxy", turns, KSPACE)
    expected[..., [1, 2, 6, 7, 8]] = 0
    np.testing.assert_allclose(like.values, expected, rtol=1e-5, atol=1e-5)
    assert "dimensions" not in like.header


def test_partitions_that_are_no_slices(tmp_path: Path) -> None:
    """Not all of each line are measured: k-space of three dimensions, its zero in the middle."""
    lines = [(partition, line) for partition in range(5) for line in (0, 3, 4, 5, 9)]
    for k, some in enumerate((lines[:-1], lines[:20], lines[7:])):
        write_partitions(tmp_path / f"{k}.mrd", KSPACE, some)
        like = taken(tmp_path / f"{k}.mrd")
        assert (like.axes, like.header["dimensions"]) == ("zchw", 3)
        expected = np.zeros_like(KSPACE)
        for partition, line in some:
            expected[partition, ..., line] = KSPACE[partition, ..., line]
        np.testing.assert_array_equal(like.values, expected)
    write_partitions(tmp_path / "off.mrd", KSPACE, lines, center=3)
    with pytest.raises(ValueError, match="partitions from 0 to 4 about 3 as its header says"):
        taken(tmp_path / "off.mrd")


def test_bart(tmp_path: Path) -> None:
    (tmp_path / "k.hdr").write_text("# Dimensions\n12 10 1 4 1 1 1 1 1 1 1 1 1 5 1 1 \n")
    KSPACE.transpose(2, 3, 1, 0).ravel(order="F").tofile(tmp_path / "k.cfl")
    for name in ("k.cfl", "k.hdr"):
        like = taken(tmp_path / name, index={"n": 2})
        assert np.array_equal(like.values, KSPACE[2])
        check_round_trip(tmp_path / name, like)
    (tmp_path / "k.cfl").write_bytes(b"12345678")
    with pytest.raises(ValueError, match="must have 19200 bytes, got 8"):
        taken(tmp_path / "k.cfl")
    (tmp_path / "alone.cfl").write_bytes(b"12345678")
    with pytest.raises(ValueError, match=r"needs 'alone\.hdr' beside it"):
        taken(tmp_path / "alone.cfl")


def test_data_exchange(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    integrals = np.abs(RANDOM.normal(size=(6, 3, 8)))
    with h5py.File(tmp_path / "a.h5", "w") as opened:
        opened["exchange/data"] = (100 + 900 * np.exp(-integrals)).astype(np.float32)
        opened["exchange/data_white"] = np.full((2, 3, 8), 1000, np.uint16)
        opened["exchange/data_dark"] = np.full((2, 3, 8), 100, np.uint16)
        opened["exchange/theta"] = 30.0 * np.arange(6)
    like = taken(tmp_path / "a.h5", index=1)
    assert like.axes == "hw"
    np.testing.assert_allclose(like.values, integrals[:, 1], atol=1e-5)
    assert like.header["theta"].tolist() == [0, 30, 60, 90, 120, 150]
    raw = load_measurement(tmp_path / "a.h5", key="exchange/data_dark")
    assert raw.shape == (2, 3, 8)


def test_data_exchange_tells_photons(tmp_path: Path) -> None:
    """Gain, read noise and beam from the white and dark fields of a flickering source."""
    h5py = pytest.importorskip("h5py")
    from invscore.readers import read

    rng = np.random.default_rng(0)
    gain, offset, deviation, beam = 2.5, 100.0, 5.0, np.linspace(300, 500, 64)
    flicker = rng.uniform(0.9, 1.1, (20, 1, 1))
    through = beam * np.exp(-np.linspace(0, 4, 30))[:, None, None]

    def detected(photons: np.ndarray) -> np.ndarray:
        return gain * rng.poisson(photons) + offset + deviation * rng.standard_normal(photons.shape)

    with h5py.File(tmp_path / "a.h5", "w") as opened:
        opened["exchange/data"] = detected(through)
        opened["exchange/data_white"] = detected(flicker * beam)
        opened["exchange/data_dark"] = detected(np.zeros((20, 1, 64)))
        opened["exchange/theta"] = 6.0 * np.arange(30)
    found = read(tmp_path / "a.h5").header["flux"].row(0)
    assert found.gain == pytest.approx(gain, rel=0.15)
    assert found.background.mean() == pytest.approx((deviation / gain) ** 2, rel=0.4)
    assert found.beam.mean() * found.gain == pytest.approx(gain * 400, rel=0.05)
    expected = found.beam * np.exp(-np.linspace(0, 4, 30))[:, None] + found.background
    z = (found.counts - expected) / np.sqrt(expected)
    assert abs(z.mean()) < 0.25
    assert z.std() == pytest.approx(1, abs=0.15)

    with h5py.File(tmp_path / "a.h5", "a") as opened:
        del opened["exchange/theta"]
        opened["exchange/theta"] = 6.0 * np.arange(29)
    with pytest.raises(ValueError, match="must have an angle for each of 30 projections, got exch"):
        read(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as opened:
        del opened["exchange/data_white"]
        opened["exchange/data_white"] = np.ones((2, 1, 63))
    with pytest.raises(ValueError, match=r"must have exchange/data_white of shape \(n, 1, 64\)"):
        read(tmp_path / "a.h5")


@pytest.mark.parametrize("size", [-1.0, 0.0, math.nan])
def test_sizes_of_pixels_that_cannot_be_are_told(tmp_path: Path, size: float) -> None:
    nibabel, mrcfile = pytest.importorskip("nibabel"), pytest.importorskip("mrcfile")
    file = tmp_path / "a.nii"
    nibabel.Nifti1Image(PLANE, np.eye(4)).to_filename(file)
    content = bytearray(file.read_bytes())
    content[80:84] = np.float32(size).tobytes()  # pixdim[1]
    file.write_bytes(content)
    with pytest.warns(UserWarning, match=rf"a\.nii' tells pixels of a size of {size:g} x 1, which"):
        assert np.array_equal(taken(file).values, PLANE)
    pytest.importorskip("pydicom")
    write_dicom(tmp_path / "a.dcm", np.ones((12, 10)), PixelSpacing=[2.0, size])
    with pytest.warns(UserWarning, match=rf"a\.dcm' tells pixels of a size of 2 x {size:g}, which"):
        taken(tmp_path / "a.dcm")
    with mrcfile.new(tmp_path / "a.mrc", PLANE) as made:
        made.voxel_size = (1.0, size, 1.0)
    with pytest.warns(UserWarning, match=rf"a\.mrc' tells pixels of a size of 1 x {size:g} x 1"):
        taken(tmp_path / "a.mrc")
