"""What a method costs beyond the network evaluations that it makes.

    python examples/benchmarks/overhead.py

A 256 x 256 image is deblurred by each method; the same number of bare evaluations of its network
(with a product of its Jacobian where the method needs one) is timed in turn. Prints the ratio of
the medians.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from invscore import GaussianNoise, InverseProblem, load_prior, reconstruct, simulate
from invscore.operators import Blur
from invscore.priors import NetworkPrior

SHAPE = (1, 256, 256)
METHODS = {"diffpir": False, "dps": True}
STEPS, REPEATS = 6, 9


def bare(prior: NetworkPrior, *, jacobian: bool) -> None:
    """STEPS evaluations of the network alone."""
    x, noise = torch.rand(1, *SHAPE), torch.zeros(1)
    for _ in range(STEPS):
        if jacobian:
            leaf = x.requires_grad_()
            y = prior.network(leaf, noise)
            torch.autograd.grad(y, leaf, torch.ones_like(y))
        else:
            with torch.no_grad():
                prior.network(x, noise)


def seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def main() -> None:
    prior = load_prior("photos-gray")
    operator = Blur.gaussian(sigma=1.6, in_shape=SHAPE)
    noise = GaussianNoise(0.01)
    problem = InverseProblem(operator, simulate(operator, torch.rand(1, *SHAPE), noise), noise)
    for method, jacobian in METHODS.items():
        ours, network = [], []
        for _ in range(REPEATS + 1):
            ours.append(
                seconds(lambda m=method: reconstruct(problem, prior, method=m, steps=STEPS))
            )
            network.append(seconds(lambda j=jacobian: bare(prior, jacobian=j)))
        a, b = statistics.median(ours[1:]), statistics.median(network[1:])
        print(f"{method:8s} {a / STEPS:.4f} s a step, bare network {b / STEPS:.4f} s: {a / b:.3f}")


if __name__ == "__main__":
    main()
