"""What JPEG makes of a picture counts as noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage as ndimage
from PIL import Image

from invscore.images import load_image
from invscore.tasks.jpeg import BAND, rounding
from invscore.tasks.measured import measured_task
from invscore.tasks.specs import parse_spec


def blurred(channels: int) -> np.ndarray:
    """A photograph out of focus, 8 bits."""
    scene = load_image("astronaut")[:, 100:356, 150:406].double().numpy()
    scene = ndimage.gaussian_filter(scene, (0, 2, 2))[:, ::2, ::2]
    shown = np.moveaxis(scene, 0, -1) if channels == 3 else scene[1]
    return np.rint(255 * shown.clip(0, 1)).astype(np.uint8)


@pytest.mark.parametrize("quality", [75, 95])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_the_error_of_the_file_is_found_without_the_picture_before(
    quality: int, subsampling: int, tmp_path: Path
) -> None:
    picture, file = blurred(3), tmp_path / "a.jpg"
    Image.fromarray(picture).save(file, quality=quality, subsampling=subsampling)
    error = (np.asarray(Image.open(file)).astype(float) - picture) / 255
    power = np.abs(np.fft.fft2(error, axes=(0, 1), norm="ortho")) ** 2
    radius = np.hypot(*np.meshgrid(*(np.fft.fftfreq(n) for n in picture.shape[:2]), indexing="ij"))
    true = power[(radius > BAND[0]) & (radius < BAND[1])].mean() ** 0.5
    assert rounding(file) == pytest.approx(true, rel=0.3)


def test_the_error_of_inks_is_that_of_their_colours(tmp_path: Path) -> None:
    inks, file = Image.fromarray(blurred(3)).convert("CMYK"), tmp_path / "a.jpg"
    inks.save(file, quality=75)
    shown = (np.asarray(each.convert("RGB"), float) for each in (Image.open(file), inks))
    error = (next(shown) - next(shown)) / 255
    power = np.abs(np.fft.fft2(error, axes=(0, 1), norm="ortho")) ** 2
    radius = np.hypot(*np.meshgrid(*(np.fft.fftfreq(n) for n in error.shape[:2]), indexing="ij"))
    true = power[(radius > BAND[0]) & (radius < BAND[1])].mean() ** 0.5
    assert rounding(file) == pytest.approx(true, rel=0.3)


def test_other_files_have_none(tmp_path: Path) -> None:
    Image.fromarray(blurred(3)).save(tmp_path / "a.png")
    Image.fromarray(blurred(3)[:20, :20]).save(tmp_path / "tiny.jpg")
    np.save(tmp_path / "a.npy", blurred(1))
    assert [rounding(tmp_path / name) for name in ("a.png", "tiny.jpg", "a.npy")] == [0, 0, 0]


@pytest.mark.parametrize("channels", [1, 3])
def test_noise_that_is_not_declared_is_that_of_the_file_at_least(
    channels: int, tmp_path: Path
) -> None:
    file = tmp_path / "a.jpg"
    Image.fromarray(blurred(channels)).save(file, quality=60)
    spec = parse_spec("deblur(sigma=1)")
    job = measured_task(spec, str(file), shape=None, noise="auto", device="cpu")
    assert job.noise == pytest.approx(rounding(file), rel=1e-5)
    assert any("the error of JPEG" in sentence for sentence in job.assumed)
    declared = measured_task(spec, str(file), shape=None, noise=0.002, device="cpu")
    assert declared.noise == pytest.approx(0.002, rel=1e-5)
