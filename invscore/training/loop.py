"""The training loop: score matching, saved atomically, resumed bit for bit.

A run depends on its ``TrainingState`` and on nothing else: see ``batches`` for its random numbers.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from invscore.files import check_writable, clear_leftovers
from invscore.hardware.precision import autocast
from invscore.priors.network import NetworkPrior
from invscore.training.augment import LABELS
from invscore.training.augmentation_labels import add_label_embedding, labelled
from invscore.training.batches import Batch, Batches, prefetched
from invscore.training.build import image_channels, untrained_prior
from invscore.training.config import TrainConfig
from invscore.training.data import open_source
from invscore.training.distributed import ProcessGroup, join_process_group
from invscore.training.log import Tally
from invscore.training.loss import LOSSES
from invscore.training.optimiser import make_optimisers
from invscore.training.record import RunRecord, prior_files, state_file, steps_done
from invscore.training.resume_check import check_same_data
from invscore.training.schedule import learning_rate
from invscore.training.state import TrainingState
from invscore.training.teacher import Teacher
from invscore.training.warm_start import warm_start


@dataclass(frozen=True)
class Progress:
    """Progress of training after every step; ``validation`` when it has saved."""

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

    A new run starts from the weights of the prior ``config.init``, where one is named. Under
    ``accelerate launch`` the processes share the images of each step; the main one writes and
    calls ``on_step``.

    Writes ``OUT/NAME.safetensors`` (the prior, its weights averaged over the steps; others for
    further averages), ``OUT/state.safetensors`` (to resume), ``OUT/log.csv`` and
    ``OUT/samples/``. Returns the path of the prior. A run whose steps are all done, see
    ``steps_done``, is left as it is.

    Raises ``ValueError`` for data, a state or a folder ``config.out`` that cannot be used, and
    ``TrainingDiverged`` when the gradient is not finite or the denoiser is useless.
    """
    options, files = config.optimiser, prior_files(config)
    finished = steps_done(config) >= options.steps
    if finished and all(file.exists() for file in files):
        return files[0]
    check_writable(config.out)
    clear_leftovers(config.out / "samples")
    group = join_process_group(device)
    data, held_out = (
        open_source(config.data, split, channels=image_channels(config))
        for split in ("train", "val")
    )
    digest = data.digest()
    draw = Batches(config, data, rank=group.rank, processes=group.size)
    prior = untrained_prior(config).to(group.device)
    teacher = Teacher(config.teacher, prior) if config.teacher else None
    run = _begin(config, prior, digest)
    group.check_agreement(run.step, f"out is {str(config.out)!r}: its state")
    averaged = untrained_prior(config).to(group.device)
    record = RunRecord(config, averaged, run, digest=digest, validation=held_out)
    if finished:  # under another name
        if group.main:
            record.publish()
        return files[0]
    if group.main:
        record.clear_away()
    if config.compile:
        prior.network.compile()

    tally, began = Tally(), time.monotonic()
    with closing(prefetched(draw, range(run.step, options.steps), config.workers)) as batches:
        for parts in batches:
            rate = learning_rate(options, run.step)
            loss = _gradients(config, prior, teacher, parts, group)
            norm, made = run.update(rate, clip=options.clip, skip_above=options.skip_above)
            if not math.isfinite(norm):
                raise record.diverged(f"the loss is {loss:.3g} and the norm of its gradient {norm}")
            run.count()
            if not group.main:
                continue
            tally.add(loss, norm, made)
            last, validation = run.step == options.steps, None
            if config.samples.count and (run.step % config.samples.every == 0 or last):
                record.samples()
            if run.step % config.save_every == 0 or last:
                validation, tally = record.save(tally, rate), Tally()
            seconds = time.monotonic() - began
            on_step(Progress(run.step, options.steps, loss, seconds, validation))
    return files[0]


def _begin(config: TrainConfig, prior: NetworkPrior, digest: str) -> TrainingState:
    """The state to go on from: the one that was saved, or a new one."""
    options, file = config.optimiser, state_file(config)
    if file.exists():
        check_same_data(file, digest)
    elif config.init:
        warm_start(prior, config.init)
    if config.augment.share:
        add_label_embedding(prior.network, LABELS)
    optimisers = make_optimisers(
        prior.network,
        options.name,
        learning_rate=options.learning_rate,
        weight_decay=options.weight_decay,
    )
    run = TrainingState(prior.network, optimisers, decays=options.ema)
    if file.exists():
        run.restore(file)
    return run


def _gradients(
    config: TrainConfig,
    prior: NetworkPrior,
    teacher: Teacher | None,
    parts: Sequence[Batch],
    group: ProcessGroup,
) -> float:
    """Leave the gradient of the mean loss over all parts and processes in the weights."""
    total = torch.zeros((), device=group.device)
    for part in parts:
        batch = part.to(group.device)
        if teacher is not None:
            batch = teacher(batch)
        with autocast(config.precision, group.device), labelled(prior.network, batch.augmentation):
            loss = LOSSES[config.objective](prior, batch)
        (loss / len(parts)).backward()  # type: ignore[no-untyped-call]
        total += loss.detach() / len(parts)
    gradients: list[Tensor] = [w.grad for w in prior.parameters() if w.grad is not None]
    group.average([total, *gradients])
    return float(total)
