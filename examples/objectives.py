"""The score of a Gaussian by every objective: do they agree, and which is the least noisy?

python examples/objectives.py [FIGURE.png] [BATCHES]

Images of four pixels are drawn from N(0, I) and blurred by noise of level sigma: their score is
-x / (1 + sigma^2). Each objective fits the slope of s(x) = slope x on small batches.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from invscore.files import atomic_file
from invscore.processes import VP
from invscore.training import objectives as o

SIGMA, PIXELS, BATCH = 0.5, 4, 256
TRUTH = -1 / (1 + SIGMA**2)
PROCESS = VP()
TIMES = o.ImportanceTimes(lambda t: PROCESS.diffusion(t) / PROCESS.sigma(t) ** 2, 0.01, 1.0)


class Trial:
    """Fresh data, and the functions of ``slope`` that are taught with it."""

    def __init__(self, slope: Tensor, sigma: float, seed: int) -> None:
        self.slope, self.sigma, self.random = slope, sigma, np.random.default_rng([2, seed])
        self.clean, self.noise, self.probe = self.normal(), self.normal(), self.normal()
        self.x = self.clean + sigma * self.noise

    def normal(self) -> Tensor:
        return torch.from_numpy(self.random.standard_normal((BATCH, PIXELS)))

    def score(self, x: Tensor) -> Tensor:
        return self.slope * x

    def potential(self, x: Tensor) -> Tensor:
        return -self.slope / 2 * x.square().sum(dim=1)

    def score_at(self, variance: Tensor, x: Tensor) -> Tensor:
        """For x of another variance: the same slope in units of the exact one."""
        return self.slope / TRUTH * -x / variance[:, None]


def any_noise(trial: Trial, density: o.NoiseDensity) -> Tensor:
    noise = density.sample_like(trial.clean, trial.random)
    return o.noise_score_matching(trial.score, trial.clean, trial.sigma, noise, density)


def stable(trial: Trial) -> Tensor:
    reference = torch.cat([trial.clean, *(trial.normal() for _ in range(3))])
    return o.stable_target_score_matching(
        trial.score, trial.clean, trial.sigma, trial.noise, reference
    )


def process(trial: Trial) -> Tensor:
    return o.process_score_matching(
        lambda x, t: trial.score_at(PROCESS.alpha(t) ** 2 + PROCESS.sigma(t) ** 2, x),
        trial.clean,
        TIMES.sample(BATCH, trial.random),
        trial.noise,
        alpha=PROCESS.alpha,
        sigma=PROCESS.sigma,
        weight=lambda t: PROCESS.diffusion(t) / TIMES.density(t),
    )


def flow(trial: Trial) -> Tensor:
    def velocity(x: Tensor, t: Tensor) -> Tensor:
        score = trial.score_at((1 - t) ** 2 + t**2, x)
        return -(x + t[:, None] * score) / (1 - t[:, None])

    t = torch.from_numpy(trial.random.uniform(0.05, 0.95, BATCH))
    return o.flow_matching(velocity, trial.clean, t, trial.noise)


def bridge(trial: Trial) -> Tensor:
    def score(x: Tensor, t: Tensor) -> Tensor:
        return trial.score_at((1 - t) ** 2 + t**2 + t * (1 - t), x)

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        t = t[:, None]
        return -(x + (1 + t) / 2 * score(x, t[:, 0])) / (1 - t)

    t = torch.from_numpy(trial.random.uniform(0.05, 0.95, BATCH))
    return o.bridge_matching(velocity, score, trial.clean, t, trial.noise, trial.probe, spread=1.0)


OBJECTIVES: dict[str, tuple[str, Callable[[Trial], Tensor]]] = {
    "explicit": ("C7", lambda r: o.explicit_score_matching(r.score, r.x, TRUTH * r.x)),
    "implicit, exact divergence": ("C0", lambda r: o.implicit_score_matching(r.score, r.x)),
    "implicit, random signs": (
        "C0",
        lambda r: o.hutchinson_score_matching(r.score, r.x, o.random_signs(r.x, r.random)),
    ),
    "implicit, normal probes": (
        "C0",
        lambda r: o.hutchinson_score_matching(r.score, r.x, r.probe),
    ),
    "sliced": ("C0", lambda r: o.sliced_score_matching(r.score, r.x, r.probe)),
    "potential, Laplacian": (
        "C0",
        lambda r: o.implicit_score_matching(o.score_of(r.potential), r.x),
    ),
    "denoising, Gaussian noise": ("C1", lambda r: any_noise(r, o.GaussianDensity())),
    "denoising, Laplace noise": ("C1", lambda r: any_noise(r, o.LaplaceDensity())),
    "denoising, Student noise": ("C1", lambda r: any_noise(r, o.StudentDensity(5))),
    "denoising, stable target": ("C1", stable),
    "denoising, control variate": (
        "C1",
        lambda r: o.controlled_score_matching(r.score, r.clean, r.sigma, r.noise),
    ),
    "denoising over a process": ("C2", process),
    "flow matching": ("C2", flow),
    "flow and denoising (bridge)": ("C2", bridge),
}


def gradient(name: str, slope: float, sigma: float, seed: int) -> float:
    leaf = torch.tensor(slope, dtype=torch.float64, requires_grad=True)
    loss = OBJECTIVES[name][1](Trial(leaf, sigma, seed))
    return torch.autograd.grad(loss, leaf)[0].item()


def fitted(name: str, seed: int) -> float:
    """The slope where the loss of one batch, a parabola, is least."""
    at_0, at_1 = (gradient(name, slope, SIGMA, seed) for slope in (0.0, 1.0))
    return at_0 / (at_0 - at_1)


def draw_slopes(axes: Axes, batches: int) -> None:
    for row, (name, (colour, _)) in enumerate(OBJECTIVES.items()):
        slopes = np.array([fitted(name, seed) for seed in range(batches)])
        error = slopes.std() / batches**0.5
        print(f"{name:28s} {slopes.mean():.4f} +- {error:.4f}")
        spread = np.random.default_rng(0).uniform(-0.22, 0.22, batches)
        axes.scatter(slopes, row + spread, s=7, color=colour, alpha=0.25, lw=0)
        axes.plot(slopes.mean(), row, "o", color=colour, mec="white", mew=1.2, ms=8)
    print(f"{'exact':28s} {TRUTH:.4f}")
    axes.axvline(TRUTH, color="black", lw=1)
    axes.set_yticks(range(len(OBJECTIVES)), OBJECTIVES)
    axes.invert_yaxis()
    axes.set_xlabel(f"fitted slope: batches of {BATCH} images, and their mean")
    axes.set_title(f"All agree on the score ${TRUTH:g}\\,x$ ($\\sigma$ = {SIGMA:g})", loc="left")


def draw_noise(axes: Axes, batches: int) -> None:
    styles = {
        "sliced": ("C0", "--"),
        "implicit, normal probes": ("C0", ":"),
        "implicit, exact divergence": ("C0", "-"),
        "denoising, Gaussian noise": ("C1", "-"),
        "denoising, control variate": ("C1", ":"),
        "denoising, stable target": ("C1", "--"),
    }
    sigmas = np.geomspace(0.03, 3, 9)
    for name, (colour, dashes) in styles.items():
        noise = [
            np.std([gradient(name, -1 / (1 + s**2), s, seed) for seed in range(batches)])
            for s in sigmas
        ]
        axes.loglog(sigmas, noise, dashes, color=colour, lw=2)
        label = {"xytext": (8, 0), "textcoords": "offset points", "va": "center"}
        axes.annotate(name, (sigmas[-1], noise[-1]), color=colour, fontsize=9, **label)
    axes.set_xlabel("noise level $\\sigma$")
    axes.set_title("Standard deviation of the gradient of a batch", loc="left")


def main(figure: str, batches: int) -> None:
    canvas, (left, right) = plt.subplots(1, 2, figsize=(13, 5), layout="constrained")
    draw_slopes(left, batches)
    draw_noise(right, batches)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x", color="#eeeeee")
        axes.set_axisbelow(True)
    with atomic_file(Path(figure)) as partial:
        canvas.savefig(partial, dpi=150)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figure", nargs="?", default="objectives.png")
    parser.add_argument("batches", nargs="?", type=int, default=100)
    given = parser.parse_args()
    main(given.figure, given.batches)
