"""What a step of a method asks of a device: few operations, and never to wait for it."""

from __future__ import annotations

import pytest
import torch
from counting import Counting
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, simulate
from invscore.batches import PerImage
from invscore.methods import METHODS
from invscore.networks import build_network
from invscore.operators import MRI, Blur, Inpainting, LinearOperator, SuperResolution
from invscore.priors import NetworkPrior, Prior, StationaryGaussianPrior
from invscore.rng import AntitheticRNG

SHAPE = (1, 16, 16)
OPERATORS: dict[str, LinearOperator] = {
    "blur": Blur.gaussian(1.0, SHAPE),
    "mask": Inpainting.random(SHAPE, keep=0.4),
    "superres": SuperResolution(2, SHAPE),
    "mri": MRI.random(SHAPE, acceleration=2, real=True),
    "reflect": Blur.motion(5, 30, SHAPE, boundary="reflect"),
    "valid": Blur.gaussian(0.6, SHAPE, boundary="valid"),
}
PRIOR = StationaryGaussianPrior.power_law(SHAPE, variance=0.06, mean=0.5)
MEAN = {"blur": 1.1, "mri": 1.1, "mask": 2.2, "superres": 1.1, "valid": 3.2, "reflect": 4.2}
"""Operations of a step of the default over those of the network, mean of a run."""


class Shrinking(Prior):
    """White images, alike at all symmetries: a network that launches next to nothing."""

    mean, variance, peak = 0.5, 0.06, 1.0
    sigma_min, sigma_max, symmetric = 0.002, 20.0, True

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        return 0.5 + (x - 0.5) / (1 + (float(sigma) / 0.25) ** 2)


def counted_step(method: str, operator: LinearOperator, batch: int = 2) -> Counting:
    """Of the third step: the first may prepare what all use."""
    noise = GaussianNoise(0.02)
    y = simulate(operator, PRIOR.sample(1, 0), noise, 0)
    problem = InverseProblem(operator, y, noise).select(torch.zeros(batch, dtype=torch.long))
    rng = AntitheticRNG([(k, 0) for k in range(batch)], list(range(batch)))
    info = METHODS[method]
    with torch.no_grad():
        states = info.run(problem, PRIOR, rng, **info.options({"steps": 6}))
        next(states)
        next(states)
        with Counting() as counting:
            next(states)
    return counting


def counted_network() -> Counting:
    network = build_network(name="unet", channels=1, widths=[32, 64, 128, 256], blocks=2)
    prior = NetworkPrior(network, channels=1)
    x: Tensor = torch.rand(2, 1, 32, 32)
    with torch.no_grad(), Counting() as counting:
        prior.denoise(x, 0.1)
    return counting


# Weights of particles decide on the host how they are drawn again, there lines are searched, and
# there it is asked whether iterations without a bound have come to their end.
ASK = {"mala", "matched_pixels", "matched_smc", "prox_gradient", "smc", "tmpd"}


@pytest.mark.parametrize("method", sorted(set(METHODS) - ASK))
@pytest.mark.parametrize("kind", ["blur", "mask"])
def test_a_step_never_waits_for_the_device(method: str, kind: str) -> None:
    assert not counted_step(method, OPERATORS[kind]).waits


@pytest.mark.parametrize("kind", OPERATORS)
def test_the_default_never_waits_and_asks_for_little(kind: str) -> None:
    counting, network = counted_step("matched_spectrum", OPERATORS[kind]), counted_network()
    assert not counting.waits
    assert (
        counting.operations
        < (1.2 if kind in {"blur", "mri", "superres"} else 5) * network.operations
    )
    iterations = 15 if kind == "mask" else 30 if kind in {"reflect", "valid"} else 0
    # Two an iteration and in its first gradient, and those of the operator, up to four.
    of_operator = 4 if kind in {"reflect", "valid"} else 0
    assert counting.transforms <= 7 + (iterations + 1) * (2 + of_operator)


@pytest.mark.parametrize("batch", [2, 16])
@pytest.mark.parametrize("kind", OPERATORS)
def test_a_run_of_the_default_asks_for_little_whatever_the_batch(kind: str, batch: int) -> None:
    noise, operator = GaussianNoise(0.02), OPERATORS[kind]
    y = simulate(operator, PRIOR.sample(1, 0), noise, 0)
    problem = InverseProblem(operator, y, noise).select(torch.zeros(batch, dtype=torch.long))
    rng = AntitheticRNG([(k, 0) for k in range(batch)], list(range(batch)))
    rng._ahead = 2**14  # as on a GPU
    info = METHODS["matched_spectrum"]
    with torch.no_grad():
        states = info.run(problem, Shrinking(), rng, **info.options({}))
        next(states)  # the first prepares what all use
        with Counting() as counting:
            steps = sum(1 for _ in states)
    assert not counting.waits
    assert counting.operations < MEAN[kind] * steps * counted_network().operations


# They make many small steps of their own between two evaluations, or hold sets of particles.
BUSY = {"matched_pixels", "matched_smc", "smc", "split_gibbs"}


@pytest.mark.parametrize("method", sorted(set(METHODS) - BUSY - {"matched_spectrum"}))
@pytest.mark.parametrize("kind", ["blur", "mask"])
def test_a_step_of_others_asks_for_little(method: str, kind: str) -> None:
    assert counted_step(method, OPERATORS[kind]).operations < 1.2 * counted_network().operations


def test_what_waits_is_seen() -> None:
    x = torch.rand(4)
    with Counting() as counting:
        bool((x > 0.5).any())
        float(x[0])
        x[x > 0.5]
        x[torch.tensor([0, 1])]
    assert sum(counting.waits.values()) >= 3
    assert counting.waits["aten.nonzero"] == 1
