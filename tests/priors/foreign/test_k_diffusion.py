"""k-diffusion: a state of training, a slim file, and what its networks give of known weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from filled import filled, layout
from safetensors.torch import save_file
from torch import Tensor

from invscore.files.checkpoint import CheckpointError
from invscore.networks.foreign.k_diffusion_unet import KDiffusionUNet
from invscore.priors.foreign import load_foreign

MODEL: dict[str, Any] = {
    "type": "image_v1", "input_channels": 3, "input_size": [16, 16], "mapping_out": 16,
    "depths": [1, 2], "channels": [64, 128], "self_attn_depths": [False, True],
    "sigma_data": 0.6, "sigma_min": 0.01, "sigma_max": 80, "augment_wrapper": False,
}  # fmt: skip
S = torch.tensor([0.02, 0.1, 0.5, 2.0, 20.0])

# Options, the digest of the state dictionary of k-diffusion's ImageDenoiserModelV1, and what it
# gives of these weights and images, at the levels S and the pixel (3, 5).
GOLD: list[tuple[dict[str, Any], str, list[float]]] = [
    (
        {},
        "4cbc2fde289ce004",
        [
            -0.7680, -0.8341, -0.3598, -0.9176, -0.9410, -0.3563, -0.5523, -0.7164, -0.4145,
            -0.2859, -0.5432, -0.4441, -0.3447, -0.5427, -0.3845,
        ],
    ),
    (
        {"patch_size": 2, "has_variance": True, "augment_wrapper": True},
        "a0ef0ccbfe36817c",
        [
            -0.6899, 0.5402, -0.3937, -0.6898, 0.5404, -0.3942, -0.6984, 0.5505, -0.4057, -0.7520,
            0.6062, -0.4626, -0.6950, 0.5472, -0.4025,
        ],
    ),
    (
        {"skip_stages": 1},
        "92d6d6e57424b551",
        [
            -0.3124, 0.6462, 1.2094, -0.3425, 0.6272, 1.2135, -0.2228, 0.7290, 1.2330, -0.1274,
            0.8388, 1.2878, -0.2095, 0.7447, 1.2412,
        ],
    ),
]  # fmt: skip


def weights(**options: Any) -> dict[str, Tensor]:
    """Known ones; the filters, which are buffers, are as the network has them."""
    shape = {**MODEL, **options}
    conditions = 9 if shape["augment_wrapper"] else 0
    names = ("type", "input_size", "sigma_data", "sigma_min", "sigma_max", "augment_wrapper")
    made = {name: value for name, value in shape.items() if name not in names}
    own = KDiffusionUNet(**made, mapping_cond_dim=conditions).state_dict()
    trained = sorted((n, tuple(w.shape)) for n, w in own.items() if not n.endswith("kernel"))
    return {**own, **filled(trained)}


def checkpoint(folder: Path, own: dict[str, Tensor], **options: Any) -> Path:
    """As training saves it; the weights that are not averaged are zeros."""
    prefix = "inner_model." if options.get("augment_wrapper") else ""
    content = {
        "config": {"model": {**MODEL, **options}, "dataset": {"type": "imagefolder"}},
        "model": {f"{prefix}{name}": torch.zeros_like(w) for name, w in own.items()},
        "model_ema": {f"{prefix}{name}": w for name, w in own.items()},
        "step": 5,
    }
    path = folder / "model_00000005.pth"
    torch.save(content, path)
    return path


def images() -> Tensor:
    """Those of z / sqrt(s^2 + sigma_data^2) that the numbers are of, as x in [0, 1]."""
    scaled = torch.linspace(-1, 1, 5 * 3 * 16 * 16).reshape(5, 3, 16, 16)
    return (scaled * (S**2 + 0.36).sqrt()[:, None, None, None] + 1) / 2


def expected(numbers: list[float]) -> Tensor:
    """D at the pixel (3, 5), in units of [0, 1], of what the network gives there."""
    z = 2 * images()[:, :, 3, 5] - 1
    variance = (S**2 + 0.36)[:, None]
    F = torch.tensor(numbers).reshape(5, 3)
    return (0.36 / variance * z + 0.6 * S[:, None] / variance.sqrt() * F + 1) / 2


@pytest.mark.parametrize(("options", "digest", "numbers"), GOLD)
def test_averaged_weights_of_a_training(
    tmp_path: Path, options: dict[str, Any], digest: str, numbers: list[float]
) -> None:
    own = weights(**options)
    assert layout(own) == digest
    path = checkpoint(tmp_path, own, **options)
    prior = load_foreign(path, {})
    assert (prior.facts["weights"], prior.facts["trained at"]) == ("EMA", [16, 16])
    given = prior.denoise(images(), S / 2)[:, :, 3, 5]
    torch.testing.assert_close(given, expected(numbers), atol=1e-4, rtol=0)
    plain = load_foreign(path, {"ema": False})
    zeros = plain.denoise(images(), S / 2)[:, :, 3, 5]
    torch.testing.assert_close(zeros, expected([0.0] * 15), atol=1e-4, rtol=0)
    odd = torch.rand(1, 3, 11, 14)
    assert prior.denoise(odd, 0.1).shape == odd.shape


def test_a_slim_file_in_half_precision(tmp_path: Path) -> None:
    own = {name: w.half() for name, w in weights().items()}
    path = tmp_path / "model.safetensors"
    save_file(own, path, metadata={"config": json.dumps({"model": MODEL})})
    prior = load_foreign(path, {})
    assert (prior.facts["weights"], prior.sigma_min, prior.sigma_max) == ("EMA", 0.005, 40)
    given = prior.denoise(images(), S / 2)[:, :, 3, 5]
    torch.testing.assert_close(given, expected(GOLD[0][2]), atol=2e-3, rtol=0)


def test_what_cannot_be_a_prior_is_named(tmp_path: Path) -> None:
    own = weights()
    for options, sentence in (
        ({"type": "image_transformer_v2"}, "is the image_transformer_v2 of k-diffusion"),
        ({"cross_cond_dim": 768}, r"is told a text \(cross_cond_dim\)"),
        ({"depths": [1, 3]}, "are missing, such as 'u_net.d_blocks.1.5"),
        ({"channels": [64, 64]}, "have another shape, such as"),
    ):
        with pytest.raises(CheckpointError, match=sentence):
            load_foreign(checkpoint(tmp_path, own, **options), {})
    bare = tmp_path / "bare.pth"
    torch.save({"model_ema": own}, bare)
    with pytest.raises(CheckpointError, match="no config with a model"):
        load_foreign(bare, {})
    path = checkpoint(tmp_path, own, sigma_min=None)
    content = torch.load(path, weights_only=True)
    del content["config"]["model"]["sigma_max"], content["config"]["model"]["sigma_min"]
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="`sigma_min` must be given"):
        load_foreign(path, {})
    told = load_foreign(path, {"sigma_min": 0.001, "sigma_max": 30.0})
    assert (told.sigma_min, told.sigma_max) == (0.001, 30)
