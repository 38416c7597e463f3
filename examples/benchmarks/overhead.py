"""What methods and the driver cost beyond the network, beside a network of 50 ms.

    python examples/benchmarks/overhead.py [METHOD ...]

Every registered method, or those named, deblurs an image of 256 x 256 pixels; one that refuses as
many numbers is given 16 pixels of it. A white Gaussian prior stands for the network, and its time
is left out. What remains is the method's own algebra (operators, solvers, random numbers) and the
driver's work around it (counting, residuals, checks, the beginning and the end of the run). Prints
both in milliseconds of processor time a step, the least of several runs, and as a share of what a
network would take that needs 50 ms for an evaluation, and as much for a product with its Jacobian.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, reconstruct, simulate
from invscore.batches import PerImage
from invscore.methods import METHODS, MethodInfo, Step
from invscore.operators import Blur, Inpainting, Operator
from invscore.priors import Prior

SHAPE = (1, 256, 256)
NETWORK = 0.05  # s
STEPS, PARTICLES, REPEATS = 20, 4, 3


class Clock:
    """Seconds of processor time within ``running``."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        began = time.process_time()
        yield
        self.seconds += time.process_time() - began


class White(Prior):
    """``N(1/2, v I)``, whose computations ``clock`` counts."""

    mean, variance, has_density = 0.5, 0.05, True

    def __init__(self) -> None:
        self.clock = Clock()

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        with self.clock.running():
            return self.mean + self._gain(sigma) * (x - self.mean)

    def log_density(self, x: Tensor, sigma: PerImage) -> Tensor:
        with self.clock.running():
            distance = (x - self.mean).square().flatten(1).sum(dim=1)
            return -0.5 * distance / (self.variance + float(sigma) ** 2)

    def pullback(self, x: Tensor, sigma: PerImage) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        def pull(u: Tensor) -> Tensor:
            with self.clock.running():
                return self._gain(sigma) * u

        return self.denoise(x, sigma), pull

    def _gain(self, sigma: PerImage) -> float:
        return self.variance / (self.variance + float(sigma) ** 2)


@dataclass(frozen=True)
class Cost:
    """Evaluations and products with the Jacobian of a step, and seconds of it in the method's own
    algebra and in the driver."""

    evaluations: float
    products: float
    method: float
    driver: float

    def row(self, name: str) -> str:
        network = NETWORK * (self.evaluations + self.products)
        return (
            f"{name:16s} {self.evaluations:11.1f} {self.products:8.1f} {1e3 * self.driver:9.2f} "
            f"{self.driver / network:7.1%} {1e3 * self.method:9.2f} {self.method / network:7.1%}"
        )


def timed(info: MethodInfo, clock: Clock) -> MethodInfo:
    """The method with its steps on the ``clock``."""

    @wraps(info.run)
    def run(*args: Any, **options: Any) -> Iterator[Step]:
        states = info.run(*args, **options)
        while True:
            with clock.running():
                step = next(states, None)
            if step is None:
                return
            yield step

    return replace(info, run=run)


def measure(name: str, operator: Operator) -> Cost:
    """One sample, or as many as share particles, of ``STEPS`` steps."""
    info, prior, within = METHODS[name], White(), Clock()
    options: dict[str, Any] = {"steps": STEPS}
    if "particles" in info.defaults:
        options["particles"] = PARTICLES
    samples = PARTICLES if info.particles else 1
    noise = GaussianNoise(0.01)
    problem = InverseProblem(operator, simulate(operator, torch.rand(1, *SHAPE), noise), noise)
    METHODS[name] = timed(info, within)
    began = time.process_time()
    try:
        result = reconstruct(problem, prior, method=name, samples=samples, **options)
    finally:
        METHODS[name] = info
    total = time.process_time() - began
    return Cost(
        evaluations=result.evaluations * samples / STEPS,
        products=result.jacobian_products * samples / STEPS,
        method=(within.seconds - prior.clock.seconds) / STEPS,
        driver=(total - within.seconds) / STEPS,
    )


def cheapest(name: str, operator: Operator) -> Cost:
    """Of ``REPEATS`` runs after the first, which warms up."""
    costs = [measure(name, operator) for _ in range(REPEATS + 1)][1:]
    method, driver = min(cost.method for cost in costs), min(cost.driver for cost in costs)
    return replace(costs[0], method=method, driver=driver)


def main(methods: list[str]) -> None:
    torch.set_num_threads(1)
    blur = Blur.gaussian(sigma=1.6, in_shape=SHAPE)
    few = Inpainting.random(SHAPE, keep=16 / math.prod(SHAPE))
    print("method           evaluations products driver ms   share method ms   share")
    for name in methods:
        try:
            cost = cheapest(name, blur)
        except ValueError:
            cost = cheapest(name, few)
        print(cost.row(name), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "method", nargs="*", choices=[*METHODS, "all"], default="all", metavar="METHOD"
    )
    names = parser.parse_args().method
    main([*METHODS] if "all" in names else names)
