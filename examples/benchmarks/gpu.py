"""What a card does: agreement with the CPU, samples and training crops per second, memory.

    python examples/benchmarks/gpu.py [--device cuda] [--size 256] [--minutes 4]
    python examples/benchmarks/gpu.py --device cpu --size 32 --quick

Prints a Markdown table. With the network of ``photos-gray``, photographs of SIZE x SIZE pixels are
deblurred by ``auto``, ``diffpir`` and ``dps``, and by deepinv's samplers where it is installed, 1,
16 and 64 at a time, in float32 (PyTorch's default, which on a card has TF32 in convolutions) and
with the network in bfloat16. A row of a method is measured by runs of few steps: their difference
is the time of a step, from which follow the samples per second at the method's own number of steps
(deepinv's with that of ours) and how many times an evaluation of the bare network, without
derivatives, a step takes. ``dps`` takes derivatives, which cost some two more. Training is forward,
backward and step on crops of 64 x 64, without data loading.

The table ends after ``--minutes``: what would take longer than what is left is not begun, and named
below the table. Agreement is that of a run of few steps in full float32 with the same random
numbers, the largest difference over the largest value.
"""

from __future__ import annotations

import argparse
import importlib.util
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from invscore import GaussianNoise, InverseProblem, load_prior, reconstruct, simulate
from invscore.hardware.precision import autocast
from invscore.methods import METHODS
from invscore.methods.auto import resolve
from invscore.operators import Blur
from invscore.priors import NetworkPrior, Prior
from invscore.priors.reduced_precision import evaluated_in
from invscore.rng import SampleRNG
from invscore.training.build import untrained_prior
from invscore.training.config import TrainConfig
from invscore.training.objectives import denoising_score_matching
from invscore.training.optimiser import make_optimisers

OURS = ("auto", "diffpir", "dps")
THEIRS = ("deepinv-diffpir", "deepinv-dps")
PRECISIONS = ("float32", "bf16")
AGREEMENT = 1e-4
NOISE = 0.05
FEW = 2
"""Steps, the fewest that deepinv's samplers make."""
CROP, CROPS = 64, 16


