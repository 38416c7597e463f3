"""Slices of arrays: every file format, axes, crops, orientations, splits; and refusals."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from invscore.training.data import ArraySlices
from invscore.training.data.config import ArraysConfig

VOLUME = np.random.default_rng(0).uniform(0.1, 1.0, (6, 8, 10)).astype(np.float32)
PLAIN = {"peak": 1.0, "flip": False, "rotate": False}


def source(path: Path, split: str = "train", **options: Any) -> ArraySlices:
    chosen = {"kind": "arrays", "path": path, **PLAIN, **options}
    return ArraySlices(ArraysConfig.model_validate(chosen), split)


def drawn(data: ArraySlices, count: int = 200) -> np.ndarray:
    return data.batch(count, np.random.default_rng(1)).numpy()


def images(data: ArraySlices, count: int = 200) -> set[bytes]:
    return {image.tobytes() for image in drawn(data, count)}


def npy(folder: Path, values: np.ndarray, name: str = "a.npy") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / name, values)
    return folder / name


def written(folder: Path, kind: str, values: np.ndarray) -> Path:
    if kind == "npy":
        return npy(folder, values)
    file = folder / f"a.{kind}"
    if kind == "npz":
        np.savez(file, volume=values)
    elif kind in ("h5", "hdf5"):
        with pytest.importorskip("h5py").File(file, "w") as opened:
            opened["patients/one"] = values
    else:
        nibabel = pytest.importorskip("nibabel")
        nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), file)
    return file


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
@pytest.mark.parametrize("kind", ["npy", "npz", "h5", "hdf5", "nii", "nii.gz"])
def test_the_slices_of_every_format(tmp_path: Path, kind: str, dtype: type) -> None:
    values = VOLUME.astype(dtype) * dtype(1j if dtype is np.complex64 else 1)
    file = written(tmp_path, kind, values)
    train, val = (source(file, split, validation=0.34) for split in ("train", "val"))
    assert train.shape == (1, 8, 10)
    assert drawn(train).dtype == dtype
    ours, theirs = images(train), images(val)
    assert ours | theirs == {plane.tobytes() for plane in values}
    assert (len(ours), len(theirs)) == (4, 2)
    assert not ours & theirs


@pytest.mark.parametrize(
    ("shape", "along", "channel_axis", "result"),
    [
        ((6, 8, 10), (0,), None, (1, 8, 10)),
        ((6, 8, 10), (-2,), None, (1, 6, 10)),
        ((6, 8, 10), (2,), None, (1, 6, 8)),
        ((6, 3, 8, 10), (0,), 1, (3, 8, 10)),
        ((6, 8, 10, 3), (0,), -1, (3, 8, 10)),
        ((3, 6, 8, 10), (1,), 0, (3, 8, 10)),
        ((2, 6, 8, 10), ((0, 1),), None, (1, 8, 10)),
        ((2, 6, 8, 10), ((3, 0),), None, (1, 6, 8)),
    ],
)
def test_axes(
    tmp_path: Path,
    shape: tuple[int, ...],
    along: tuple[Any, ...],
    channel_axis: int | None,
    result: tuple[int, ...],
) -> None:
    values = np.random.default_rng(0).random(shape).astype(np.float32)
    data = source(npy(tmp_path, values), along=along, channel_axis=channel_axis, validation=0.01)
    assert data.shape == result
    axes = along[0] if isinstance(along[0], tuple) else along
    channels_last = values if channel_axis is None else np.moveaxis(values, channel_axis, -1)
    gone = sorted(
        axis % len(shape) - (channel_axis is not None and channel_axis % len(shape) < axis)
        for axis in axes
    )
    stack = np.moveaxis(channels_last, gone, range(len(gone)))
    stack = stack.reshape(-1, *stack.shape[len(gone) :])
    stack = stack[:, None] if channel_axis is None else np.moveaxis(stack, -1, 1)
    expected = {np.ascontiguousarray(image).tobytes() for image in stack}
    assert images(data) < expected
    assert len(images(data)) == len(expected) - 1


def test_slices_along_several_axes_are_cropped(tmp_path: Path) -> None:
    data = source(npy(tmp_path, VOLUME), along=(0, 1, 2), crop=5)
    assert data.shape == (1, 5, 5)
    assert len(data.slices) == 24 - 2
    windows = {
        plane[i : i + 5, j : j + 5].tobytes()
        for axis in range(3)
        for plane in np.moveaxis(VOLUME, axis, 0)
        for i in range(plane.shape[0] - 4)
        for j in range(plane.shape[1] - 4)
    }
    found = images(data, 3000)
    assert found < windows
    assert len(found) > 0.75 * len(windows)  # all places, those at the borders too


@pytest.mark.parametrize(
    ("size", "flip", "rotate", "count"),
    [
        ((4, 4), False, False, 1),
        ((4, 4), True, False, 2),
        ((4, 4), False, True, 4),
        ((4, 4), True, True, 8),
        ((4, 5), False, True, 2),
        ((4, 5), True, True, 4),
    ],
)
def test_orientations(
    tmp_path: Path, size: tuple[int, int], flip: bool, rotate: bool, count: int
) -> None:
    values = np.arange(20, dtype=np.float32)[: size[0] * size[1]].reshape(size)
    file = npy(tmp_path, np.stack([values, values]))
    assert len(images(source(file, flip=flip, rotate=rotate))) == count


def test_units(tmp_path: Path) -> None:
    counts = (VOLUME * 1000).astype(np.int16)
    npy(tmp_path / "a", counts, "one.npy")
    npy(tmp_path / "a", 3 * counts, "two.npy")
    assert drawn(source(tmp_path / "a", peak="file")).max() == 1
    assert drawn(source(tmp_path / "a", peak=100)).max() == pytest.approx(counts.max() * 0.03)
    complex_file = npy(tmp_path / "b", VOLUME * np.exp(1j).astype(np.complex64) * 7)
    data = drawn(source(complex_file, peak="file"))
    assert data.dtype == np.complex64
    assert abs(data).max() == pytest.approx(1, rel=0.02)


def test_dark_slices_are_left_out(tmp_path: Path) -> None:
    values = VOLUME.copy()
    values[[0, 5]] *= 0.05
    data = source(npy(tmp_path, values), darkest=0.1, validation=0.01)
    assert images(data) <= {plane.tobytes() for plane in values[1:5]}
    with pytest.raises(ValueError, match=r"`darkest` must leave slices for train, got 3\.0"):
        source(tmp_path / "a.npy", darkest=3)


def test_splits_by_folder(tmp_path: Path) -> None:
    npy(tmp_path / "train", VOLUME)
    npy(tmp_path / "val", VOLUME + 1)
    assert images(source(tmp_path)) == {plane.tobytes() for plane in VOLUME}
    assert images(source(tmp_path, "val")) == {plane.tobytes() for plane in VOLUME + 1}
    assert source(tmp_path).digest() != source(tmp_path, "val").digest()


def test_the_seed_decides_on_the_split(tmp_path: Path) -> None:
    file = npy(tmp_path, np.random.default_rng(0).random((40, 3, 3)).astype(np.float32))
    first, again, other = (images(source(file, "val", seed=s, validation=0.2)) for s in (0, 0, 1))
    assert len(first) == 8
    assert first == again
    assert first != other


def test_blocks_of_neighbours_are_held_out(tmp_path: Path) -> None:
    values = np.arange(40, dtype=np.float32).repeat(9).reshape(40, 3, 3) + 1
    npy(tmp_path, values, "a.npy")
    npy(tmp_path, values + 40, "b.npy")
    held_out = drawn(source(tmp_path, "val", validation=0.25, contiguous=True))
    numbers = np.unique(held_out)
    assert len(numbers) == 20
    for file in (numbers[numbers <= 40], numbers[numbers > 40]):
        assert len(file) == 10
        assert file.max() - file.min() == 9
    scattered = np.unique(drawn(source(tmp_path, "val", validation=0.25)))
    assert len(scattered) == 20
    assert scattered.max() - scattered.min() > 40


@pytest.mark.parametrize("along", [[0, 1], [1, 0], [-3, 0]])
def test_a_block_of_neighbours_along_the_first_of_several_axes(
    tmp_path: Path, along: list[int]
) -> None:
    rows, columns = 8, 12
    numbers = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
    npy(tmp_path, np.broadcast_to(1 + numbers[..., None, None], (rows, columns, 2, 2)))
    parts = [
        source(tmp_path, split, along=[along], validation=0.25, contiguous=True)
        for split in ("train", "val")
    ]
    first = along[0] % 4
    of_train, of_val = (
        {np.unravel_index(int(image.flat[0]) - 1, numbers.shape)[first] for image in drawn(part)}
        for part in parts
    )
    assert not of_train & of_val
    assert len(of_val) == numbers.shape[first] // 4 == max(of_val) - min(of_val) + 1
    assert sum(len(part.slices) for part in parts) == numbers.size


def test_the_digest_is_that_of_the_contents(tmp_path: Path) -> None:
    first = source(npy(tmp_path / "a", VOLUME, "one.npy")).digest()
    assert source(npy(tmp_path / "b", VOLUME, "two.npy")).digest() == first
    changed = VOLUME.copy()
    changed[0, 0, 0] += 1
    assert source(npy(tmp_path / "c", changed)).digest() != first


def test_blocks_are_crossed_by_slices_along_other_axes(tmp_path: Path) -> None:
    npy(tmp_path, VOLUME)
    with pytest.raises(ValueError, match=r"contiguous is true and along has 3 entries: .* train/"):
        source(tmp_path, along=(0, 1, 2), crop=5, contiguous=True)
    for split in ("train", "val"):
        npy(tmp_path / split, VOLUME)
    assert len(source(tmp_path, along=(0, 1, 2), crop=5, contiguous=True).slices) == 6 + 8 + 10


@pytest.mark.parametrize("peak", [1.0, "file"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(tmp_path: Path, value: float, peak: object) -> None:
    values = VOLUME.copy()
    values[3, 4, 5] = value
    with pytest.raises(ValueError, match=r"a\.npy' must be finite, got NaN or infinite values$"):
        source(npy(tmp_path, values), peak=peak)


@pytest.mark.parametrize(
    ("shape", "channel_axis"), [((5,), None), ((), None), ((4, 4), 0), ((0, 3, 3), None)]
)
def test_shapes_that_hold_no_image(
    tmp_path: Path, shape: tuple[int, ...], channel_axis: int | None
) -> None:
    with pytest.raises(
        ValueError, match=r"a\.npy' must hold one image or more.*, got the shape \("
    ) as caught:
        source(npy(tmp_path, np.ones(shape)), channel_axis=channel_axis)
    assert str(shape) in str(caught.value)


@pytest.mark.parametrize("start", [0, 64, 2000])
def test_an_npz_file_that_is_damaged(tmp_path: Path, start: int) -> None:
    """Cut short, or with other bytes than were written."""
    file = tmp_path / "a.npz"
    np.savez_compressed(file, a=np.random.default_rng(0).random((10, 8, 8)))
    whole = file.read_bytes()
    end = start + 40
    changed = whole[:start] + bytes(b ^ 255 for b in whole[start:end]) + whole[end:]
    for content in (whole[:start], changed):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"a\.npz' (cannot be read as NPZ: |is empty)"):
            source(file)


def test_files_under_the_suffix_of_another_kind(tmp_path: Path) -> None:
    npy(tmp_path, VOLUME).rename(tmp_path / "b.npz")
    with pytest.raises(ValueError, match=r"b\.npz' cannot be read as NPZ: it is no NumPy file"):
        source(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", VOLUME)
    (tmp_path / "c.npz").rename(tmp_path / "d.npy")
    with pytest.raises(ValueError, match=r"d\.npy' cannot be read as NPY: "):
        source(tmp_path / "d.npy")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"along": (3,)},
            r"`along` must name 1 of the axes of '.*a\.npy' of shape \(6, 8, 10\).*, got 3",
        ),
        ({"along": ((0, 1),)}, r"`along` must name 1 .*, got \(0, 1\)"),
        ({"channel_axis": 0, "along": ()}, "too few slices to hold out a share of 0.1"),
        ({"channel_axis": 5}, r"`channel_axis` must be an axis of .* shape \(6, 8, 10\), got 5"),
        ({}, "`crop` must fit into the slices of .* 8 x 10 pixels, got 9"),
        ({"along": (0, 1), "crop": None}, "must be of one shape"),
        ({"validation": 0.99, "crop": None}, "too few slices to hold out a share of 0.99"),
        ({"key": "x"}, "holds a single array without a name: key must be left out, got 'x'"),
    ],
)
def test_what_does_not_fit(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        source(npy(tmp_path, VOLUME), **{"crop": 9, **options})


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must end in .*\.npy, \.npz, .*\.h5.* got '.*a\.txt'"):
        source(tmp_path / "a.txt")
    with pytest.raises(ValueError, match="no such file"):
        source(tmp_path / "a.npy")
    with pytest.raises(ValueError, match=r"no arrays in .* \(looked for .*\.npy"):
        source(tmp_path)
    for suffix in ("npy", "npz", "h5", "nii"):
        (tmp_path / f"damaged.{suffix}").write_bytes(b"nonsense")
        with pytest.raises(ValueError, match=rf"damaged\.{suffix}' cannot be read"):
            source(tmp_path / f"damaged.{suffix}")
    np.savez(tmp_path / "two.npz", a=VOLUME, b=VOLUME)
    with pytest.raises(
        ValueError, match=r"two\.npz' must hold a single array, got a, b: key names"
    ):
        source(tmp_path / "two.npz")
    assert source(tmp_path / "two.npz", key="b").shape == (1, 8, 10)
    with pytest.raises(
        ValueError, match=r"largest magnitude in .*dark\.npy' must be positive, got 0"
    ):
        source(npy(tmp_path, np.zeros((2, 3, 3)), "dark.npy"), peak="file")
    with pytest.raises(ValueError, match=r"words\.npy' must hold numbers, got <U1"):
        source(npy(tmp_path, np.array([["a"]]), "words.npy"))
    npy(tmp_path / "mixed" / "train", VOLUME, "a.npy")
    npy(tmp_path / "mixed" / "train", VOLUME + 0j, "b.npy")
    (tmp_path / "mixed" / "val").mkdir()
    with pytest.raises(ValueError, match="must be of one shape"):
        source(tmp_path / "mixed")


@pytest.mark.parametrize(("kind", "package"), [("h5", "h5py"), ("nii", "nibabel")])
def test_packages_that_are_not_installed(
    tmp_path: Path, kind: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, kind, VOLUME)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValueError, match=rf"needs the package {package}: pip install 'invscore"):
        source(file)
