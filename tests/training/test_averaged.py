"""The mean of the weights of several priors."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from invscore import load_prior
from invscore.networks import build_network
from invscore.plugins.modules import load_module
from invscore.priors import NetworkPrior

SCRIPT = Path(__file__).parents[2] / "configs/train/averaged.py"


def written(path: Path, seed: int, width: int = 4, mean: float = 0.5) -> NetworkPrior:
    torch.manual_seed(seed)
    architecture = {"name": "unet", "channels": 1, "widths": [width, 8], "blocks": 1}
    network = build_network(**architecture)
    for weights in network.parameters():
        torch.nn.init.normal_(weights)
    about = {"architecture": architecture, "recipe": {"seed": 1}, "step": 7, "validation": {}}
    NetworkPrior(network, channels=1, mean=mean, metadata=about).save(path, torch.float32)
    return load_prior(path)


def averaged(monkeypatch: pytest.MonkeyPatch, *arguments: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["averaged.py", *map(str, arguments)])
    load_module(SCRIPT).main()


def test_it_is_the_mean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / f"{k}.safetensors" for k in range(3)]
    priors = [written(file, k) for k, file in enumerate(files)]
    averaged(monkeypatch, *files, tmp_path / "mean.safetensors")
    found = load_prior(tmp_path / "mean.safetensors")
    for name, weights in found.network.named_parameters():
        expected = sum(p.network.get_parameter(name) for p in priors) / 3
        torch.testing.assert_close(weights, expected, rtol=0, atol=2e-3)  # in float16
        assert float(expected.abs().max()) > 0.1
    assert found.metadata["recipe"] == {"seed": 1}
    assert not {"step", "validation"} & set(found.metadata)


@pytest.mark.parametrize(
    ("other", "key"), [({"width": 8}, "architecture"), ({"mean": 0.1}, "parametrisation")]
)
def test_priors_of_two_kinds_have_no_mean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: dict[str, float], key: str
) -> None:
    one, two, out = (tmp_path / f"{name}.safetensors" for name in ("one", "two", "out"))
    written(one, 0)
    written(two, 1, **other)
    with pytest.raises(SystemExit, match=f"two.safetensors' differs from '.* in its {key}"):
        averaged(monkeypatch, one, two, out)
    assert not out.exists()
