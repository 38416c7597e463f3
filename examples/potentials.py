"""Two potentials, one score, one density: why score matching never needs the partition function.

python examples/potentials.py [FIGURE.png] [SAMPLES]

A small network learns a potential phi from samples by implicit score matching, E[|grad phi|^2 / 2 -
Laplacian phi]. It is the potential of the data up to a constant that the samples do not tell; the
partition functions Z differ by its exponential, the scores and the normalised densities agree.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn

from invscore.files import atomic_file
from invscore.priors import GaussianMixturePrior
from invscore.training.objectives import ScalarField, implicit_score_matching, score_of

DATA = GaussianMixturePrior(
    torch.tensor([[-1.5], [1.0]], dtype=torch.float64),
    torch.tensor([0.25, 0.6], dtype=torch.float64),
    torch.tensor([0.4, 0.6], dtype=torch.float64),
)
GRID = torch.linspace(-5, 5, 1001, dtype=torch.float64)[:, None]
SHOWN = (-3.0, 3.3)
AT_ZERO = 1.3
"""The value of the learned potential at 0: any other gives the same score."""
INK, RED = "#2f6db5", "#d1495b"


def data_potential(x: Tensor) -> Tensor:
    return -DATA.log_prob(x)


def learn(samples: Tensor) -> ScalarField:
    """A potential that grows like a parabola, fitted to ``samples``, (n, 1)."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(1, 12), nn.Tanh(), nn.Linear(12, 1)).double()

    def potential(x: Tensor) -> Tensor:
        return (network(x) - network(torch.zeros_like(x)))[:, 0] + x[:, 0] ** 2 + AT_ZERO

    optimiser = torch.optim.LBFGS(network.parameters(), max_iter=80, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = implicit_score_matching(score_of(potential), samples)
        loss.backward()
        return loss

    optimiser.step(closure)
    return potential


def main(figure: str, samples: int) -> None:
    x = DATA.sample(samples, 0)
    learned = learn(x)
    canvas, panels = plt.subplots(1, 4, figsize=(15, 3.8), layout="constrained")
    titles = [
        r"potentials $\phi$",
        r"scores $-\nabla\phi$",
        r"$e^{-\phi}$ and its integral $Z$",
        r"densities $e^{-\phi}\,/\,Z$ and samples",
    ]
    line = GRID[:, 0]
    densities = []
    for name, potential, colour, style in [
        ("data", data_potential, INK, {"lw": 5, "alpha": 0.45}),
        ("learned", learned, RED, {"lw": 1.8}),
    ]:
        with torch.no_grad():
            energy, score = potential(GRID), score_of(potential)(GRID)[:, 0]
        weight = (-energy).exp()
        partition = torch.trapezoid(weight, line)
        densities.append(weight / partition)
        print(f"{name:8s} Z = {partition:.3f}")
        for axes, values in zip(panels, [energy, score, weight, weight / partition], strict=True):
            axes.plot(line, values, color=colour, label=name, **style)
        panels[2].fill_between(line, weight, color=colour, alpha=0.12, lw=0)
        peak = int((line - 1).abs().argmin())
        panels[2].text(1, weight[peak] - 0.16, f"$Z$ = {partition:.2f}", color=colour, ha="center")
    panels[3].hist(x[:, 0].numpy(), bins=60, density=True, color="#dddddd", zorder=0)
    panels[0].legend(frameon=False)
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(title, loc="left")
        axes.set_xlim(*SHOWN)
        axes.set_xlabel("$x$")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylim(0, 7)
    panels[1].set_ylim(-6, 7)
    panels[2].set_ylim(bottom=0)
    gap = torch.trapezoid((densities[0] - densities[1]).abs(), line) / 2
    print(f"total variation between the densities: {gap:.3f}")
    with atomic_file(Path(figure)) as partial:
        canvas.savefig(partial, dpi=150)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figure", nargs="?", default="potentials.png")
    parser.add_argument("samples", nargs="?", type=int, default=20000)
    given = parser.parse_args()
    main(given.figure, given.samples)
