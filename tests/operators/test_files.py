"""Masks and kernels from files: alpha, orientation, depth, palettes, weights, lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from invscore.images import load_image
from invscore.operators import MRI, Blur, Inpainting, check_operator
from invscore.operators.files import read_kernel, read_mask
from invscore.tasks.specs import parse_spec
from invscore.tasks.task import make_operator

MASK = np.array([[1, 0, 1, 1], [0, 1, 1, 0], [1, 1, 0, 1]], dtype=bool)
PHOTO = np.random.default_rng(0).integers(1, 255, (3, 4, 3), dtype=np.uint8)


def test_masks_of_every_depth_are_one_mask(tmp_path: Path) -> None:
    byte = MASK.astype(np.uint8)
    palette = Image.fromarray(byte).convert("P")
    palette.putpalette([0, 0, 0, 255, 255, 255])
    palette.save(tmp_path / "palette.png")
    Image.fromarray(255 * byte).save(tmp_path / "byte.png")
    Image.fromarray(byte * np.uint16(65535)).save(tmp_path / "deep.png")
    Image.fromarray(MASK).save(tmp_path / "bilevel.png")
    tifffile.imwrite(tmp_path / "deep.tif", (65535 * MASK).astype(">u2"))
    tifffile.imwrite(tmp_path / "white.tif", 255 - 255 * byte, photometric="miniswhite")
    np.save(tmp_path / "small.npy", byte)
    np.save(tmp_path / "float.npy", MASK.astype(float)[None])
    np.save(tmp_path / "last.npy", MASK[..., None])
    np.savez(tmp_path / "mask.npz", mask=MASK, other=~MASK)
    files = [file for file in tmp_path.iterdir() if file.suffix != ".py"]
    assert len(files) == 10
    for file in files:
        assert torch.equal(read_mask(file), torch.from_numpy(MASK)), file.name
        assert torch.equal(read_mask(file, invert=True), torch.from_numpy(~MASK)), file.name


def test_a_transparent_hole_is_not_measured(tmp_path: Path) -> None:
    alpha = (255 * MASK).astype(np.uint8)
    painted = np.full((3, 4), 255, np.uint8)
    painted[0, 0] = 0  # black and opaque: not measured either
    expected = MASK.copy()
    expected[0, 0] = False
    Image.fromarray(np.dstack([painted, alpha])).save(tmp_path / "la.png")
    Image.fromarray(np.dstack([painted] * 3 + [alpha])).save(tmp_path / "rgba.png")
    rgba = np.dstack([painted] * 3 + [alpha])
    tifffile.imwrite(tmp_path / "rgba.tif", rgba, photometric="rgb", extrasamples=["unassalpha"])
    for name in ("la.png", "rgba.png", "rgba.tif"):
        assert torch.equal(read_mask(tmp_path / name), torch.from_numpy(expected)), name


def test_a_photograph_with_holes_is_its_own_mask(tmp_path: Path) -> None:
    rgba = np.dstack([PHOTO, 255 * MASK.astype(np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "photo.png")
    operator = Inpainting.from_file(tmp_path / "photo.png", (3, 3, 4))
    assert torch.equal(operator.measured[0], torch.from_numpy(MASK))
    # Black strokes on nothing: what is drawn is the mask, or with invert the hole.
    Image.fromarray(np.dstack([0 * PHOTO, 255 * MASK.astype(np.uint8)])).save(tmp_path / "ink.png")
    assert torch.equal(read_mask(tmp_path / "ink.png", invert=True), torch.from_numpy(~MASK))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_masks_turn_with_their_photographs(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = Image.fromarray(PHOTO)
    photo.save(tmp_path / "photo.png", exif=exif)
    Image.fromarray(255 * MASK.astype(np.uint8)).save(tmp_path / "mask.png", exif=exif)
    tifffile.imwrite(tmp_path / "photo.tif", PHOTO, extratags=[(274, 3, 1, orientation, True)])
    image = load_image(tmp_path / "photo.png")
    assert torch.equal(load_image(tmp_path / "photo.tif"), image)
    measured = Inpainting.from_file(tmp_path / "mask.png", tuple(image.shape)).measured[0]
    plain = load_image_of(PHOTO)
    assert set(map(tuple, image[:, measured].T.tolist())) == set(
        map(tuple, plain[:, torch.from_numpy(MASK)].T.tolist())
    )
    assert image.shape[1:] == ((3, 4) if orientation < 5 else (4, 3))


def load_image_of(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy((pixels / 255).astype(np.float32)).movedim(2, 0)


def test_soft_masks_are_weights(tmp_path: Path) -> None:
    weights = np.array([[0, 51, 255], [255, 204, 102]], dtype=np.uint8)
    Image.fromarray(weights).save(tmp_path / "soft.png")
    np.save(tmp_path / "soft.npy", weights / 255)
    x = torch.rand(2, 1, 2, 3, dtype=torch.float64)
    for name in ("soft.png", "soft.npy"):
        operator = Inpainting.from_file(tmp_path / name, (1, 2, 3), soft=True)
        torch.testing.assert_close(
            operator(x), x * torch.from_numpy(weights / 255), rtol=1e-6, atol=0
        )
        assert operator.measured[0].tolist() == [[False, True, True], [True, True, True]]
        check_operator(operator).raise_if_failed()
        flipped = Inpainting.from_file(tmp_path / name, (1, 2, 3), soft=True, invert=True)
        torch.testing.assert_close(flipped(x) + operator(x), x)
        with pytest.warns(UserWarning, match=r"50\.0% of its values between .* soft=true"):
            hard = Inpainting.from_file(tmp_path / name, (1, 2, 3))
        assert hard.measured[0].tolist() == [[False, False, True], [True, True, False]]
    np.save(tmp_path / "large.npy", weights / 127.5)
    with pytest.raises(ValueError, match=r"weights in \[0, 1\], got up to 2"):
        read_mask(tmp_path / "large.npy", soft=True)


def test_a_mask_for_each_channel(tmp_path: Path) -> None:
    mosaic = np.random.default_rng(1).random((3, 4, 5)) > 0.5
    np.save(tmp_path / "first.npy", mosaic)
    np.save(tmp_path / "last.npy", np.moveaxis(mosaic, 0, 2))
    for name in ("first.npy", "last.npy"):
        measured = Inpainting.from_file(tmp_path / name, (3, 4, 5)).measured
        assert torch.equal(measured, torch.from_numpy(mosaic))


@pytest.mark.parametrize("shape", [(6,), (1, 6), (8, 1), (8, 6), (1, 8, 6)])
def test_lines_of_k_space(tmp_path: Path, shape: tuple[int, ...]) -> None:
    lines = np.random.default_rng(0).random(shape) > 0.4
    np.save(tmp_path / "lines.npy", lines)
    operator = MRI(read_mask(tmp_path / "lines.npy"), (2, 8, 6))
    expected = torch.from_numpy(np.broadcast_to(lines.reshape(shape[-2:]), (2, 8, 6)).copy())
    assert torch.equal(operator.measured, expected)
    check_operator(operator).raise_if_failed()
    check_operator(MRI(read_mask(tmp_path / "lines.npy"), (2, 8, 6), real=True)).raise_if_failed()


def test_wrong_masks(tmp_path: Path) -> None:
    np.save(tmp_path / "signs.npy", np.array([[-1.0, 1.0]]))
    np.save(tmp_path / "nan.npy", np.array([[np.nan, 1.0]]))
    np.save(tmp_path / "complex.npy", np.array([[1j, 1.0]]))
    np.save(tmp_path / "dark.npy", np.zeros((2, 2)))
    for name, message in (
        ("signs.npy", "must hold values from 0"),
        ("nan.npy", "must hold values from 0"),
        ("complex.npy", "must hold real numbers, got complex128"),
        ("none.npy", "no such file"),
    ):
        with pytest.raises(ValueError, match=message):
            read_mask(tmp_path / name)
    with pytest.raises(ValueError, match="must measure at least one pixel"):
        Inpainting.from_file(tmp_path / "dark.npy", (1, 2, 2))
    assert Inpainting.from_file(tmp_path / "dark.npy", (1, 2, 2), invert=True).measured.all()


KERNEL = np.array([[0, 40, 0, 5], [90, 250, 30, 0]], dtype=np.uint8)


def test_kernels_are_taken_as_they_are_and_sum_to_one(tmp_path: Path) -> None:
    Image.fromarray(KERNEL).save(tmp_path / "byte.png")
    Image.fromarray(KERNEL * np.uint16(257)).save(tmp_path / "deep.png")
    alpha = 255 * (KERNEL > 0).astype(np.uint8)
    see_through = np.where(KERNEL > 0, KERNEL, 255).astype(np.uint8)  # white, but transparent
    Image.fromarray(np.dstack([see_through, alpha])).save(tmp_path / "alpha.png")
    Image.fromarray(np.dstack([KERNEL] * 3)).save(tmp_path / "colour.png")
    np.save(tmp_path / "counts.npy", KERNEL.astype(np.int32))
    np.save(tmp_path / "one.npy", 7.0 * KERNEL[None])
    np.savez(tmp_path / "k.npz", psf=KERNEL / 255, other=np.zeros(3))
    x = torch.zeros(1, 1, 9, 9, dtype=torch.float64)
    x[0, 0, 4, 4] = 1
    for file in tmp_path.iterdir():
        y = Blur.from_file(file, (1, 9, 9))(x)[0, 0]
        # An even kernel is centred at (1, 2), half its size.
        torch.testing.assert_close(
            y[3:5, 2:6], torch.from_numpy(KERNEL / KERNEL.sum()), rtol=1e-6, atol=1e-12
        )
        assert float(y.sum()) == pytest.approx(1, abs=1e-12), file.name


@pytest.mark.parametrize(
    "kernel", [np.zeros((3, 3)), -np.ones((3, 3)), np.diag([1.0, 0, -1]), np.full((3, 3), np.nan)]
)
@pytest.mark.parametrize(
    "op", ["blur(kernel=k.npy)", "nonlinear-blur(kernel=k.npy)", "lensless(kernel=k.npy)"]
)
def test_kernels_without_a_positive_sum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: np.ndarray, op: str
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("k.npy", kernel)
    with pytest.raises(ValueError, match=r"^the kernel 'k.npy' must hold finite numbers of a pos"):
        make_operator(parse_spec(op), (1, 9, 9))


def test_kernels_turn_as_their_orientation_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(KERNEL).save(tmp_path / "k.png", exif=exif)
    torch.testing.assert_close(
        read_kernel(tmp_path / "k.png").float(),
        torch.from_numpy(np.rot90(KERNEL, -1).copy()).float() / 255,
    )
