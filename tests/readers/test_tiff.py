"""TIFF of every kind: stacks, depths, orders, whites, opacity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from invscore.images import load_image

RANDOM = np.random.default_rng(0)
DEEP = RANDOM.integers(0, 2**16, (6, 5), dtype=np.uint16)
STACK = RANDOM.integers(0, 2**16, (3, 6, 5), dtype=np.uint16)


def deep(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy((pixels / 65535).astype(np.float32))


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_orders_of_bytes(tmp_path: Path, order: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", DEEP, byteorder=order)
    assert torch.equal(load_image(tmp_path / "a.tif")[0], deep(DEEP))


def test_white_may_be_zero(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", DEEP, photometric="miniswhite")
    assert torch.equal(load_image(tmp_path / "a.tif")[0], deep(65535 - DEEP))
    byte = (DEEP >> 8).astype(np.uint8)
    tifffile.imwrite(tmp_path / "b.tif", byte, photometric="miniswhite")
    torch.testing.assert_close(load_image(tmp_path / "b.tif")[0], 1 - torch.from_numpy(byte) / 255)


def test_pages_are_a_stack_and_never_colours(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "pages.tif", STACK, photometric="minisblack")
    tifffile.imwrite(
        tmp_path / "z.ome.tif", STACK, ome=True, metadata={"axes": "ZYX"}, photometric="minisblack"
    )
    for name, axis in (("pages.tif", "q"), ("z.ome.tif", "z")):
        with pytest.raises(ValueError, match=rf"several images, .*\({axis}=3, h=6, w=5\): index"):
            load_image(tmp_path / name)
        assert torch.equal(load_image(tmp_path / name, index=1)[0], deep(STACK[1]))


def test_declared_channels_are_channels(tmp_path: Path) -> None:
    four = RANDOM.integers(0, 2**16, (4, 6, 5), dtype=np.uint16)
    options = {"ome": True, "metadata": {"axes": "CYX"}, "photometric": "minisblack"}
    tifffile.imwrite(tmp_path / "c.ome.tif", four, **options)
    assert torch.equal(load_image(tmp_path / "c.ome.tif"), deep(four))


def test_a_fourth_sample_is_an_opacity_where_it_is_declared(tmp_path: Path) -> None:
    rgba = RANDOM.integers(0, 256, (6, 5, 4), dtype=np.uint8)
    plain = torch.from_numpy(rgba / np.float32(255)).movedim(2, 0)
    write = lambda name, kind: tifffile.imwrite(  # noqa: E731
        tmp_path / name, rgba, photometric="rgb", extrasamples=[kind]
    )
    write("straight.tif", "unassalpha")
    write("none.tif", "unspecified")
    over = plain[3] * plain[:3] + 1 - plain[3]
    torch.testing.assert_close(load_image(tmp_path / "straight.tif"), over)
    torch.testing.assert_close(load_image(tmp_path / "none.tif"), plain)

    rgba[..., :3] = rgba[..., :3].astype(int) * rgba[..., 3:] // 255  # premultiplied
    write("associated.tif", "assocalpha")
    plain = torch.from_numpy(rgba / np.float32(255)).movedim(2, 0)
    torch.testing.assert_close(load_image(tmp_path / "associated.tif"), plain[:3] + 1 - plain[3])


def test_palettes_and_compression(tmp_path: Path) -> None:
    flat = RANDOM.integers(0, 256, (6, 5, 3), dtype=np.uint8)
    image = Image.fromarray(flat)
    palette = image.quantize(8)
    palette.save(tmp_path / "p.tif")
    expected = np.asarray(palette.convert("RGB"))
    torch.testing.assert_close(
        load_image(tmp_path / "p.tif"), torch.from_numpy(expected.copy()).movedim(2, 0) / 255
    )
    image.save(tmp_path / "lzw.tif", compression="tiff_lzw")
    torch.testing.assert_close(
        load_image(tmp_path / "lzw.tif"), torch.from_numpy(flat).movedim(2, 0) / 255
    )


def test_several_series_are_told_apart(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(DEEP)
        writer.write(STACK[0, :4, :3])
    with pytest.raises(ValueError, match="2 series of images: key must be from 0 to 1"):
        load_image(tmp_path / "a.tif")
    assert load_image(tmp_path / "a.tif", key="1").shape == (1, 4, 3)
    with pytest.raises(ValueError, match="from 0 to 1, got '2'"):
        load_image(tmp_path / "a.tif", key="2")
