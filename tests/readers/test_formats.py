"""Files of telescopes, microscopes, cameras and programs, each by its own library."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from recordings import PLANE, RANDOM, VOLUME, again, check_round_trip, taken

from invscore import readers
from invscore.images import load_image, load_measurement


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


def test_visibilities_are_no_image(tmp_path: Path) -> None:
    fits = pytest.importorskip("astropy.io.fits")
    numbers = RANDOM.normal(size=(20, 1, 1, 1, 2, 3)).astype(np.float32)
    uv = 1e-6 * RANDOM.normal(size=(2, 20))
    groups = fits.GroupData(numbers, bitpix=-32, parnames=["UU", "VV"], pardata=list(uv))
    for name in ("a.uvfits", "b.fits"):
        fits.GroupsHDU(groups).writeto(tmp_path / name)
        with pytest.raises(
            ValueError, match=r"must hold an image, got groups of visib.*\(UVFITS\)"
        ):
            load_measurement(tmp_path / name)


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


@pytest.mark.parametrize("suffix", ["nrrd", "nhdr", "mha", "mhd"])
def test_images_of_itk_keep_their_place_in_space(tmp_path: Path, suffix: str) -> None:
    itk = pytest.importorskip("SimpleITK")
    scan = itk.GetImageFromArray(np.moveaxis(VOLUME, 2, 0))
    scan.SetSpacing((0.5, 0.7, 2.0))
    scan.SetOrigin((1.0, 2.0, 3.0))
    scan.SetDirection((0, 1, 0, -1, 0, 0, 0, 0, 1))
    file = tmp_path / f"a.{suffix}"
    itk.WriteImage(scan, str(file))
    result = tmp_path / {"nhdr": "result.nrrd", "mhd": "result.mha"}.get(suffix, f"result.{suffix}")
    like = taken(file, index=2)
    assert np.array_equal(like.values, VOLUME[..., 2])
    check_round_trip(file, like)
    assert itk.ReadImage(str(result)).GetSize() == (10, 12, 1)

    def place(image: Any, *index: float) -> Any:
        return image.TransformContinuousIndexToPhysicalPoint(index)

    for size, corner in (((24, 20), (19.5, 23.5)), ((6, 4), (3.5, 5.5))):  # finer; a window
        again(file, like, np.zeros((1, *size), np.float32))
        expected = (9.5, 11.5) if size == (24, 20) else (6.5, 8.5)
        np.testing.assert_allclose(
            place(itk.ReadImage(str(result)), *corner, 0.0),
            place(scan, *expected, 2.0),
            rtol=1e-12,
        )
    whole = taken(file, volume="z")
    again(file, whole, np.moveaxis(VOLUME, 2, 0)[None])
    written = itk.GetArrayFromImage(itk.ReadImage(str(result)))
    assert np.array_equal(written, np.moveaxis(VOLUME, 2, 0))


@pytest.mark.parametrize("channels", [2, 3])
def test_components_of_itk_are_channels(tmp_path: Path, channels: int) -> None:
    itk = pytest.importorskip("SimpleITK")
    colour = RANDOM.normal(size=(12, 10, channels)).astype(np.float32)
    itk.WriteImage(itk.GetImageFromArray(colour, isVector=True), str(tmp_path / "a.mha"))
    like = taken(tmp_path / "a.mha")
    assert np.array_equal(np.asarray(like.values), np.moveaxis(colour, 2, 0))
    check_round_trip(tmp_path / "a.mha", like)


@pytest.mark.parametrize(("suffix", "between"), [("txt", " "), ("csv", ","), ("tsv", "\t")])
def test_texts_of_numbers(tmp_path: Path, suffix: str, between: str) -> None:
    file = tmp_path / f"a.{suffix}"
    np.savetxt(file, PLANE, delimiter=between, header="a note", fmt="%.9g")
    like = taken(file)
    assert (like.axes, like.white) == ("hw", None)
    np.testing.assert_allclose(like.values, PLANE, rtol=1e-7)
    check_round_trip(file, like)


def test_numbers_left_out_of_a_text_are_not_measured(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\ufeff1;2;;\r\n3;;4;\r\n\r\n", encoding="utf-8")
    read = np.asarray(taken(tmp_path / "a.csv").values)
    np.testing.assert_array_equal(read, [[1, 2, np.nan], [3, np.nan, 4]])


def test_texts_of_a_folder_are_no_images() -> None:
    assert not {".txt", ".csv"} & set(readers.known_suffixes())


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


def test_sizes_of_pixels_of_results_are_those_of_the_field(tmp_path: Path) -> None:
    """Twice as fine, half the size, in OME-TIFF, ImageJ's and plain TIFF; axes stay those given."""
    size = {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 1.5}
    stack, file = np.moveaxis(VOLUME, 2, 0), tmp_path / "a.ome.tif"
    tifffile.imwrite(file, stack, ome=True, metadata={"axes": "ZYX", **size})
    again(file, taken(file, index=1), np.zeros((1, 24, 20), np.float32))
    with tifffile.TiffFile(tmp_path / "result.tif") as tiff:
        told, shape = str(tiff.ome_metadata), tiff.pages.first.shape
    assert shape == (24, 20)
    for text in ('PhysicalSizeX="0.125"', 'PhysicalSizeY="0.25"', 'PhysicalSizeZ="1.5"'):
        assert text in told
    frames = tmp_path / "t.ome.tif"
    tifffile.imwrite(frames, stack, ome=True, metadata={"axes": "TYX", **size})
    like = taken(frames, volume="t")
    again(frames, like, stack[None])
    with tifffile.TiffFile(tmp_path / "result.tif") as tiff:
        assert (tiff.series[0].axes, tiff.series[0].shape) == ("TYX", stack.shape)
        assert np.array_equal(tiff.asarray(), stack)

    image_j = tmp_path / "j.tif"
    metadata = {"axes": "ZYX", "unit": "um", "spacing": 2.0}
    tifffile.imwrite(image_j, stack, imagej=True, resolution=(4.0, 2.0), metadata=metadata)
    again(image_j, taken(image_j, volume="z"), stack[None])
    with tifffile.TiffFile(tmp_path / "result.tif") as tiff:
        assert tiff.imagej_metadata is not None
        assert (tiff.imagej_metadata["unit"], tiff.imagej_metadata["spacing"]) == ("um", 2.0)
        assert (tiff.series[0].axes, tiff.pages.first.resolution) == ("ZYX", (4.0, 2.0))
        assert np.array_equal(tiff.asarray(), stack)
    tifffile.imwrite(tmp_path / "p.tif", PLANE, resolution=(300, 200), resolutionunit="INCH")
    for file, across in ((image_j, (8.0, 4.0)), (tmp_path / "p.tif", (600.0, 400.0))):
        part = {"index": 0} if file == image_j else {}
        again(file, taken(file, **part), np.zeros((1, 24, 20), np.float32))
        with tifffile.TiffFile(tmp_path / "result.tif") as tiff:
            assert tiff.pages.first.resolution == across


