"""The rule of values: integers of every kind and order, floats, complex numbers, odd arrays."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from invscore.images import as_image, load_image, load_measurement

PIXELS = np.random.default_rng(0).integers(0, 2**16, (5, 7))

RULE = [
    *[(order + "u1", 255) for order in "<>"],
    *[(order + "u2", 65535) for order in "<>"],
    *[(order + kind, 1) for order in "<>" for kind in ("u4", "u8", "i4", "i8", "f4", "f8")],
    ("f2", 1),
    ("g", 1),
    *[(order + kind, 1) for order in "<>" for kind in ("c8", "c16")],
]


@pytest.mark.parametrize("fortran", [False, True])
@pytest.mark.parametrize(("dtype", "white"), RULE)
def test_the_rule(tmp_path: Path, dtype: str, white: float, fortran: bool) -> None:
    array = (PIXELS % 32000 if dtype == "f2" else PIXELS).astype(dtype)
    array = array * np.array(1 - 2j, dtype) if array.dtype.kind == "c" else array
    expected = np.asarray(array).astype(complex if array.dtype.kind == "c" else float) / white
    np.save(tmp_path / "a.npy", np.asfortranarray(array) if fortran else array)
    image = load_image(tmp_path / "a.npy")
    kind = torch.complex64 if array.dtype.kind == "c" else torch.float32
    assert (image.dtype, image.shape) == (kind, (1, 5, 7))
    np.testing.assert_allclose(image[0].numpy(), expected, rtol=2e-7)
    torch.testing.assert_close(load_measurement(tmp_path / "a.npy"), image[0])
    torch.testing.assert_close(as_image(array), image)


def test_booleans_are_zero_and_one() -> None:
    assert as_image(np.array([[True, False]])).tolist() == [[[1, 0]]]


@pytest.mark.parametrize("channels", [2, 4, 5, 8])
@pytest.mark.parametrize("last", [False, True])
def test_any_number_of_channels_is_an_image(channels: int, last: bool) -> None:
    array = np.random.default_rng(0).normal(size=(channels, 12, 9)).astype(np.float32)
    image = as_image(np.moveaxis(array, 0, 2) if last else array)
    assert torch.equal(image, torch.from_numpy(array))


def test_axes_overrule_the_guess(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(4, 12, 9)).astype(np.float32)
    np.save(tmp_path / "a.npy", array)
    assert load_image(tmp_path / "a.npy", axes="hwc").shape == (9, 4, 12)
    assert load_image(tmp_path / "a.npy", axes="zyx", index=2).tolist() == [array[2].tolist()]
    assert load_image(tmp_path / "a.npy", axes="hzw", index={"z": -1}).shape == (1, 4, 9)
    assert load_image(tmp_path / "a.npy", index=1).tolist() == [array[1].tolist()]
    for axes, index, message in (
        ("hw", None, "axes must name 3 axes"),
        ("zcw", None, "axes must hold h and w"),
        ("zhh", None, "each axis by one letter"),
        ("zhw", None, r"several images, of shape \(z=4, h=12, w=9\): index must say which"),
        ("zhw", 4, "index must be from 0 to 3 along axis z"),
        ("zhw", (1, 2), "a number for each of the 1 axes of several images"),
        ("zhw", {"t": 1}, "index has t: the axes of .* are z, h, w"),
    ):
        with pytest.raises(ValueError, match=message):
            load_image(tmp_path / "a.npy", axes=axes, index=index)


def test_what_is_no_array_of_numbers() -> None:
    masked = np.ma.masked_array(np.ones((2, 2)), [[0, 1], [0, 0]])
    for array, message in (
        (np.array([[1, None]], dtype=object), "an array of numbers, got dtype object"),
        (np.zeros((2, 2), dtype=[("a", "f4"), ("b", "f4")]), "an array of numbers"),
        (np.array([["2026-01-01"]], dtype="datetime64[D]"), "an array of numbers"),
        (np.array(3.0), r"at least one pixel, got the shape \(\)"),
        (np.zeros((0, 4)), "at least one pixel"),
        (np.array([[np.inf, 0]]), "NaN or infinite"),
        (np.array([[1e300, 0]]), r"beyond 3\.4e\+38"),
        (masked, "one that is masked"),
    ):
        with pytest.raises(ValueError, match=message):
            as_image(array)
    assert as_image(np.ma.masked_array(np.ones((2, 2)))).shape == (1, 2, 2)


def test_pairs_of_parts_are_complex() -> None:
    pairs = np.zeros((2, 3), dtype=[("real", "f4"), ("imag", "f4")])
    pairs["real"], pairs["imag"] = 1, -2
    assert torch.equal(as_image(pairs), torch.full((1, 2, 3), 1 - 2j, dtype=torch.complex64))


def test_measurements_may_mark_what_is_missing_by_nan(tmp_path: Path) -> None:
    np.save(tmp_path / "y.npy", np.array([[np.nan, 1.0]]))
    assert load_measurement(tmp_path / "y.npy").isnan().tolist() == [[True, False]]


HINTS = [
    ("i4", 255, "taken as they are: shades of gray from 0 to 255 must be divided by 255"),
    ("f8", 250, "taken as they are"),
    ("u2", 4095, "reaches 4095 of 65535, as with 12 bits"),
    (">u2", 1023, "as with 10 bits"),
    ("u2", 255, "as with 8 bits"),
    ("u1", 1, "as with 1 bits"),
    ("u1", 200, None),
    ("u2", 60000, None),
    ("i4", 100000, None),
    ("f8", 1.0, None),
    ("f8", 3000.0, None),
]


@pytest.mark.parametrize(("dtype", "high", "hint"), HINTS)
def test_values_of_another_range_are_spoken_of(
    tmp_path: Path, dtype: str, high: float, hint: str | None
) -> None:
    np.save(tmp_path / "a.npy", (np.linspace(0, 1, 12).reshape(3, 4) * high).astype(dtype))
    if hint is None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            load_image(tmp_path / "a.npy")
    else:
        with pytest.warns(UserWarning, match=hint):
            load_image(tmp_path / "a.npy")
