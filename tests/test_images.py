"""Images in and out: formats, layouts, and one sentence for everything else."""

from __future__ import annotations

import pickle
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from invscore.images import (
    as_image,
    crop_and_shrink,
    is_sample,
    load_image,
    load_measurement,
    sample_names,
    save_image,
    to_gray,
    to_uint8,
)


@pytest.fixture
def colours() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def expected(pixels: np.ndarray, peak: int = 255) -> torch.Tensor:
    array = pixels[..., None] if pixels.ndim == 2 else pixels
    return torch.from_numpy((array / peak).astype(np.float32)).movedim(2, 0)


def test_png_of_8_bits(tmp_path: Path, colours: np.ndarray) -> None:
    Image.fromarray(colours).save(tmp_path / "colour.png")
    Image.fromarray(colours[..., 0]).save(tmp_path / "gray.png")
    assert torch.equal(load_image(tmp_path / "colour.png"), expected(colours))
    assert torch.equal(load_image(tmp_path / "gray.png"), expected(colours[..., 0]))
    assert load_image(tmp_path / "gray.png").dtype == torch.float32


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_gray_of_16_bits_keeps_them(tmp_path: Path, suffix: str) -> None:
    pixels = np.array([[0, 1, 257], [1000, 40000, 65535]], dtype=np.uint16)
    Image.fromarray(pixels).save(tmp_path / f"deep.{suffix}")
    assert torch.equal(load_image(tmp_path / f"deep.{suffix}"), expected(pixels, 65535))


def test_tiff_of_floats_and_of_deep_colours(tmp_path: Path, colours: np.ndarray) -> None:
    floats = np.linspace(-1, 3, 12, dtype=np.float32).reshape(3, 4)
    deep = colours.astype(np.uint16) * 200
    tifffile.imwrite(tmp_path / "float.tif", floats)
    tifffile.imwrite(tmp_path / "deep.tiff", deep, photometric="rgb")
    Image.fromarray(colours).save(tmp_path / "lzw.tif", compression="tiff_lzw")
    assert torch.equal(load_image(tmp_path / "float.tif")[0], torch.from_numpy(floats))
    assert torch.equal(load_image(tmp_path / "deep.tiff"), expected(deep, 65535))
    assert torch.equal(load_image(tmp_path / "lzw.tif"), expected(colours))


