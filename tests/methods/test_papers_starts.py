"""Every method from its paper's start, the noise that its prior alone would begin with."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods import METHODS
from invscore.methods.common import initial_guess
from invscore.operators import Inpainting
from invscore.priors import GaussianPrior
from invscore.rng import SampleRNG

SHAPE = (1, 2, 2)
COPIES = 4
STANDARD = GaussianPrior(torch.zeros(SHAPE, dtype=torch.float64), 1.0)
"""Images as papers have them: of mean 0 and variance 1."""
Y = torch.tensor([[[0.9, -1.6], [0.1, 2.2]]], dtype=torch.float64)
PATIENT = {
    "map_accelerated": 200,
    "prox_gradient": 300,
    "red": 700,
    "red_diff": 200,
    "ula": 600,
    "mala": 600,
}
"""Steps of those that move little in each; 50 do for the others."""
FROM_NOISE = sorted(name for name, info in METHODS.items() if "initial" in info.defaults)


def task(copies: int) -> InverseProblem:
    seen = Inpainting(torch.tensor([[1.0, 1.0], [1.0, 0.0]]), SHAPE)
    return InverseProblem(seen, seen(Y.expand(copies, *SHAPE)), GaussianNoise(0.5))


def last(name: str, initial: str) -> Tensor:
    info, rng = METHODS[name], SampleRNG([(k,) for k in range(COPIES)])
    first = {"sigma_max": 20.0} if "sigma_max" in info.defaults else {}
    options = info.options({"initial": initial, "steps": PATIENT.get(name, 50), **first})
    *_, step = info.run(task(COPIES), STANDARD, rng, **options)
    return step.x


@pytest.mark.parametrize("name", FROM_NOISE)
def test_the_start_is_the_papers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``x_T ~ N(0, I)`` where ``x_t = (x0 + sigma n) / sqrt(1 + sigma^2)``, number by number."""
    drawn: list[tuple[float, Tensor]] = []
    draw = initial_guess.terminal.draw

    def seen(prior: GaussianPrior, like: Tensor, sigma: float, rng: SampleRNG) -> Tensor:
        drawn.append((sigma, draw(prior, like, sigma, rng)))
        return drawn[-1][1]

    monkeypatch.setattr(initial_guess.terminal, "draw", seen)
    states = METHODS[name].run(
        task(3), STANDARD, SampleRNG([(0,), (1,), (2,)]), steps=3, initial="noise"
    )
    next(iter(states))
    [(sigma, x)] = drawn
    noise = SampleRNG([(0,), (1,), (2,)]).normal_like(x)
    torch.testing.assert_close(x / (1 + sigma**2) ** 0.5, noise, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", FROM_NOISE)
def test_from_there_it_ends_where_it_does_from_the_guess(name: str) -> None:
    """With the same noise, where it ends from the initial guess: the start is forgotten."""
    there, here = last(name, "noise"), last(name, "guess")
    torch.testing.assert_close(there, here, rtol=0, atol=0.05)
