"""What the training loop costs beyond forward, backward and the step of the optimiser.

    OMP_NUM_THREADS=1 python examples/benchmarks/training.py [STEPS]

A network of the default size learns from random arrays of 64 x 64 pixels, in batches of 16. The
loop does all that it does in a real run: it draws data, clips, averages weights, logs, validates,
draws samples and saves. The bare loop computes the same loss on one batch over and over. Both are
measured in turns of the same length, in processor time, so that other work on the machine does not
count. Prints the ratio of the medians of the time of a step.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from invscore.hardware.precision import autocast
from invscore.training.batches import Batches
from invscore.training.build import untrained_prior
from invscore.training.config import TrainConfig
from invscore.training.data import open_source
from invscore.training.loop import Progress, train
from invscore.training.objectives import denoising_score_matching
from invscore.training.optimiser import make_optimisers

TURN = 5  # steps
SAVE_EVERY = 250  # as by default: what a save takes is shared by so many steps


def configuration(folder: Path, steps: int) -> TrainConfig:
    """A run in ``folder`` on arrays that it makes there."""
    images = np.random.default_rng(0).random((300, 96, 96), dtype=np.float32)
    np.save(folder / "images.npy", images)
    return TrainConfig.model_validate(
        {
            "name": "benchmark",
            "out": folder / "run",
            "data": {"kind": "arrays", "path": folder / "images.npy", "crop": 64},
            "optimiser": {"steps": steps},
            "samples": {"every": steps},
            "save_every": steps,
        }
    )


class Bare:
    """Forward, backward, step: nothing else."""

    def __init__(self, config: TrainConfig) -> None:
        self.prior = untrained_prior(config)
        (self.batch,) = Batches(config, open_source(config.data, "train", channels=1))(0)
        options = config.optimiser
        (self.optimiser,) = make_optimisers(
            self.prior.network, options.name, learning_rate=1e-4, weight_decay=options.weight_decay
        )

    def seconds(self) -> float:
        """What a step takes, on average over a turn."""
        began = time.process_time()
        for _ in range(TURN):
            with autocast("auto", torch.device("cpu")):
                loss = denoising_score_matching(
                    self.prior, self.batch.clean, self.batch.sigma, self.batch.noise
                )
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
            self.optimiser.zero_grad()
        return (time.process_time() - began) / TURN


def main(steps: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        config = configuration(Path(temporary), steps)
        bare = Bare(config)
        bare.seconds()
        alone, ours, saving = [], [], 0.0
        began = time.process_time()

        def on_step(progress: Progress) -> None:
            nonlocal began, saving
            taken = time.process_time() - began
            if progress.step == steps:  # one step, with validation, samples and files
                saving = taken - ours[-1]
            elif progress.step % TURN == 0:
                ours.append(taken / TURN)
                alone.append(bare.seconds())
            if progress.step % TURN == 0 or progress.step == steps - 1:
                began = time.process_time()

        train(config, on_step=on_step)
    step, reference = statistics.median(ours[1:]), statistics.median(alone[1:])
    share = saving / SAVE_EVERY
    print(f"bare step {reference:.4f} s; in the loop {step:.4f} s: {step / reference:.3f}")
    print(
        f"a save with validation and samples {saving:.1f} s; every {SAVE_EVERY} steps: "
        f"{(step + share) / reference:.3f}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("steps", nargs="?", type=int, default=101)
    main(parser.parse_args().steps)
