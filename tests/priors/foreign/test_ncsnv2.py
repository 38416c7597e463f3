"""NCSNv2: lists that training saves, the averaged weights last; complex images in two channels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from filled import filled, layout
from torch import Tensor

from invscore.files.checkpoint import CheckpointError
from invscore.networks.foreign.ncsnv2 import NCSNv2
from invscore.priors.foreign import load_foreign

LEVELS = torch.tensor([20.0, 3.0, 0.5, 0.06, 0.01])

# Digests of the state dictionaries of ermongroup's NCSNv2, NCSNv2Deeper and NCSNv2Deepest, and what
# they give of these weights and images at the pixel (3, 5), times the level.
GOLD = {
    4: (
        "8a1e780137434359",
        [6.5694, 6.5232, 1.0517, 1.0004, 2.0074, 1.9677, 0.9757, 0.8303, -4.7964, -5.5050],
    ),
    5: (
        "2b4cb5f81d25aa38",
        [4.8643, 5.0071, 4.8838, 5.0244, 4.9068, 5.0449, 4.6699, 4.8288, 4.6090, 4.7714],
    ),
    6: (
        "b6a87b1b74062c31",
        [-4.1129, -4.3179, -4.1148, -4.3197, -4.1163, -4.3211, -4.1195, -4.3241, -4.1238, -4.3281],
    ),
}


def weights(stages: int, channels: int = 2) -> dict[str, Tensor]:
    shapes = NCSNv2(channels, 4, stages).state_dict()
    return filled(sorted((name, tuple(w.shape)) for name, w in shapes.items()))


def checkpoint(folder: Path, own: dict[str, Tensor], **changes: Tensor) -> Path:
    """As training saves it; the weights that are not averaged are zeros."""
    zeros = {f"module.{name}": torch.zeros_like(w) for name, w in own.items()}
    content: list[Any] = [{"module.sigmas": LEVELS, **zeros}, {"state": {}}, 3, 100, own]
    content[0].update(changes)
    path = folder / "checkpoint_100000.pth"
    torch.save(content, path)
    return path


def images() -> Tensor:
    return torch.linspace(-1, 1, 5 * 2 * 16 * 16).reshape(5, 2, 16, 16)


@pytest.mark.parametrize("stages", [4, 5, 6])
def test_complex_images_at_every_depth(tmp_path: Path, stages: int) -> None:
    digest, numbers = GOLD[stages]
    own = weights(stages)
    assert layout(own) == digest
    prior = load_foreign(checkpoint(tmp_path, own), {})
    assert (prior.complex, prior.channels, prior.facts["weights"]) == (True, 1, "EMA")
    assert (prior.sigma_min, prior.sigma_max) == (pytest.approx(0.01), 20)
    z = images()
    x = torch.complex(z[:, :1], z[:, 1:])
    change = (prior.denoise(x, LEVELS) - x) / LEVELS[:, None, None, None]
    given = torch.view_as_real(change[:, 0, 3, 5])
    gold = torch.tensor(numbers).reshape(5, 2)
    torch.testing.assert_close(given, gold, atol=1e-4, rtol=1e-4)


def test_images_that_are_not_complex(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, weights(5, channels=3))
    prior = load_foreign(path, {})
    x = torch.rand(2, 3, 13, 18)
    assert prior.denoise(x, 0.1).shape == x.shape
    assert (prior.range, prior.complex) == ((0.0, 1.0), False)
    two = load_foreign(checkpoint(tmp_path, weights(4)), {"complex": False})
    assert (two.channels, two.range) == (2, (0.0, 1.0))


def test_weights_that_are_not_averaged(tmp_path: Path) -> None:
    own = weights(4)
    x = torch.randn(1, 1, 16, 16, dtype=torch.complex64)
    prior = load_foreign(checkpoint(tmp_path, own), {"ema": False})
    torch.testing.assert_close(prior.denoise(x, 0.5), x)  # zeros
    bare = tmp_path / "bare.pth"
    torch.save(own, bare)
    with pytest.raises(CheckpointError, match=r"`sigma_min` must be given.*no sigmas"):
        load_foreign(bare, {})
    prior = load_foreign(bare, {"sigma_min": 0.01, "sigma_max": 20.0})
    assert prior.facts["weights"] == "those of the file"


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    own = weights(6)
    rest = {n: w for n, w in own.items() if n != "res31.0.conv2.conv.weight"}
    with pytest.raises(CheckpointError, match=r"1 are missing, such as 'res31\.0\.conv2\.conv"):
        load_foreign(checkpoint(tmp_path, rest), {})
    batch = {n.replace("alpha", "weight"): w for n, w in own.items()}
    with pytest.raises(CheckpointError, match=r"normalisation must be InstanceNorm\+\+"):
        load_foreign(checkpoint(tmp_path, batch), {})
