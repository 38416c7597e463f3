"""Which network denoises best for the time it takes: equal time to learn, on one core.

    OMP_NUM_THREADS=1 python examples/benchmarks/architectures.py CONFIG.yaml [--minutes 10]
        [--networks base,small] [--json FILE]

Each network learns from nothing by the recipe of CONFIG, with as many steps as it makes in so many
minutes of processor time: its pace is measured first. Prints for each its weights, its steps, the
time of an evaluation for an image of 256 x 256 pixels, and the PSNR of what it makes of validation
crops with noise of 15, 25 and 50 of 255. A few minutes are no training; they favour small networks
and those that start well.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from invscore.files import atomic_file
from invscore.networks import SIZES
from invscore.priors import NetworkPrior
from invscore.training.config import TrainConfig, read_config
from invscore.training.loop import train

NETWORKS: dict[str, dict[str, Any]] = {
    "base": SIZES["base"],
    "small": SIZES["small"],
    "one block": SIZES["base"] | {"blocks": 1},
    "three levels": SIZES["base"] | {"widths": (40, 80, 160)},
    "attention": SIZES["base"] | {"attention": 1},
}
SIDE = 256
PACE = 20
"""Steps after which the time of one is known."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0, help="of processor time, for each")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="separated by commas")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def seconds(work: Callable[[], object]) -> float:
    """Of processor time."""
    began = time.process_time()
    work()
    return time.process_time() - began


def configured(recipe: TrainConfig, network: dict[str, Any], out: Path, steps: int) -> TrainConfig:
    """``recipe`` for another network, from nothing, without pictures, saved at the end."""
    changes: dict[str, Any] = recipe.model_dump()
    changes["network"] |= network
    changes["optimiser"] |= {"steps": steps, "warmup": steps // 10}
    changes |= {"out": out, "init": None, "save_every": steps}
    changes["samples"]["count"] = 0
    return TrainConfig.model_validate(changes)


def pace(recipe: TrainConfig, network: dict[str, Any], folder: Path) -> float:
    """Seconds of a step."""
    times: list[float] = []
    config = configured(recipe, network, folder / "pace", PACE)
    train(config, on_step=lambda _: times.append(time.process_time()))
    return statistics.median(after - before for before, after in pairwise(times[:-1]))


def measured(recipe: TrainConfig, network: dict[str, Any], minutes: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        steps = max(1, round(60 * minutes / pace(recipe, network, folder)))
        config = configured(recipe, network, folder / "run", steps)
        spent = seconds(lambda: train(config))
        prior = NetworkPrior.load(folder / "run" / f"{config.name}.safetensors")
    with torch.inference_mode():
        image = torch.rand(1, prior.channels, SIDE, SIDE)
        evaluation = min(seconds(lambda: prior.denoise(image, 0.1)) for _ in range(5))
    weights = sum(w.numel() for w in prior.parameters())
    scores = {name: value for name, value in prior.metadata["validation"].items() if "psnr" in name}
    return {
        "million_weights": weights / 1e6,
        "steps": steps,
        "minutes": spent / 60,
        "ms_evaluation": 1000 * evaluation,
        **scores,
    }


def main() -> None:
    options = arguments()
    recipe, found = read_config(options.config), {}
    for name in options.networks.split(","):
        found[name] = measured(recipe, NETWORKS[name], options.minutes)
        print(name, found[name], flush=True)
    table = Table("network", *found[next(iter(found))])
    for name, row in found.items():
        table.add_row(name, *(f"{value:.4g}" for value in row.values()))
    Console().print(table)
    if options.json is not None:
        with atomic_file(options.json) as partial:
            partial.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