def test_palette_and_bilevel(tmp_path: Path, colours: np.ndarray) -> None:
    flat = (colours // 128) * 255
    Image.fromarray(flat).quantize(8).save(tmp_path / "palette.png")
    Image.fromarray(flat[..., 0]).convert("1").save(tmp_path / "bilevel.png")
    assert torch.equal(load_image(tmp_path / "palette.png"), expected(flat))
    assert torch.equal(load_image(tmp_path / "bilevel.png"), expected(flat[..., 0]))


def test_jpeg_is_turned_as_its_orientation_says(tmp_path: Path) -> None:
    pixels = np.zeros((16, 32), dtype=np.uint8)
    pixels[:, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    Image.fromarray(pixels).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    image = load_image(tmp_path / "turned.jpg")
    assert image.shape == (1, 32, 16)
    assert image[:, :8].mean() > 0.95
    assert image[:, 8:].mean() < 0.05


def test_transparency_shows_white(tmp_path: Path) -> None:
    rgba = np.zeros((2, 2, 4), dtype=np.uint8)
    rgba[0, 0] = (255, 0, 0, 255)
    rgba[0, 1] = (255, 0, 0, 51)
    Image.fromarray(rgba).save(tmp_path / "rgba.png")
    image = load_image(tmp_path / "rgba.png")
    assert image.shape == (3, 2, 2)
    torch.testing.assert_close(image[:, 0, 0], torch.tensor([1.0, 0.0, 0.0]))
    torch.testing.assert_close(image[:, 0, 1], torch.tensor([1.0, 0.8, 0.8]))
    torch.testing.assert_close(image[:, 1, 1], torch.ones(3))

    Image.fromarray(rgba[..., 2:]).convert("LA").save(tmp_path / "la.png")
    gray = load_image(tmp_path / "la.png")
    torch.testing.assert_close(gray, torch.tensor([[[0.0, 0.8], [1.0, 1.0]]]))


@pytest.mark.parametrize(
    "shape", [(4, 6), (4, 6, 1), (4, 6, 3), (3, 4, 6), (1, 4, 6), (1, 3, 4, 6)]
)
def test_layouts_of_arrays(tmp_path: Path, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).normal(size=shape)
    np.save(tmp_path / "a.npy", array)
    image = load_image(tmp_path / "a.npy")
    channels = 3 if 3 in shape else 1
    assert image.shape == (channels, 4, 6)
    assert image.dtype == torch.float32
    last = array[..., -1] if shape[-1] in (1, 3) else array.reshape(-1, 4, 6)[-1]
    assert torch.equal(image[-1], torch.from_numpy(last.astype(np.float32)))


def test_integers_floats_and_complex_numbers(tmp_path: Path) -> None:
    np.save(tmp_path / "u1.npy", np.full((2, 2), 51, dtype=np.uint8))
    np.save(tmp_path / "u2.npy", np.full((2, 2), 13107, dtype=np.uint16))
    np.save(tmp_path / "f8.npy", np.full((2, 2), 51.0))
    np.save(tmp_path / "i8.npy", np.full((2, 2), -51))
    np.save(tmp_path / "u4.npy", np.full((2, 2), 51, dtype=np.uint32))
    np.save(tmp_path / "c16.npy", np.full((2, 2), 1 - 2j))
    assert load_image(tmp_path / "u1.npy").unique().item() == pytest.approx(0.2)
    assert load_image(tmp_path / "u2.npy").unique().item() == pytest.approx(0.2)
    assert load_image(tmp_path / "f8.npy").unique().item() == 51
    assert load_image(tmp_path / "i8.npy").unique().item() == -51
    assert load_image(tmp_path / "u4.npy").unique().item() == 51
    assert torch.equal(
        load_image(tmp_path / "c16.npy"), torch.full((1, 2, 2), 1 - 2j, dtype=torch.complex64)
    )


def test_npz_by_its_keys(tmp_path: Path) -> None:
    one, two = np.zeros((2, 2)), np.ones((2, 2))
    np.savez(tmp_path / "named.npz", other=one, image=two)
    np.savez(tmp_path / "single.npz", whatever=two)
    np.savez(tmp_path / "unclear.npz", a=one, b=two)
    np.savez(tmp_path / "result.npz", image=one, y=two)
    assert load_image(tmp_path / "named.npz").mean() == 1
    assert load_image(tmp_path / "single.npz").mean() == 1
    assert load_image(tmp_path / "result.npz").mean() == 0
    assert load_measurement(tmp_path / "result.npz").mean() == 1
    with pytest.raises(
        ValueError, match="must hold a single array, or one named image or y or x, got a, b"
    ):
        load_image(tmp_path / "unclear.npz")


def test_measurements_keep_their_shape(tmp_path: Path) -> None:
    vector = np.arange(5.0)
    np.save(tmp_path / "v.npy", vector)
    np.save(tmp_path / "deep.npy", np.zeros((2, 3, 4, 5, 6), dtype=np.complex128))
    assert torch.equal(load_measurement(tmp_path / "v.npy"), torch.from_numpy(vector).float())
    assert load_measurement(tmp_path / "deep.npy").dtype == torch.complex64
    assert load_measurement(tmp_path / "deep.npy").shape == (2, 3, 4, 5, 6)
    save_image(tmp_path / "i.png", torch.full((1, 2, 3), 0.2))
    torch.testing.assert_close(load_measurement(tmp_path / "i.png"), torch.full((1, 2, 3), 0.2))


def test_samples_of_scikit_image() -> None:
    names = sample_names()
    assert {"camera", "astronaut", "coins"} <= set(names)
    assert load_image("camera").shape == (1, 512, 512)
    assert load_image("motorcycle_left").shape == (3, 500, 741)
    assert load_image("astronaut").shape == (3, 512, 512)
    assert all(float(load_image(name).max()) <= 1 for name in names if name != "retina")
    with pytest.raises(ValueError, match=r"'kamera' is neither a file nor a sample: .*camera"):
        load_image("kamera")


def test_a_file_comes_before_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(np.zeros((3, 4), dtype=np.uint8)).save(tmp_path / "camera", format="PNG")
    monkeypatch.chdir(tmp_path)
    assert load_image("camera").shape == (1, 3, 4)
    assert not is_sample("camera")
    assert is_sample("coins")
    assert not is_sample("kamera")


def png_bytes(pixels: np.ndarray) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    height, width = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("pickle-was-run"),))


