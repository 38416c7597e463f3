"""From noise to data by the reverse-time SDE and by the probability flow: other paths, one law.

python examples/reverse_sde_and_flow.py [FIGURE.png] [PARTICLES]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from invscore import GaussianMixturePrior
from invscore.batches import PerImage
from invscore.files import atomic_file
from invscore.processes import OrnsteinUhlenbeck
from invscore.rng import SampleRNG

MEANS, DEVIATIONS, WEIGHTS = (-2.0, 0.2, 1.9), (0.35, 0.2, 0.3), (0.4, 0.2, 0.4)
PROCESS = OrnsteinUhlenbeck(noise=3.0)  # dx = -x dt + sqrt(2) dW
STEPS = 400
DRAWN = 14
LIMIT = 4.4
COLOURS = ("#2a6f97", "#e09f3e", "#9e2a2b")

PRIOR = GaussianMixturePrior(
    torch.tensor(MEANS, dtype=torch.float64)[:, None],
    torch.tensor(DEVIATIONS, dtype=torch.float64) ** 2,
    torch.tensor(WEIGHTS, dtype=torch.float64),
)


def denoise(x: Tensor, sigma: PerImage) -> Tensor:
    """D for one stream of random numbers that carries all particles, (1, n, 1)."""
    return PRIOR.denoise(x[0], sigma)[None]


def density(x: Tensor, t: float) -> Tensor:
    """The density of x_t."""
    states, level = PROCESS.to_ve(x[:, None], t)
    return (PRIOR.log_prob(states, level) - PROCESS.alpha(t).log()).exp()


def nearest_mode(x: Tensor) -> Tensor:
    return (x[..., None] - torch.tensor(MEANS)).abs().argmin(dim=-1)


def main(figure: str, particles: int) -> None:
    # Noise levels fall fast at the end, where the score is steep.
    times = (PROCESS.noise * np.linspace(1, 0.02, STEPS + 1) ** 2).tolist()
    rng = SampleRNG([(0,)])
    start = rng.normal_like(torch.empty(1, particles, 1, dtype=torch.float64))
    ways = {
        "reverse-time SDE": PROCESS.reverse(denoise, start, times, rng),
        "probability flow": PROCESS.flow(denoise, start, times),
    }
    paths = {name: torch.stack([start, *states])[:, 0, :, 0] for name, states in ways.items()}
    for name, states in paths.items():
        shares = nearest_mode(states[-1]).bincount(minlength=3) / particles
        print(f"{name}: {', '.join(f'{share:.1%}' for share in shares)} near each mode")
    draw(figure, times, paths)


def draw(figure: str, times: list[float], paths: dict[str, Tensor]) -> None:
    drawing = Figure(figsize=(9.6, 6.4), dpi=160, layout="constrained")
    axes = drawing.subplots(2, 2, sharey=True, width_ratios=(4, 1))
    x = torch.linspace(-LIMIT, LIMIT, 300, dtype=torch.float64)
    shown = PROCESS.noise * np.linspace(0.02, 1, 200) ** 2
    law = torch.stack([density(x, t) for t in shown], dim=1)
    starts = paths["probability flow"][0]
    quantiles = (torch.arange(DRAWN) + 0.5) / DRAWN
    chosen = starts.argsort()[(quantiles * len(starts)).long()]

    for (plane, side), (name, states) in zip(axes, paths.items(), strict=True):
        plane.pcolormesh(shown, x, law.sqrt(), cmap="Greys", vmax=1.5, rasterized=True)
        for index in chosen:
            path = states[:, index]
            colour = COLOURS[int(nearest_mode(path[-1]))]
            plane.plot(times, path, color=colour, linewidth=1.1)
        # Most happens near the data.
        plane.set_xscale("function", functions=(np.sqrt, np.square))
        plane.set_xlim(times[0], times[-1])
        plane.set_xticks([3, 2, 1, 0.5, 0.2, 0.05], ["3", "2", "1", "0.5", "0.2", "0.05"])
        plane.set_ylim(-LIMIT, LIMIT)
        plane.set_title(name, loc="left")
        plane.set_ylabel("$x_t$")
        bins = np.linspace(-LIMIT, LIMIT, 81).tolist()
        side.hist(states[-1], bins, density=True, orientation="horizontal", color="#c9d3da")
        side.plot(density(x, times[-1]), x, color="black", linewidth=1.2)
        side.set_xticks([])
        side.tick_params(left=False)
        for edge in ("top", "right", "bottom"):
            side.spines[edge].set_visible(False)
    axes[0, 1].set_title("samples and $p(x_0)$", loc="left", fontsize=10)
    axes[1, 0].set_xlabel("time, from noise to data")
    with atomic_file(Path(figure)) as partial:
        drawing.savefig(partial, format="png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figure", nargs="?", default="reverse_sde_and_flow.png")
    parser.add_argument("particles", nargs="?", type=int, default=6000)
    given = parser.parse_args()
    main(given.figure, given.particles)
