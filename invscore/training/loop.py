"""The training loop: denoising score matching, saved atomically, resumed bit for bit.

Every random number of step k is drawn from a generator seeded by (seed, k), so a run depends on
its ``TrainingState`` and on nothing else.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from invscore.checkpoint import read_metadata
from invscore.networks import build_network
from invscore.priors.library import prior_class
from invscore.priors.network import NetworkPrior
from invscore.training.config import TrainConfig
from invscore.training.data import Source, open_source
from invscore.training.log import Tally, write_row
from invscore.training.objectives import denoising_score_matching
from invscore.training.schedule import trapezoid
from invscore.training.state import TrainingState
from invscore.training.validation import validate
from invscore.training.warm_start import warm_start

STATE = "state.safetensors"


class TrainingDiverged(RuntimeError):
    """The weights or their gradient are no longer finite; the last saved state is kept."""


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

    A new run starts from the weights of the prior ``config.init``, where one is named.

    Writes ``OUT/NAME.safetensors`` (the prior, its weights averaged over the steps),
    ``OUT/state.safetensors`` (to resume) and ``OUT/log.csv``. Returns the path of the prior. A run
    whose steps are all done, see ``steps_done``, is left as it is.

    Raises ``ValueError`` for data or a state that cannot be used, and ``TrainingDiverged`` when
    the gradient is not finite or the denoiser is useless.
    """
    options, kind = config.optimiser, torch.device(device).type
    path, state_file = config.out / f"{config.name}.safetensors", config.out / STATE
    if path.exists() and steps_done(config) >= options.steps:
        return path
    channels = config.network.channels
    photos = {
        split: open_source(config.data, split, channels=channels) for split in ("train", "val")
    }
    prior = _untrained(config, photos["train"].digest()).to(device)
    if config.init and not state_file.exists():
        warm_start(prior.network, config.init)
    run = TrainingState(
        prior.network, learning_rate=options.learning_rate, weight_decay=options.weight_decay
    )
    if state_file.exists():
        run.restore(state_file)

    tally = Tally()
    began = time.monotonic()
    while run.step < options.steps:
        learning_rate = options.learning_rate * trapezoid(
            run.step,
            steps=options.steps,
            warmup=options.warmup,
            decay_fraction=options.decay_fraction,
        )
        clean, sigma, noise = (t.to(device) for t in _batch(config, photos["train"], run.step))
        with torch.autocast(kind, torch.bfloat16, enabled=config.precision == "bf16"):
            loss = denoising_score_matching(prior, clean, sigma, noise)
        loss.backward()  # type: ignore[no-untyped-call]
        norm, made = run.update(learning_rate, clip=options.clip, skip_above=options.skip_above)
        if not math.isfinite(norm):
            reason = f"the loss is {loss.item():.3g} and the norm of its gradient {norm}"
            raise _diverged(run.step, reason, state_file)
        run.update_average(min(options.ema, (1 + run.step) / (10 + run.step)))
        run.step += 1
        tally.add(loss.item(), norm, made)

        validation = None
        if run.step % config.save_every == 0 or run.step == options.steps:
            # The state comes last: what a kill leaves undone is done again.
            validation = _publish(path, prior, run, photos["val"])
            row = {"step": run.step, "learning_rate": learning_rate, **tally.summary()}
            write_row(config.out / "log.csv", {**row, **validation})
            run.save(state_file)
            tally = Tally()
        seconds = time.monotonic() - began
        on_step(Progress(run.step, options.steps, loss.item(), seconds, validation))
    if not path.exists():  # a finished run under another name
        _publish(path, prior, run, photos["val"])
    return path


def steps_done(config: TrainConfig) -> int:
    """How many steps of the run that ``config`` describes have been made and saved."""
    state_file = config.out / STATE
    return int(read_metadata(state_file)["step"]) if state_file.exists() else 0


def _untrained(config: TrainConfig, digest: str) -> NetworkPrior:
    architecture = config.network.model_dump(mode="json")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = build_network(**architecture)
    metadata = {
        "name": config.name,
        "description": config.description,
        "licence": config.licence,
        "architecture": architecture,
        "recipe": config.model_dump(mode="json"),
        "data_digest": digest,
    }
    return prior_class(metadata)(
        network,
        channels=config.network.channels // (2 if config.prior.complex else 1),
        **config.prior.model_dump(),
        metadata=metadata,
    )


def _publish(
    path: Path, prior: NetworkPrior, run: TrainingState, photos: Source
) -> dict[str, float]:
    """Save the prior with the average of its weights, and return its validation."""
    averaged = copy.deepcopy(prior).eval()
    averaged.network.load_state_dict(run.average)
    validation = validate(averaged, photos)
    if not all(map(math.isfinite, validation.values())):
        raise _diverged(run.step, f"validation gives {validation}", path.with_name(STATE))
    averaged.metadata |= {"step": run.step, "validation": validation}
    averaged.save(path)
    return validation


def _batch(config: TrainConfig, photos: Source, step: int) -> tuple[Tensor, Tensor, Tensor]:
    """Clean crops, their noise levels, log-normal, and unit noise."""
    random = np.random.default_rng([config.seed, step])
    clean = photos.batch(config.optimiser.batch, random)
    law = config.noise
    log_sigma = law.log_mean + law.log_std * random.standard_normal(len(clean))
    sigma = np.exp(log_sigma).clip(config.prior.sigma_min, config.prior.sigma_max)
    noise = random.standard_normal(clean.shape, dtype=np.float32)
    return clean, torch.from_numpy(sigma.astype(np.float32)), torch.from_numpy(noise)


def _diverged(step: int, reason: str, state_file: Path) -> TrainingDiverged:
    kept = f"{str(state_file)!r} holds the last good state" if state_file.exists() else "none saved"
    return TrainingDiverged(f"step {step}: {reason}; try a lower learning_rate ({kept})")
