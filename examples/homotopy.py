"""The homotopy sqrt(t) x + sqrt(1 - t) z: densities from noise to data, and the climb along them.

python examples/homotopy.py [FIGURE.png]

Climbing the score of the data ends on whichever mode is near. Climbing while t grows from 0, where
there is one mode, follows a path of maxima: here to the highest mode of all.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from invscore import GaussianMixturePrior
from invscore.files import atomic_file
from invscore.processes import Homotopy

MEANS, DEVIATIONS, WEIGHTS = (-1.6, -0.3, 1.3), (0.3, 0.18, 0.35), (0.3, 0.15, 0.55)
PROCESS = Homotopy()
TIMES = np.linspace(0.001, 0.999, 200).tolist()
RIDGES = 16
CLIMB = 30  # steps at each time
STARTS = (-2.6, -2.1, -1.2, -0.7, 0.1, 0.8, 2.4)
RIDGE, PATH, PLAIN = "#2a6f97", "#9e2a2b", "#e09f3e"

PRIOR = GaussianMixturePrior(
    torch.tensor(MEANS, dtype=torch.float64)[:, None],
    torch.tensor(DEVIATIONS, dtype=torch.float64) ** 2,
    torch.tensor(WEIGHTS, dtype=torch.float64),
)


def density(x: Tensor, t: float) -> Tensor:
    """The density of x_t at ``x``, (n,)."""
    states, level = PROCESS.to_ve(x[:, None], t)
    return (PRIOR.log_prob(states, level) - PROCESS.alpha(t).log()).exp()


def climb(x: Tensor, t: float, steps: int = CLIMB) -> Tensor:
    """Gradient ascent on ln p_t from ``x``, (n,), in steps that its curvature allows."""
    step = float(PROCESS.sigma(t) ** 2 + PROCESS.alpha(t) ** 2 * min(DEVIATIONS) ** 2)
    for _ in range(steps):
        x = x + step * PROCESS.score(PRIOR.denoise, x[:, None], t)[:, 0]
    return x


def main(figure: str) -> None:
    x = torch.zeros(1, dtype=torch.float64)
    maxima = []
    for t in TIMES:
        x = climb(x, t)
        maxima.append(float(x))
    starts = torch.tensor(STARTS, dtype=torch.float64)
    ends = climb(starts, TIMES[-1], 400)
    print(f"homotopy: density {float(density(x, TIMES[-1])):.3f} at {maxima[-1]:.2f}")
    for start, end, height in zip(starts, ends, density(ends, TIMES[-1]), strict=True):
        print(f"from {start:5.2f}: density {height:.3f} at {end:.2f}")
    draw(figure, maxima, ends)


def draw(figure: str, maxima: list[float], ends: Tensor) -> None:
    drawing = Figure(figsize=(9.6, 5.4), dpi=160, layout="constrained")
    ridges, last = drawing.subplots(1, 2, width_ratios=(1.15, 1))
    x = torch.linspace(-3.2, 3.2, 500, dtype=torch.float64)
    lift = 0.26  # of a density of 1, in units of t
    for index in reversed(range(RIDGES)):
        place = round(index / (RIDGES - 1) * (len(TIMES) - 1))
        t = TIMES[place]
        curve = t + lift * density(x, t)
        ridges.fill_between(x, t, curve, color="white", zorder=-t)
        ridges.plot(x, curve, color=RIDGE, alpha=0.35 + 0.65 * t, linewidth=1.2, zorder=-t)
    heights = [
        t + lift * float(density(torch.tensor([at], dtype=torch.float64), t))
        for t, at in zip(TIMES, maxima, strict=True)
    ]
    ridges.plot(maxima, heights, color=PATH, linewidth=2)
    ridges.plot(maxima[-1], heights[-1], "o", color=PATH)
    ridges.set_ylabel("t")
    ridges.set_xlabel("$x_t$")
    ridges.set_title(r"densities of $x_t = \sqrt{t}\,x + \sqrt{1-t}\,z$", loc="left")

    law = density(x, TIMES[-1])
    last.plot(x, law, color=RIDGE, linewidth=1.5)
    last.fill_between(x, law, color=RIDGE, alpha=0.12, linewidth=0)
    starts = torch.tensor(STARTS, dtype=torch.float64)
    for start, end in zip(starts, ends, strict=True):
        between = torch.linspace(float(start), float(end), 60, dtype=torch.float64)
        last.plot(between, density(between, TIMES[-1]), color=PLAIN, linewidth=2.5, alpha=0.9)
    last.plot(starts, density(starts, TIMES[-1]), "o", color="white", mec=PLAIN, label="starts")
    last.plot(ends, density(ends, TIMES[-1]), "o", color=PLAIN, label="ends of plain ascents")
    last.plot(maxima[-1], float(law.max()), "*", color=PATH, ms=15, label="end of the homotopy")
    last.set_ylim(0, 1.2 * float(law.max()))
    last.set_xlabel("x")
    last.set_title("ascent on $p(x)$ itself, and along the homotopy", loc="left")
    last.legend(frameon=False, loc="upper left")
    for axes in (ridges, last):
        for edge in ("top", "right"):
            axes.spines[edge].set_visible(False)
    with atomic_file(Path(figure)) as partial:
        drawing.savefig(partial, format="png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figure", nargs="?", default="homotopy.png")
    given = parser.parse_args()
    main(given.figure)
