"""What F predicts, against the table of mixes, and the denoiser that follows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from invscore.networks import build_network
from invscore.priors import NetworkPrior, load_prior
from invscore.priors.parametrisation import (
    PARAMETRISATIONS,
    Mix,
    Parametrisation,
    describe,
    find_parametrisation,
)
from invscore.training.objectives.denoising import denoising_score_matching

F64 = torch.float64
MEAN, DATA = 0.4, 0.3
LEVELS = (0.002, 0.05, 0.3, 2.0, 20.0)

# What F predicts is a n + b (x0 - m) / s: a and b by t = sigma / s.
MIXES: dict[str, Callable[[Tensor], tuple[Tensor | float, Tensor | float]]] = {
    "edm": lambda t: (-1 / (1 + t**2) ** 0.5, t / (1 + t**2) ** 0.5),
    "v": lambda t: (1 / (1 + t**2) ** 0.5, -t / (1 + t**2) ** 0.5),
    "noise": lambda t: (1.0, 0.0),
    "data": lambda t: (0.0, 1.0),
    "flow": lambda t: (1.0, -1.0),
    "score": lambda t: (-1 / t, 0.0),
    "mix": lambda t: (-2.0, 0.7),
}


def given(name: str) -> str | dict[str, float]:
    return {"noise": -2.0, "data": 0.7} if name == "mix" else name


class Answer(nn.Module):
    """A network that gives what it was told to, once it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones((), dtype=F64))
        self.answer = torch.zeros(())

    def forward(self, u: Tensor, noise: Tensor) -> Tensor:  # noqa: ARG002
        return self.scale * self.answer


def prior_of(name: str) -> tuple[NetworkPrior, Answer]:
    network = Answer()
    prior = NetworkPrior(
        network, channels=1, mean=MEAN, sigma_data=DATA, parametrisation=given(name)
    )
    return prior.requires_grad_(False), network


def images(count: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 1, 3, 4, generator=generator, dtype=F64)


def test_all_are_tested() -> None:
    assert set(MIXES) == {*PARAMETRISATIONS, "mix"}


@pytest.mark.parametrize("name", MIXES)
@pytest.mark.parametrize("sigma", LEVELS)
def test_the_best_network_gives_the_exact_denoiser(name: str, sigma: float) -> None:
    """Images N(m, v) with v other than s^2: F is the mean of the mix given x."""
    variance = 0.04
    prior, network = prior_of(name)
    z = images()
    a, b = MIXES[name](torch.tensor(sigma / DATA, dtype=F64))
    total = variance + sigma**2
    network.answer = (a * sigma + b * variance / DATA) / total * z
    expected = MEAN + variance / total * z
    torch.testing.assert_close(prior.denoise(MEAN + z, sigma), expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", MIXES)
def test_the_loss_is_the_squared_error_of_the_network(name: str) -> None:
    prior, network = prior_of(name)
    sigma = torch.tensor(LEVELS, dtype=F64)
    clean, noise = images(10).chunk(2)
    network.answer = torch.randn(5, 1, 3, 4, generator=torch.Generator().manual_seed(1), dtype=F64)
    a, b = MIXES[name](sigma.reshape(-1, 1, 1, 1) / DATA)
    expected = ((network.answer - a * noise - b * (clean - MEAN) / DATA) ** 2).mean()
    loss = denoising_score_matching(prior, clean, sigma, noise)
    torch.testing.assert_close(loss, expected, rtol=1e-10, atol=0)


def test_targets_of_edm_and_v_have_variance_one() -> None:
    for name in ("edm", "v"):
        for t in (0.01, 1.0, 30.0):
            a, b = MIXES[name](torch.tensor(t, dtype=F64))
            assert a**2 + b**2 == pytest.approx(1)


def test_v_is_the_negative_of_edm() -> None:
    (edm, f), (v, g) = prior_of("edm"), prior_of("v")
    f.answer = images()
    g.answer = -images()
    for sigma in (0.0, *LEVELS):
        assert torch.equal(edm.denoise(images(), sigma), v.denoise(images(), sigma))


@pytest.mark.parametrize("name", MIXES)
def test_no_noise_no_change(name: str) -> None:
    prior, network = prior_of(name)
    network.answer, x = images(), MEAN + images()
    denoised = prior.denoise(x, 0.0)
    expected = MEAN + DATA * network.answer if name == "data" else x
    torch.testing.assert_close(denoised, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", MIXES)
def test_file(name: str, tmp_path: Path) -> None:
    architecture = {"name": "unet", "widths": [4, 8], "blocks": 1, "embedding": 8}
    torch.manual_seed(0)
    network = build_network(**architecture)  # type: ignore[arg-type]
    nn.init.normal_(network.head.weight, std=0.3)  # type: ignore[arg-type, union-attr]
    metadata = {"architecture": architecture}
    prior = NetworkPrior(
        network, channels=1, parametrisation=given(name), metadata=metadata
    ).requires_grad_(False)
    prior.save(tmp_path / "mine.safetensors", dtype=torch.float32)
    loaded = load_prior(tmp_path / "mine.safetensors")
    assert loaded.parametrisation == prior.parametrisation
    x = torch.rand(1, 1, 7, 8)
    assert torch.equal(loaded.denoise(x, 0.1), prior.denoise(x, 0.1))


def test_names() -> None:
    for name, known in PARAMETRISATIONS.items():
        assert find_parametrisation(name) == known
        assert describe(known) == name
        assert find_parametrisation(known) is known
    assert find_parametrisation({"noise": 1, "data": 0}) == PARAMETRISATIONS["noise"]
    assert describe(Mix(1, -0.5)) == {"noise": 1, "data": -0.5}
    for unknown in ("vp", {"noise": 1}, {"noise": 1, "data": 0, "score": 1}):
        with pytest.raises(ValueError, match=r"unknown parametrisation .*: edm, v, noise, data"):
            find_parametrisation(unknown)


@pytest.mark.parametrize(("noise", "data"), [(1, 1), (-1, -2), (0, 0), (float("nan"), 1)])
def test_mixes_that_cannot_be(noise: float, data: float) -> None:
    with pytest.raises(
        ValueError, match=f"of opposite signs, or one of them 0, got {noise} and {data}"
    ):
        Mix(noise, data)


def test_ones_own_cannot_be_saved(tmp_path: Path) -> None:
    class Mine(Parametrisation):
        def coefficients(self, sigma: Tensor, sigma_data: float) -> tuple[Tensor, Tensor]:
            return torch.ones_like(sigma), sigma * sigma_data

    prior = NetworkPrior(
        Answer(),
        channels=1,
        parametrisation=Mine(),
        metadata={"architecture": {"name": "my.py:Answer"}},
    )
    assert prior.loss_weight(torch.tensor([2.0])) == 1 / (2 * 0.25) ** 2
    with pytest.raises(ValueError, match="or a Mix to be saved, got a Mine"):
        prior.save(tmp_path / "mine.safetensors")
    assert not (tmp_path / "mine.safetensors").exists()
