"""Inpainting: masks, their constructors, closed forms."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from invscore.operators import Inpainting


def test_measures_the_mask_and_zeros_elsewhere() -> None:
    mask = torch.tensor([[True, False], [False, True]])
    operator, x = Inpainting(mask, (3, 2, 2)), torch.rand(2, 3, 2, 2)
    y = operator(x)
    assert torch.equal(y, torch.where(mask, x, 0.0))
    assert torch.equal(operator.rmatvec(y), y)
    assert operator.measured.shape == (3, 2, 2)
    assert torch.equal(operator.measured[1], mask)


def test_shapes_of_masks() -> None:
    assert Inpainting(torch.ones(4, 5, dtype=torch.bool)).in_shape == (1, 4, 5)
    assert Inpainting(torch.ones(3, 4, 5, dtype=torch.bool)).in_shape == (3, 4, 5)


def test_closed_forms() -> None:
    operator = Inpainting.random((1, 6, 6), keep=0.5)
    b, rho = torch.rand(2, 1, 6, 6, dtype=torch.float64), torch.tensor([0.5, 3.0]).double()
    weight = rho.reshape(2, 1, 1, 1)
    expected = torch.where(operator.measured, b / (1 + weight), b / weight)
    torch.testing.assert_close(operator.solve(b, rho), expected)
    torch.testing.assert_close(operator.pinv(b), torch.where(operator.measured, b, 0.0))
    assert operator.norm() == 1


def test_random_keeps_the_fraction_and_follows_the_seed() -> None:
    masks = [Inpainting.random((3, 20, 30), keep=0.3, seed=seed).measured for seed in (0, 0, 1)]
    assert int(masks[0][0].sum()) == 180
    assert torch.equal(masks[0][0], masks[0][2])
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])


def test_box_is_a_hole() -> None:
    hole = ~Inpainting.box((1, 8, 10), size=(2, 4)).measured[0]
    assert torch.equal(hole.nonzero().amin(0), torch.tensor([3, 3]))
    assert torch.equal(hole.nonzero().amax(0), torch.tensor([4, 6]))
    assert int(hole.sum()) == 8
    corner = ~Inpainting.box((1, 8, 10), size=3, position=(0, 0)).measured[0]
    assert bool(corner[:3, :3].all())
    assert int(corner.sum()) == 9


def test_mask_file_is_white_where_measured(tmp_path: Path) -> None:
    values = np.array([[255, 0, 253], [2, 255, 0]], dtype=np.uint8)
    expected = torch.tensor([[True, False, True], [False, True, False]])
    Image.fromarray(values).save(tmp_path / "mask.png")
    Image.fromarray(np.stack([values] * 3, axis=-1)).save(tmp_path / "colour.png")
    np.save(tmp_path / "mask.npy", expected.numpy())
    for name in ("mask.png", "colour.png", "mask.npy"):
        operator = Inpainting.from_file(tmp_path / name, (2, 2, 3))
        assert torch.equal(operator.measured, expected.expand(2, 2, 3))
    with pytest.raises(ValueError, match=r"must have the image's shape \(4, 4\), got \(2, 3\)"):
        Inpainting.from_file(tmp_path / "mask.png", (1, 4, 4))


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"boolean, or weights in \[0, 1\], got torch.int64"):
        Inpainting(torch.ones(2, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"weights in \[0, 1\], got -1 to 2"):
        Inpainting(torch.tensor([[-1.0, 2.0]]))
    with pytest.raises(
        ValueError, match=r"`mask` must have .* image of shape \(1, 3, 2\), got \(2, 3\)"
    ):
        Inpainting(torch.ones(2, 3, dtype=torch.bool), (1, 3, 2))
    with pytest.raises(ValueError, match="must measure at least one pixel"):
        Inpainting(torch.zeros(2, 3, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"`keep` must lie in \(0, 1\], got 30"):
        Inpainting.random((1, 4, 4), keep=30)
    with pytest.raises(ValueError, match=r"size \(5, 5\) at position \(0, 0\)"):
        Inpainting.box((1, 4, 4), size=5, position=(0, 0))


def test_holes_are_squares_without_a_measured_pixel_in_some_channel() -> None:
    mask = torch.ones(2, 6, 9, dtype=torch.bool)
    mask[1, 3:, 5:9] = False  # 3 x 4 at the border
    assert [Inpainting(mask).has_hole(side) for side in (1, 3, 4, 7)] == [True, True, False, False]
    assert not Inpainting(torch.ones(6, 9), (1, 6, 9)).has_hole(1)