@pytest.mark.parametrize("size", [-2.0, 0.0])
def test_sizes_of_pixels_that_cannot_be_are_told(tmp_path: Path, size: float) -> None:
    told = rf"tells pixels of a size of {abs(size):g} x 1" if size == 0 else "tells pixels of a"
    metadata = {"axes": "YX", "PhysicalSizeX": size, "PhysicalSizeY": 1.0}
    tifffile.imwrite(tmp_path / "a.ome.tif", PLANE, ome=True, metadata=metadata)
    with pytest.warns(UserWarning, match=told):
        assert np.array_equal(taken(tmp_path / "a.ome.tif").values, PLANE)
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w")
    group.create_array("0", data=PLANE)
    scale = [{"type": "scale", "scale": [1.0, size]}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    axes = [{"name": name} for name in "yx"]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": datasets}]
    with pytest.warns(UserWarning, match=rf"tells pixels of a size of 1 x {size:g}, which"):
        taken(tmp_path / "a.zarr")
    fits = pytest.importorskip("astropy.io.fits")
    header = fits.Header({"CDELT1": size, "CDELT2": 1.0})  # either sign is usual
    fits.PrimaryHDU(PLANE, header).writeto(tmp_path / "a.fits")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        taken(tmp_path / "a.fits")
    assert len(caught) == (size == 0)
