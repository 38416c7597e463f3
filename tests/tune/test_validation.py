"""Validation images: crops of known photographs, and held-out ones that are recognised."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from invscore.images import crop_and_shrink, load_image, save_image, to_gray
from invscore.priors import NetworkPrior
from invscore.tune.held_out import refuse_held_out
from invscore.tune.validation import random_crop, require_kind, validation_images


def ramp(height: int, width: int) -> Tensor:
    """Red tells the row and green the column, in shares of 1000 pixels."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([rows, columns, torch.zeros_like(rows)]) / 1000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_image(tmp_path / "a.png", ramp(300, 400))
    save_image(tmp_path / "b.png", ramp(96, 64).flip(0))
    return tmp_path


def test_each_image_once(folder: Path) -> None:
    found = validation_images(folder, 32)
    assert list(found) == ["a", "b"]
    torch.testing.assert_close(found["a"], crop_and_shrink(load_image(folder / "a.png"), 32))
    np.save(folder / "a.npy", ramp(40, 40).numpy())
    assert list(validation_images(folder, 32)) == ["a.npy", "a.png", "b"]


def test_crops_take_turns_and_depend_on_the_seed(folder: Path) -> None:
    found = validation_images(folder, 32, crops=5)
    assert list(found) == ["a-0", "b-0", "a-1", "b-1", "a-2"]
    assert all(image.shape == (3, 32, 32) for image in found.values())
    again, other = (validation_images(folder, 32, crops=5, seed=seed) for seed in (0, 1))
    assert all(torch.equal(found[name], again[name]) for name in found)
    assert not any(torch.equal(found[name], other[name]) for name in found)


def test_crops_are_of_several_scales_and_places() -> None:
    image, random = ramp(900, 1000), np.random.default_rng(0)
    # The slope of a crop is the factor by which it was shrunk; its middle tells the place.
    crops = torch.stack([random_crop(image, 32, random) for _ in range(200)])
    inner = 1000 * crops[:, :, 4:-4, 4:-4]
    factors = (inner[:, 0, -1, 0] - inner[:, 0, 0, 0]) / 23
    assert factors.min() > 1.9
    assert factors.max() < 8.1
    median = float(factors.log().median().exp())
    assert median == pytest.approx(4, abs=0.5), "log-uniform"
    middle = inner[:, :2].mean(dim=(2, 3))
    assert middle.min() < 120
    assert middle[:, 0].max() > 780
    assert middle[:, 1].max() > 880


@pytest.mark.parametrize("shape", [(48, 60), (32, 40)])
def test_small_images_are_shrunk_less(shape: tuple[int, int]) -> None:
    image, random = ramp(*shape), np.random.default_rng(0)
    for _ in range(20):
        assert random_crop(image, 32, random).shape == (3, 32, 32)


def test_images_that_are_too_small(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"`size` must lie in \[1, 64\] .*, got 70"):
        validation_images(folder, 70, crops=2)


@pytest.mark.parametrize("name", ["camera", "astronaut", "coins", "rocket"])
def test_samples_are_recognised(name: str) -> None:
    image = load_image(name)
    for changed in (image, to_gray(image), crop_and_shrink(image, 256), image[..., ::3, ::2]):
        with pytest.raises(ValueError, match=f"is the sample '{name}' of scikit-image"):
            refuse_held_out(changed, "mine.png")


def test_other_images_are_not_taken_for_samples() -> None:
    random = torch.Generator().manual_seed(0)
    camera = load_image("camera")
    for image in (
        torch.full((1, 64, 64), 0.5),
        torch.rand(3, 64, 64, generator=random),
        ramp(80, 90),
        camera.flip(-1),
        camera[:, :256, 256:],
        torch.complex(camera, camera),
    ):
        refuse_held_out(image, "mine.png")


def test_held_out_images_are_refused(folder: Path) -> None:
    save_image(folder / "c.png", crop_and_shrink(load_image("coffee"), 64))
    assert len(validation_images(folder, 32, crops=2)) == 2, "the third is not looked at"
    for crops in (None, 3):
        with pytest.raises(ValueError, match=r"image 'c\.png' is the sample 'coffee'"):
            validation_images(folder, 32, crops=crops)


def test_the_name_of_a_sample_is_no_folder() -> None:
    with pytest.raises(ValueError, match="samples, which are held out, got 'camera'"):
        validation_images(Path("camera"), 32)


def test_images_and_priors_are_real_or_complex_together() -> None:
    real, complex_valued = (
        NetworkPrior(torch.nn.Identity(), channels=1, complex=kind) for kind in (False, True)
    )
    image = torch.rand(1, 8, 8)
    require_kind({"a": image}, real, "mri-4")
    require_kind({"a": image + 0j}, complex_valued, "mri-4")
    for images, prior, words in (
        (
            {"a": image + 0j, "b": image},
            complex_valued,
            "must be complex .*, got 'b', which is real",
        ),
        ({"a": image + 0j}, real, "must be real .*, got 'a', which is complex"),
    ):
        with pytest.raises(ValueError, match=words):
            require_kind(images, prior, "mri-4")