def write_bad_files(folder: Path) -> dict[str, str]:
    """Files that are no images, and a part of the sentence each must give."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    whole = png_bytes(noise)
    contents = {
        "text.png": b"hello",
        "truncated.png": whole[: len(whole) // 2],
        "empty.png": b"",
        "text.npy": b"1 2 3",
        "text.npz": b"1 2 3",
        "text.tif": b"hello",
        "pickle.npy": pickle.dumps(Evil()),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    with_nan = np.zeros((4, 4))
    with_nan[1, 2] = np.nan
    np.save(folder / "nan.npy", with_nan)
    np.save(folder / "vector.npy", np.zeros(5))
    np.save(folder / "five.npy", np.zeros((1, 1, 3, 4, 4)))
    np.save(folder / "two.npy", np.zeros((2, 4, 4, 5)))
    np.save(folder / "none.npy", np.zeros((0, 4)))
    np.save(folder / "objects.npy", np.array([[Evil()]], dtype=object), allow_pickle=True)
    np.save(folder / "words.npy", np.array([["a", "b"]]))
    np.savez(folder / "nothing.npz")
    (folder / "cut.npy").write_bytes((folder / "two.npy").read_bytes()[:-40])
    Image.fromarray(noise).save(
        folder / "film.gif", save_all=True, append_images=[Image.fromarray(255 - noise)]
    )
    (folder / "folder.png").mkdir()
    (folder / "folder").mkdir()
    return {
        "missing.png": "no such file",
        "text.png": "no known image format",
        "truncated.png": "cannot be read as an image",
        "empty.png": "is empty",
        "text.npy": "cannot be read as NPY: it is no NumPy file",
        "text.npz": "cannot be read as NPZ",
        "text.tif": "cannot be read as an image",
        "pickle.npy": "cannot be read as NPY",
        "nan.npy": "NaN",
        "vector.npy": r"got \(5,\)",
        "five.npy": r"got \(1, 1, 3, 4, 4\)",
        "two.npy": r"got \(2, 4, 4, 5\)",
        "none.npy": r"shape \(0, 4\)",
        "objects.npy": "never unpickled",
        "words.npy": "an array of numbers, got dtype <U1",
        "nothing.npz": "no arrays",
        "cut.npy": "cannot be read as NPY",
        "film.gif": r"must hold a single image, got \d+: save frames as files of a folder",
        "folder.png": "must be a file, got a folder",
        "folder": "must be a file, got a folder",
    }


def test_bad_files_give_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, message in write_bad_files(tmp_path).items():
        with pytest.raises(ValueError, match=message) as caught:
            load_image(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "pickle-was-run").exists()


def test_saving_clips_and_rounds(tmp_path: Path) -> None:
    image = torch.tensor([[[-0.5, 0.0, 0.5], [0.999, 1.0, 2.0]]])
    save_image(tmp_path / "new" / "a.png", image)
    pixels = np.asarray(Image.open(tmp_path / "new" / "a.png"))
    assert pixels.tolist() == [[0, 0, 128], [255, 255, 255]]
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["a.png"]


def test_complex_images_are_saved_by_magnitude() -> None:
    assert to_uint8(torch.full((1, 1, 1), 0.6j - 0.8)).item() == 255
    assert to_uint8(torch.full((3, 2, 4), 0.2)).shape == (2, 4, 3)


def test_what_cannot_be_saved_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="NaN"):
        save_image(tmp_path / "a.png", torch.full((1, 2, 2), torch.nan))
    with pytest.raises(ValueError, match=r"suffix \.png"):
        save_image(tmp_path / "a.jpg", torch.zeros(1, 2, 2))
    with pytest.raises(ValueError, match=r"must have shape .*, got \(2, 2, 2\)"):
        save_image(tmp_path / "a.png", torch.zeros(2, 2, 2))
    assert list(tmp_path.iterdir()) == []


def test_crop_is_central_and_shrinking_has_no_alias() -> None:
    ramp = torch.arange(80.0).expand(1, 40, 80) / 80
    small = crop_and_shrink(ramp, 20)
    assert small.shape == (1, 20, 20)
    torch.testing.assert_close(small[0, 5], (20.5 + 2 * torch.arange(20)) / 80, atol=1e-4, rtol=0)

    stripes = (0.5 + 0.5 * torch.cos(2 * torch.pi * torch.arange(64) / 3)).expand(1, 64, 64)
    assert (crop_and_shrink(stripes, 16) - 0.5).abs()[..., 2:-2].max() < 0.05
    assert torch.equal(crop_and_shrink(ramp, 40), ramp[..., 20:60])
    phase = torch.polar(torch.ones(1, 8, 8), torch.ones(1, 8, 8))
    torch.testing.assert_close(crop_and_shrink(phase, 4), phase[:, :4, :4])


@pytest.mark.parametrize("size", [0, -3, 41])
def test_crop_of_a_wrong_size(size: int) -> None:
    with pytest.raises(
        ValueError, match=rf"`size` must lie in \[1, 40\] for an image of .*, got {size}"
    ):
        crop_and_shrink(torch.zeros(1, 40, 80), size)


def test_gray_of_white_is_white() -> None:
    torch.testing.assert_close(to_gray(torch.ones(3, 2, 2)), torch.ones(1, 2, 2))
    green = as_image(np.tile([0.0, 1.0, 0.0], (2, 2, 1)))
    torch.testing.assert_close(to_gray(green), torch.full((1, 2, 2), 0.587))