@dataclass
class Card:
    """The device under test, the time that is left, and the rows of the table."""

    device: torch.device
    size: int
    batches: tuple[int, ...]
    short: int
    least: float
    ends: float
    missed: list[str] = field(default_factory=list)
    network: dict[tuple[int, str], float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return platform.processor() or platform.machine()

    def seconds(self, work: Callable[[], object]) -> float:
        """What ``work`` takes, until the device has done it."""
        self._wait()
        began = time.perf_counter()
        work()
        self._wait()
        return time.perf_counter() - began

    def row(self, what: str, expected: float, measure: Callable[[], str]) -> None:
        """Print a row, or note that its ``expected`` seconds are not left, or no memory for it."""
        if time.perf_counter() + expected > self.ends:
            self.missed.append(f"{what} (some {expected:.0f} s)")
            return
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)
        try:
            found = measure()
        except torch.OutOfMemoryError:
            self.missed.append(f"{what} (out of memory)")
            return
        print(f"| {what} | {found} | {self._memory()} |", flush=True)

    def _memory(self) -> str:
        if self.device.type != "cuda":
            return "-"
        return f"{torch.cuda.max_memory_allocated(self.device) / 2**30:.2f}"

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def task(size: int, batch: int, device: torch.device) -> InverseProblem:
    """A blurred ramp and a bar, of ``batch`` images."""
    shape, noise = (1, size, size), GaussianNoise(NOISE)
    truth = torch.linspace(0.1, 0.9, size).expand(batch, 1, size, size).clone()
    truth[..., size // 4 : size // 2, :] = 0.7
    operator = Blur.gaussian(1.6, shape)
    y = simulate(operator, truth, noise, 0)
    return InverseProblem(operator.to(device), y.to(device), noise)


def priors(device: torch.device) -> dict[str, Prior]:
    prior = load_prior("photos-gray", device=device)
    return {"float32": prior, "bf16": evaluated_in(prior, "bf16")}


def agreement(card: Card, method: str) -> float:
    """The largest difference between the samples of the card and of the CPU, over the largest."""
    samples = []
    kept = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        for device in (torch.device("cpu"), card.device):
            problem, prior = task(min(card.size, 64), 2, device), load_prior("photos-gray")
            assert isinstance(prior, NetworkPrior)
            prior.to(device).requires_grad_(False)
            info = METHODS[method]
            options = info.options({"steps": card.short})
            if method == "auto":
                info, options = resolve(problem, prior, options)
            rng = SampleRNG([(k, 0) for k in range(2)])  # on the CPU, whatever the device
            with torch.no_grad():
                *_, last = info.run(problem, prior, rng, **options)
            samples.append(last.x.cpu())
    finally:
        torch.backends.cudnn.allow_tf32 = kept
    here, there = samples
    return float((here - there).abs().max() / here.abs().max())


def evaluation(card: Card, prior: Prior, batch: int, precision: str) -> str:
    """The bare network, without derivatives."""
    x = torch.rand(batch, 1, card.size, card.size, device=card.device)
    repeats, taken = 1, 0.0
    with torch.no_grad():

        def work() -> None:
            for _ in range(repeats):
                prior.denoise(x, 0.1)

        card.seconds(work)
        while (taken := card.seconds(work)) < card.least:
            repeats *= 2
    each = taken / repeats
    card.network[batch, precision] = each
    return f"{1e3 * each:.2f} | 1.0 | {batch / each:.1f} evaluations"


def sampler(
    name: str, problem: InverseProblem, prior: Prior
) -> tuple[int, Callable[[int], object]]:
    """The number of steps by default, and what runs so many."""
    method = name.removeprefix("deepinv-")
    info = METHODS[method]
    options = info.options({})
    own = (resolve(problem, prior, options)[1] if method == "auto" else options)["steps"]
    if name == method:
        seeds = list(range(len(problem.y)))
        return own, lambda steps: reconstruct(
            problem, prior, method=method, steps=steps, seed=seeds, scale=1.0
        )
    import deepinv

    from invscore.baselines.deepinv_adapters import OperatorPhysics, PriorDenoiser

    operator, y, _ = problem.linear_gaussian(name)
    device, denoiser = y.device, PriorDenoiser(prior, problem.image_dtype)
    physics = OperatorPhysics(operator, NOISE).to(device)

    def diffpir(steps: int) -> Any:
        data = deepinv.optim.L2()
        model = deepinv.sampling.DiffPIR(denoiser, data, sigma=NOISE, max_iter=steps, device=device)
        with torch.no_grad():
            return model(y, physics)

    def dps(steps: int) -> Any:
        model = deepinv.sampling.DPS(denoiser, num_steps=steps, device=device)
        return model(y, physics, x_init=(len(y), *operator.in_shape))

    return own, diffpir if method == "diffpir" else dps


def sampling(card: Card, name: str, prior: Prior, batch: int, precision: str) -> str:
    """From runs of few and of more steps."""
    steps, run = sampler(name, task(card.size, batch, card.device), prior)
    run(FEW)
    few, more = (card.seconds(partial(run, k)) for k in (FEW, FEW + card.short))
    # Where other work on the machine hides the difference, the mean, beginning and end included.
    step = (more - few) / card.short if more > few else more / (FEW + card.short)
    whole = max(few - FEW * step, 0.0) + steps * step
    times = step / card.network[batch, precision]
    return f"{1e3 * step:.2f} | {times:.1f} | {batch / whole:.3f} samples of {steps} steps"


def training(card: Card, precision: str) -> str:
    """Forward, backward and step of the default network."""
    config = TrainConfig.model_validate(
        {
            "name": "gpu",
            "out": "never-made",
            "data": {"kind": "arrays", "path": "-", "crop": CROP},
            "optimiser": {"steps": 1},
        }
    )
    prior = untrained_prior(config).to(card.device)
    optimisers = make_optimisers(
        prior.network, config.optimiser.name, learning_rate=1e-4, weight_decay=0.0
    )
    clean = torch.rand(CROPS, 1, CROP, CROP, device=card.device)
    sigma, noise = torch.full((CROPS,), 0.2, device=card.device), torch.randn_like(clean)

    def step() -> None:
        with autocast("bf16" if precision == "bf16" else "fp32", card.device):
            loss = denoising_score_matching(prior, clean, sigma, noise)
        loss.backward()  # type: ignore[no-untyped-call]
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad()

    step()
    repeats = card.short

    def work() -> None:
        for _ in range(repeats):
            step()

    while (taken := card.seconds(work)) < card.least:
        repeats *= 2
    return f"{1e3 * taken / repeats:.2f} | - | {CROPS * repeats / taken:.1f} crops"


def run(card: Card) -> bool:
    """All rows, the cheap ones first; whether the card agrees with the CPU."""
    print(f"{card.name}, PyTorch {torch.__version__}, {card.size} x {card.size} pixels\n")
    agrees = True
    for method in OURS:
        error = agreement(card, method)
        agrees &= error <= AGREEMENT
        print(f"- {method} differs from the CPU by {error:.1e}")
    print("\n| what | ms a step | times the network | per second | peak memory, GiB |")
    print("| --- | ---: | ---: | --- | ---: |")
    known = priors(card.device)
    names = [*OURS, *(THEIRS if importlib.util.find_spec("deepinv") else ())]
    last = dict.fromkeys(PRECISIONS, 0.0)  # seconds of an image in the network
    for batch in card.batches:
        for precision in PRECISIONS:
            asked, prior = f"{batch} x {precision}", known[precision]
            expected = 4 * (card.least + batch * last[precision])
            card.row(
                f"network, {asked}", expected, partial(evaluation, card, prior, batch, precision)
            )
            if (batch, precision) not in card.network:
                card.missed += [f"{name}, {asked}" for name in names]
                continue
            one = card.network[batch, precision]
            last[precision] = one / batch
            for name in names:
                expected = 2 * (card.short + 3 * FEW) * one * (4 if name.endswith("dps") else 2)
                measure = partial(sampling, card, name, prior, batch, precision)
                card.row(f"{name}, {asked}", expected, measure)
        if batch == card.batches[0]:
            for precision in PRECISIONS:
                measure = partial(training, card, precision)
                card.row(f"training, {CROPS} x {precision}", 4 * card.least, measure)
    if card.missed:
        print("\nNot reached: " + "; ".join(card.missed) + ".")
    return agrees


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--size", type=int, default=256, help="pixels of a side")
    parser.add_argument("--minutes", type=float, default=4.0, help="after which it ends")
    parser.add_argument("--quick", action="store_true", help="few steps, 1 and 2 images")
    asked = parser.parse_args()
    card = Card(
        device=torch.device(asked.device),
        size=asked.size,
        batches=(1, 2) if asked.quick else (1, 16, 64),
        short=2 if asked.quick else 16,
        least=0.01 if asked.quick else 0.5,
        ends=time.perf_counter() + 60 * asked.minutes,
    )
    return 0 if run(card) else 1


if __name__ == "__main__":
    raise SystemExit(main())
