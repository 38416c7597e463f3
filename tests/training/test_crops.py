"""Crops of photographs: range, shape, scale, reproducibility; and which files are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from invscore.training.data import PhotoCrops


def crops(folder: Path, channels: int = 1, **options: object) -> PhotoCrops:
    chosen = {"crop": 16, "longest_side": (30, 60), **options}
    return PhotoCrops(folder, channels=channels, **chosen)  # type: ignore[arg-type]


def save(folder: Path, pixels: np.ndarray, name: str = "image.png") -> Path:
    folder.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(folder / name)
    return folder


@pytest.mark.parametrize("channels", [1, 3])
def test_range_shape_and_randomness(photos: Path, channels: int) -> None:
    data = crops(photos / "train", channels)
    batch = data.batch(64, np.random.default_rng(1))
    assert batch.shape == (64, channels, 16, 16)
    assert batch.numpy().dtype == np.float32
    assert batch.min() >= 0
    assert batch.max() <= 1 + 1e-6
    assert batch.max() - batch.min() > 0.7
    assert len({crop.numpy().tobytes() for crop in batch}) == 64


def test_the_generator_decides(photos: Path) -> None:
    data = crops(photos / "train")
    first = data.batch(4, np.random.default_rng(1)).numpy()
    np.testing.assert_array_equal(first, data.batch(4, np.random.default_rng(1)).numpy())
    assert not np.array_equal(first, data.batch(4, np.random.default_rng(2)).numpy())


def test_a_gradient_has_the_slope_of_its_scale(tmp_path: Path) -> None:
    """A ramp over 256 pixels, shrunk to 64: four gray values a pixel, in all directions."""
    ramp = np.tile(np.arange(256, dtype=np.uint8), (128, 1))
    folder = save(tmp_path / "ramp", np.stack([ramp] * 3, axis=-1))
    batch = crops(folder, longest_side=(64, 64)).batch(40, np.random.default_rng(0)).numpy()
    inner = batch[:, 0, 3:-3, 3:-3]  # at its edges, a crop at the image's border mirrors nothing
    slopes = {"down": np.diff(inner, axis=1).mean((1, 2)), "right": np.diff(inner).mean((1, 2))}
    seen = set()
    for down, right in zip(slopes["down"], slopes["right"], strict=True):
        assert abs(down) + abs(right) == pytest.approx(4 / 255, rel=0.03)
        seen.add((round(down * 255 / 4), round(right * 255 / 4)))
    assert seen == {(0, 1), (0, -1), (1, 0), (-1, 0)}


def test_scales_are_log_uniform(tmp_path: Path) -> None:
    ramp = np.tile((np.arange(2048) / 8).astype(np.uint8), (1024, 1))
    folder = save(tmp_path / "ramp", np.stack([ramp] * 3, axis=-1))
    batch = crops(folder, longest_side=(64, 512)).batch(300, np.random.default_rng(0)).numpy()
    inner = batch[:, 0, 3:-3, 3:-3]
    slope = np.abs(np.diff(inner, axis=1).mean((1, 2))) + np.abs(np.diff(inner).mean((1, 2)))
    side = np.log(256 / 255 / slope)
    width = np.log(8)
    assert side.mean() == pytest.approx(np.log(64 * 512) / 2, abs=5 * width / 12**0.5 / 300**0.5)
    assert side.std() == pytest.approx(width / 12**0.5, rel=0.12)


def test_gray_is_a_random_mixture_of_the_colours(tmp_path: Path) -> None:
    colour = np.array([255, 128, 0], dtype=np.uint8)
    folder = save(tmp_path / "flat", np.tile(colour, (40, 40, 1)))
    values = crops(folder).batch(400, np.random.default_rng(0)).numpy()[:, 0, 0, 0]
    # Weights uniform on the simplex: means 1/3, variances 1/18, covariances -1/36.
    levels = colour / 255
    variance = (levels**2).sum() / 18 - 2 * levels[0] * levels[1] / 36
    assert values.mean() == pytest.approx(levels.mean(), abs=5 * (variance / 400) ** 0.5)
    assert values.var() == pytest.approx(variance, rel=0.25)
    colours = crops(folder, channels=3).batch(5, np.random.default_rng(0)).numpy()
    np.testing.assert_allclose(colours, np.broadcast_to(levels[:, None, None], colours.shape))


def test_images_are_never_enlarged(tmp_path: Path) -> None:
    """A ramp of 10 gray values a pixel as large as a crop is as steep; a smaller one is refused."""
    ramp = np.tile(10 * np.arange(20, dtype=np.uint8), (16, 1))
    folder = save(tmp_path / "small", np.stack([ramp] * 3, axis=-1))
    batch = crops(folder).batch(20, np.random.default_rng(0)).numpy()[:, 0, 4:-4, 4:-4]
    steepest = np.maximum(*(abs(np.diff(batch, axis=axis)).mean((1, 2)) for axis in (1, 2)))
    np.testing.assert_allclose(steepest, 10 / 255, rtol=0.02)
    with pytest.raises(
        ValueError, match=r"image\.png' cannot be used: .* at least 17 x 17 pixels, got 16 x 20"
    ):
        crops(folder, crop=17)


def test_digest_depends_on_the_pixels_alone(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    one = crops(save(tmp_path / "a", pixels)).digest()
    assert crops(save(tmp_path / "b", pixels, "other.tif")).digest() == one
    (tmp_path / "b" / "._other.tif").write_bytes(b"what a system puts beside it")
    assert crops(tmp_path / "b").digest() == one
    pixels[7, 7, 1] ^= 1
    assert crops(save(tmp_path / "c", pixels)).digest() != one


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no images in .*nothing' \(looked for \.jpeg, \.jpg"):
        crops(tmp_path / "nothing")
    folder = save(tmp_path / "a", np.zeros((20, 20, 3), dtype=np.uint8))
    with pytest.raises(ValueError, match="must be 1 or 3, got 2"):
        crops(folder, channels=2)
    save(folder, np.zeros((20, 20), dtype=np.uint16), "deep.png")
    with pytest.raises(ValueError, match=r"deep\.png' cannot be used: it has more than 8 bits"):
        crops(folder)
    (folder / "deep.png").write_bytes(b"not an image")
    with pytest.raises(ValueError, match=r"deep\.png' cannot be used"):
        crops(folder)
    whole = (folder / "image.png").read_bytes()
    (folder / "deep.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"deep\.png' cannot be used"):
        crops(folder)
