"""What ``load_prior`` takes: files, names of Python code, objects; and what it says of others."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from invscore.priors import DenoiserPrior, DiffusionPrior, GaussianPrior, load_prior
from invscore.priors.library import split_facts

CODE = """
import torch
from invscore.priors import GaussianPrior

def shrink(z, s):
    return z / (1 + s.reshape(-1, 1, 1, 1) ** 2)

def made():
    return GaussianPrior(torch.zeros(1, 2, 2), torch.eye(4))

ready = made()
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    (tmp_path / "my.py").write_text(CODE)
    return tmp_path / "my.py"


def test_python_code(code: Path) -> None:
    assert isinstance(load_prior(f"{code}:ready"), GaussianPrior)
    assert isinstance(load_prior(f"{code}:made"), GaussianPrior)
    named = f"{code}:shrink(channels=1, sigma_min=0.01, sigma_max=2.0, range=[-1, 1])"
    prior = load_prior(named)
    assert isinstance(prior, DenoiserPrior)
    assert prior.range == (-1.0, 1.0)
    x = torch.rand(1, 1, 3, 3)
    torch.testing.assert_close(prior.denoise(x, 0.5), ((2 * x - 1) / 2 + 1) / 2)
    with pytest.raises(ValueError, match="what it does is not known: DenoiserPrior"):
        load_prior(f"{code}:shrink")
    with pytest.raises(ValueError, match="is a prior already and takes no facts, got channels"):
        load_prior(f"{code}:ready", channels=1)


def test_objects() -> None:
    def network(x: Tensor, t: Tensor) -> Tensor:  # noqa: ARG001
        return x

    abar = torch.linspace(0.999, 0.001, 10)
    made = load_prior(network, channels=2, predicts="epsilon", alphas_cumprod=abar)
    assert isinstance(made, DiffusionPrior)
    assert load_prior(made) is made
    with pytest.raises(ValueError, match="`prior` is a module Linear, and what it does is not"):
        load_prior(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="`prior` must be a prior, a denoiser or a network"):
        load_prior(3)


def test_facts_in_brackets(tmp_path: Path) -> None:
    assert split_facts("ffhq.pt(preset=ffhq, range=[0, 1])") == (
        "ffhq.pt",
        {"preset": "ffhq", "range": (0, 1)},
    )
    odd = tmp_path / "a (1).pt"
    odd.touch()
    assert split_facts(str(odd)) == (str(odd), {})
    assert split_facts(f"{odd}(ema=false)") == (str(odd), {"ema": False})
    with pytest.raises(ValueError, match="an option must be option=value"):
        split_facts("a.pt(preset)")


def test_files_of_ours_take_no_facts() -> None:
    with pytest.raises(ValueError, match="it takes no facts, got range"):
        load_prior("digits", range=(0, 1))


def test_options_go_to_what_makes_a_prior() -> None:
    """A class or a function, in its own words: it is called with them, and with nothing else."""

    class Flat(GaussianPrior):
        def __init__(self, level: float, spread: float = 0.1) -> None:
            super().__init__(torch.full((1, 2, 2), level), spread)

    def flat(spread: float = 0.1) -> GaussianPrior:
        return Flat(0.5, spread)

    dark = load_prior(Flat, level=0.25, spread=0.2)
    assert float(dark.denoise(torch.full((1, 1, 2, 2), 0.25), 1.0).mean()) == pytest.approx(0.25)
    wide, narrow = load_prior(flat, spread=1.0), load_prior(flat)
    x = torch.ones(1, 1, 2, 2)
    assert float(wide.denoise(x, 1.0)[0, 0, 0, 0]) == pytest.approx(0.75)
    assert float(narrow.denoise(x, 1.0)[0, 0, 0, 0]) == pytest.approx(0.5 + 0.5 * 0.1 / 1.1)
    with pytest.raises(ValueError, match=r"needs level: say so in brackets, \(level=\.\.\.\)"):
        load_prior(Flat, spread=0.2)
    with pytest.raises(ValueError, match="`prior` takes spread, got channels"):
        load_prior(flat, channels=1)


def test_options_go_to_what_makes_a_denoiser() -> None:
    class Shrink:
        def __init__(self, channels: int, by: float) -> None:
            self.channels, self.by = channels, by

        def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
            return x * self.by / self.channels / (1 + sigma.reshape(-1, 1, 1, 1) ** 2)

    prior = load_prior(Shrink, check=False, channels=2, by=3.0, sigma_min=0.01, sigma_max=1.0)
    assert float(prior.denoise(torch.ones(1, 2, 4, 4), 1.0)[0, 0, 0, 0]) == pytest.approx(0.75)
