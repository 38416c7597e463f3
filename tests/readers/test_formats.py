"""Every format by a file of its own library: numbers, axes, units, and results written like it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from invscore import readers
from invscore.images import load_image, load_measurement
from invscore.operators.files import read_mask

RANDOM = np.random.default_rng(0)
VOLUME = RANDOM.normal(size=(12, 10, 5)).astype(np.float32)
PLANE = VOLUME[..., 1].copy()
KSPACE = (RANDOM.normal(size=(5, 4, 12, 10)) + 1j * RANDOM.normal(size=(5, 4, 12, 10))).astype(
    np.complex64
)


def taken(file: Path, key: str | None = None, **part: Any) -> readers.Recording:
    """What a measurement in ``file`` is read as."""
    return readers.pick(readers.read(file, key, ("y", "measurement", "image")), repr(file), **part)


def again(file: Path, like: readers.Recording, values: np.ndarray) -> readers.Recording:
    """``values`` written as results of ``file`` are, and read."""
    written = readers.write(file.parent / "result", values, like, file)
    assert written is not None
    assert written.name in readers.written_names("result")
    return taken(written)


def check_round_trip(file: Path, like: readers.Recording, tolerance: float = 0.0) -> None:
    values = np.asarray(like.values)
    values = values if values.ndim == 3 else values[None]
    back = again(file, like, readers.as_numbers(values, "values", like.white))
    assert np.asarray(back.values).dtype.kind in "fc"
    np.testing.assert_allclose(
        np.asarray(back.values).reshape(values.shape), values, rtol=3e-7, atol=tolerance
    )


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


def test_nifti_scales_integers(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.Nifti1Image((100 * VOLUME).astype(np.int16), np.eye(4))
    image.header.set_slope_inter(0.5, 7)
    image.to_filename(tmp_path / "a.nii")
    expected = 0.5 * (100 * VOLUME[..., 0]).astype(np.int16) + 7
    np.testing.assert_allclose(load_image(tmp_path / "a.nii", index=0)[0], expected)
    with pytest.raises(ValueError, match=r"several images, .*h=12, w=10\): index must say .* z"):
        load_image(tmp_path / "a.nii")


def test_fits_keeps_its_world_coordinates(tmp_path: Path) -> None:
    fits = pytest.importorskip("astropy.io.fits")
    wcs = pytest.importorskip("astropy.wcs")
    sky = wcs.WCS(naxis=2)
    sky.wcs.ctype, sky.wcs.crval = ["RA---TAN", "DEC--TAN"], [150.0, 2.0]
    sky.wcs.crpix, sky.wcs.cdelt = [3.0, 8.0], [-1e-4, 1e-4]
    header = sky.to_header()
    header["BUNIT"] = "adu"
    counts = (1000 * np.abs(PLANE)).astype(np.uint16)  # stored with BZERO
    fits.PrimaryHDU(counts, header).writeto(tmp_path / "a.fits")
    like = taken(tmp_path / "a.fits")
    assert (like.axes, like.units, like.white) == ("hw", "adu", None)
    assert np.array_equal(like.values, counts)
    check_round_trip(tmp_path / "a.fits", like)

    def place(columns: float, rows: float) -> np.ndarray:
        found = wcs.WCS(fits.getheader(tmp_path / "result.fits"))
        return np.array(found.wcs_pix2world(columns, rows, 0), dtype=float)

    assert fits.getheader(tmp_path / "result.fits")["BITPIX"] == -32
    corner = np.array(sky.wcs_pix2world(9.5, 11.5, 0), dtype=float)
    np.testing.assert_allclose(place(9.5, 11.5), corner, rtol=1e-12)
    again(tmp_path / "a.fits", like, np.zeros((1, 48, 40), np.float32))
    np.testing.assert_allclose(place(39.5, 47.5), corner, rtol=1e-12)
    again(tmp_path / "a.fits", like, np.zeros((1, 16, 16), np.float32))
    np.testing.assert_allclose(place(12.5, 13.5), corner, rtol=1e-12)


def test_fits_of_several_images(tmp_path: Path) -> None:
    fits = pytest.importorskip("astropy.io.fits")
    image = fits.ImageHDU
    units = [fits.PrimaryHDU(), image(PLANE, name="SCI"), image(PLANE + 1, name="ERR")]
    fits.HDUList(units).writeto(tmp_path / "a.fits")
    assert np.array_equal(load_image(tmp_path / "a.fits")[0], PLANE)
    for key in ("ERR", "2"):
        assert np.array_equal(load_image(tmp_path / "a.fits", key=key)[0], PLANE + 1)
    for key, message in (("DQ", r"\(ERR, SCI\), got 'DQ'"), ("0", "number of an image")):
        with pytest.raises(ValueError, match=message):
            load_image(tmp_path / "a.fits", key=key)
    cube = np.moveaxis(VOLUME, 2, 0)
    fits.PrimaryHDU(cube).writeto(tmp_path / "cube.fits")
    like = taken(tmp_path / "cube.fits", index=4)
    assert np.array_equal(like.values, cube[4])
    check_round_trip(tmp_path / "cube.fits", like)
    holes = PLANE.copy()
    holes[0, 0] = np.nan
    fits.PrimaryHDU(holes).writeto(tmp_path / "holes.fits")
    assert load_measurement(tmp_path / "holes.fits").isnan().sum() == 1


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


def write_ismrmrd(file: Path, trajectory: str = "cartesian", centre: int = 5) -> None:
    ismrmrd = pytest.importorskip("ismrmrd")
    dataset = ismrmrd.Dataset(str(file), "dataset", True)
    text = HEADER.format(size=SIZE, trajectory=trajectory, centre=centre)
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


def test_matlab(tmp_path: Path) -> None:
    savemat = pytest.importorskip("scipy.io").savemat
    byte = RANDOM.integers(0, 256, (12, 10, 3), dtype=np.uint8)
    savemat(tmp_path / "a.mat", {"photo": byte, "note": "hello"})
    image = load_image(tmp_path / "a.mat")
    torch.testing.assert_close(image, torch.from_numpy(byte).movedim(2, 0) / 255)
    savemat(tmp_path / "b.mat", {"a": PLANE, "b": 1j * PLANE})
    assert load_image(tmp_path / "b.mat", key="b").is_complex()
    check_round_trip(tmp_path / "b.mat", taken(tmp_path / "b.mat", "b"))
    with pytest.raises(ValueError, match="got a, b: key names the one to read"):
        load_image(tmp_path / "b.mat")
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "c.mat", "w") as opened:
        opened["x"] = VOLUME.T
    assert np.array_equal(taken(tmp_path / "c.mat").values, VOLUME)


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


def test_mrc(tmp_path: Path) -> None:
    mrcfile = pytest.importorskip("mrcfile")
    with mrcfile.new(tmp_path / "a.mrc", data=PLANE) as made:
        made.voxel_size = 1.5
    like = taken(tmp_path / "a.mrc")
    check_round_trip(tmp_path / "a.mrc", like)
    again(tmp_path / "a.mrc", like, np.zeros((1, 24, 20), np.float32))
    with mrcfile.open(tmp_path / "result.mrc") as opened:
        assert float(opened.voxel_size.x) == float(opened.voxel_size.y) == 0.75
    with mrcfile.new(tmp_path / "stack.mrcs", data=np.moveaxis(VOLUME, 2, 0).copy()):
        pass
    assert np.array_equal(load_image(tmp_path / "stack.mrcs", index=2)[0], VOLUME[..., 2])


def test_zarr(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    zarr.save_array(str(tmp_path / "a.zarr"), PLANE)
    check_round_trip(tmp_path / "a.zarr", taken(tmp_path / "a.zarr"))
    group = zarr.open_group(str(tmp_path / "ome.zarr"), mode="w")
    deep = RANDOM.integers(2**15, 2**16, (2, 3, 12, 10), dtype=np.uint16)
    group.create_array("0", data=deep)
    group.create_array("1", data=deep[..., ::2, ::2])
    axes = [{"name": name} for name in "czyx"]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "0"}, {"path": "1"}]}]
    image = load_image(tmp_path / "ome.zarr", index=1)
    torch.testing.assert_close(image, torch.from_numpy(deep[:, 1].astype(np.float32)) / 65535)
    assert load_image(tmp_path / "ome.zarr", key="1", index=0).shape == (2, 6, 5)


def test_a_bayer_mosaic(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    mosaic = RANDOM.integers(512, 4096, (64, 48)).astype(np.uint16)
    identity = (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1)
    tags: list[Any] = [
        (50706, 1, 4, bytes([1, 4, 0, 0]), True),  # DNGVersion
        (33421, 3, 2, (2, 2), True),  # CFARepeatPatternDim
        (33422, 1, 4, bytes([0, 1, 1, 2]), True),  # CFAPattern
        (50714, 3, 1, 512, True),  # BlackLevel
        (50717, 4, 1, 4095, True),  # WhiteLevel
        (50708, 2, 5, "Test", True),  # UniqueCameraModel
        (50721, 10, 9, identity, True),  # ColorMatrix1
    ]
    tifffile.imwrite(tmp_path / "a.dng", mosaic, photometric=32803, extratags=tags)
    like = taken(tmp_path / "a.dng")
    np.testing.assert_allclose(like.values, (mosaic - 512.0) / (4095 - 512), atol=1e-6)
    assert like.header["pattern"] == [["R", "G"], ["G", "B"]]


def test_ome_tiff_keeps_the_size_of_its_pixels(tmp_path: Path) -> None:
    stack = RANDOM.integers(2**15, 2**16, (3, 12, 10), dtype=np.uint16)
    size = {"PhysicalSizeX": 0.1, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.1}
    options: Any = {"ome": True, "photometric": "minisblack"}
    tifffile.imwrite(tmp_path / "a.ome.tif", stack, metadata={"axes": "ZYX", **size}, **options)
    like = taken(tmp_path / "a.ome.tif", index=1)
    check_round_trip(tmp_path / "a.ome.tif", like)
    with tifffile.TiffFile(tmp_path / "result.tif") as tiff:
        assert 'PhysicalSizeX="0.1"' in str(tiff.ome_metadata)
        assert tiff.series[0].dtype == np.float32
    tifffile.imwrite(tmp_path / "b.tif", stack[0], resolution=(300, 200), resolutionunit="INCH")
    again(tmp_path / "b.tif", taken(tmp_path / "b.tif"), PLANE[None])
    with tifffile.TiffFile(tmp_path / "result.tif") as tiff:
        assert tiff.pages.first.tags["XResolution"].value == (300, 1)
