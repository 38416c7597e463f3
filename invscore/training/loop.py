"""The training loop: denoising score matching, saved atomically, resumed bit for bit.

Every random number of step k is drawn from a generator seeded by (seed, k), so the state of a run
is its weights, its optimiser and a step count, and nothing else.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from invscore.checkpoint import load_checkpoint, save_checkpoint
from invscore.networks import build_network
from invscore.priors.network import NetworkPrior
from invscore.training.config import TrainConfig
from invscore.training.data import PhotoCrops
from invscore.training.objectives import denoising_score_matching
from invscore.training.schedule import trapezoid

VALIDATION_LEVELS = (15 / 255, 25 / 255, 50 / 255)
VALIDATION_CROPS = 64


class TrainingDiverged(RuntimeError):
    """The loss is no longer finite; the last saved state is kept."""


@dataclass(frozen=True)
class Progress:
    """What the loop tells its caller after every step; ``validation`` when it has saved."""

    step: int
    steps: int
    loss: float
    seconds: float
    validation: dict[str, float] | None = None


def train(
    config: TrainConfig,
    *,
    device: str = "cpu",
    on_step: Callable[[Progress], None] = lambda progress: None,
) -> Path:
    """Train the prior that ``config`` describes, from where an earlier run stopped.

    Writes ``OUT/NAME.safetensors`` (the prior, its weights averaged over the steps),
    ``OUT/state.safetensors`` (to resume) and ``OUT/log.csv``. Returns the path of the prior.
    Raises ``TrainingDiverged`` when the loss is not finite.
    """
    options, sizes = config.optimiser, config.network
    crops = {
        split: PhotoCrops(
            config.data.folder / split,
            crop=config.data.crop,
            longest_side=config.data.longest_side,
            channels=sizes.channels,
        )
        for split in ("train", "val")
    }
    torch.manual_seed(config.seed)
    architecture = sizes.model_dump(mode="json")
    prior = NetworkPrior(
        build_network(**architecture),
        channels=sizes.channels,
        **config.prior.model_dump(),
        metadata={
            "name": config.name,
            "description": config.description,
            "licence": config.licence,
            "architecture": architecture,
            "recipe": config.model_dump(mode="json"),
            "data_digest": crops["train"].digest(),
        },
    ).to(device)
    optimiser = torch.optim.AdamW(
        prior.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    average = {name: w.detach().clone() for name, w in prior.network.named_parameters()}
    state_file = config.out / "state.safetensors"
    start = _restore(state_file, prior.network, optimiser, average) if state_file.exists() else 0

    path = config.out / f"{config.name}.safetensors"
    began = time.monotonic()
    for step in range(start, options.steps):
        for group in optimiser.param_groups:
            group["lr"] = options.learning_rate * trapezoid(
                step,
                steps=options.steps,
                warmup=options.warmup,
                decay_fraction=options.decay_fraction,
            )
        random = np.random.default_rng([config.seed, step])
        clean = crops["train"].batch(options.batch, random)
        sigma, noise = _noise(config, clean, random)
        with torch.autocast(device, torch.bfloat16, enabled=config.precision == "bf16"):
            loss = denoising_score_matching(
                prior, clean.to(device), sigma.to(device), noise.to(device)
            )
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(prior.parameters(), options.clip)
        if not math.isfinite(norm):
            raise TrainingDiverged(
                f"step {step}: the loss is {loss.item():.3g} and its gradient is not finite; "
                f"{str(state_file)!r} holds the last good state"
            )
        optimiser.step()
        optimiser.zero_grad()
        decay = min(options.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, w in prior.network.named_parameters():
                average[name].lerp_(w, 1 - decay)

        done = step + 1
        validation = None
        if done % config.save_every == 0 or done == options.steps:
            averaged = _with_weights(config, prior, average)
            validation = validate(averaged, crops["val"])
            averaged.metadata |= {"step": done, "validation": validation}
            averaged.save(path)
            _save(state_file, done, prior.network, optimiser, average)
            _log(config.out / "log.csv", {"step": done, "loss": loss.item(), **validation})
        on_step(Progress(done, options.steps, loss.item(), time.monotonic() - began, validation))
    return path


@torch.no_grad()
def validate(prior: NetworkPrior, crops: PhotoCrops) -> dict[str, float]:
    """PSNR in dB of the denoiser on fixed crops at sigma 15, 25 and 50 of 255."""
    random = np.random.default_rng(0)
    clean = crops.batch(VALIDATION_CROPS, random)
    noise = torch.from_numpy(random.standard_normal(clean.shape, dtype=np.float32))
    device = next(prior.parameters()).device
    clean, noise = clean.to(device), noise.to(device)
    psnr = {}
    for sigma in VALIDATION_LEVELS:
        error = (prior.denoise(clean + sigma * noise, sigma) - clean) ** 2
        per_crop = -10 * error.mean(dim=(1, 2, 3)).log10()
        psnr[f"psnr{sigma * 255:.0f}"] = round(per_crop.mean().item(), 3)
    return psnr


def _noise(
    config: TrainConfig, clean: Tensor, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    law = config.noise
    log_sigma = law.log_mean + law.log_std * random.standard_normal(len(clean))
    sigma = np.exp(log_sigma).clip(config.prior.sigma_min, config.prior.sigma_max)
    noise = random.standard_normal(clean.shape, dtype=np.float32)
    return torch.from_numpy(sigma.astype(np.float32)), torch.from_numpy(noise)


def _with_weights(
    config: TrainConfig, prior: NetworkPrior, weights: dict[str, Tensor]
) -> NetworkPrior:
    network = build_network(**config.network.model_dump(mode="json"))
    network.load_state_dict(weights)
    device = next(prior.parameters()).device
    copy = NetworkPrior(
        network,
        channels=prior.channels,
        **config.prior.model_dump(),
        metadata=prior.metadata,
    )
    return copy.to(device).eval()


def _save(
    path: Path,
    step: int,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: dict[str, Tensor],
) -> None:
    tensors = {f"network.{name}": w for name, w in network.named_parameters()}
    tensors |= {f"average.{name}": w for name, w in average.items()}
    for index, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": value for name, value in moments.items()}
    save_checkpoint(path, tensors, {"step": step})


@torch.no_grad()
def _restore(
    path: Path,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: dict[str, Tensor],
) -> int:
    tensors, metadata = load_checkpoint(path)
    moments: dict[int, dict[str, Tensor]] = {}
    for name, w in network.named_parameters():
        w.copy_(tensors[f"network.{name}"])
        average[name].copy_(tensors[f"average.{name}"])
    for name, value in tensors.items():
        if name.startswith("optimiser."):
            _, index, moment = name.split(".", 2)
            moments.setdefault(int(index), {})[moment] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
    return int(metadata["step"])


def _log(path: Path, row: dict[str, float]) -> None:
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)
