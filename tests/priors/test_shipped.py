"""What comes with invscore: small files, and a card for every prior."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest
import torch

from invscore.files.checkpoint import load_checkpoint
from invscore.images import crop_and_shrink, load_image, to_gray
from invscore.priors import available_priors, load_prior

SHIPPED = Path(str(resources.files("invscore.priors.shipped")))
PRIORS = sorted(available_priors())
MEGABYTES = 45

HEADINGS = ("## How it was made", "## What it can do", "## Where it ends")
ROWS = ("quantity", "network", "parametrisation", "objective", "data", "held out", "licence")


def test_some_prior_is_shipped() -> None:
    assert "photos-gray" in PRIORS


def test_the_files_are_small() -> None:
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < MEGABYTES * 1e6


@pytest.mark.parametrize("name", PRIORS)
def test_weights_are_stored_in_half_precision(name: str) -> None:
    weights, _ = load_checkpoint(SHIPPED / f"{name}.safetensors")
    assert {w.dtype for w in weights.values()} == {torch.float16}


@pytest.mark.parametrize("name", PRIORS)
def test_metadata_say_where_it_comes_from(name: str) -> None:
    metadata = available_priors()[name]
    assert metadata["name"] == name
    for key in ("description", "licence", "recipe", "data_digest", "parametrisation"):
        assert metadata[key], key


def test_digits_alone_have_an_up_and_a_left() -> None:
    symmetric = {name: load_prior(name).symmetric for name in PRIORS}
    assert symmetric == {name: not name.startswith("digits") for name in PRIORS}


@pytest.mark.parametrize("name", PRIORS)
def test_every_prior_has_a_card(name: str) -> None:
    card = (SHIPPED / f"{name}.md").read_text(encoding="utf-8")
    assert card.startswith(f"# {name}\n")
    for heading in HEADINGS:
        _, _, section = card.partition(f"\n{heading}\n")
        assert len(section.partition("\n## ")[0].split()) > 20, heading
    for row in ROWS:
        assert f"\n| {row} |" in card, row
    assert f"configs/train/{name}.yaml" in card  # the recipe


def test_every_card_has_a_prior() -> None:
    assert {card.stem for card in SHIPPED.glob("*.md")} == set(PRIORS)


@pytest.mark.parametrize("name", ["photos", "photos-gray", "photos-gray-small", "photos-small"])
@pytest.mark.parametrize("level", [0.05, 0.2])
def test_photographs_of_every_size_are_denoised_as_well(name: str, level: float) -> None:
    """A pixel more than a multiple of the network's stride is seven that are not there."""
    prior = load_prior(name)
    whole = crop_and_shrink(load_image("coffee"), 57)
    image = (whole if prior.channels == 3 else to_gray(whole))[None].float()
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    errors = []
    for size in (56, 57):
        part = (..., slice(size), slice(size))
        error = prior.denoise(image[part] + level * noise[part], level) - image[part]
        errors.append(float(error[..., :56, :56].square().mean().sqrt()))
    assert errors[1] < 1.02 * errors[0], errors
