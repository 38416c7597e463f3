"""Why predict noise rather than the score? And why neither? A comparison on a small mixture.

python examples/parametrisations.py [FIGURE.png] [STEPS]

One multilayer perceptron learns a mixture in the plane by denoising at all noise levels, five times
from the same weights and data: only what it predicts differs. Asked for the score, it must give
numbers of order 1 / sigma^2: the finest levels drown the others in the loss and in its gradient.
Noise and image have targets of one size; but the image's leaves an error that small noise levels
do not forgive, the noise's one that large levels multiply. v and EDM, the same up to a sign, mix
the two level by level.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from invscore import GaussianMixturePrior, NetworkPrior, levels
from invscore.files import atomic_file
from invscore.networks.unet import FourierEmbedding
from invscore.rng import SampleRNG
from invscore.training.objectives import denoising_score_matching

ANGLES = torch.arange(8) * torch.pi / 4
RING = torch.stack([ANGLES.cos(), ANGLES.sin()], dim=1).reshape(8, 2, 1, 1)
WIDTH = 0.14
DATA = GaussianMixturePrior(RING, WIDTH**2)
SPREAD = DATA.variance**0.5
LOWEST, HIGHEST = 0.01, 10.0
GRID = np.geomspace(LOWEST, HIGHEST, 25)
BATCH, SHOWN = 256, 800

COLOURS = {
    "score": "#c8553d",
    "noise": "#e0a030",
    "data": "#3f8f5f",
    "v": "#111111",
    "edm": "#2f6db5",
}
LABELS = {"score": "score", "noise": "noise", "data": "image", "v": "v", "edm": "EDM"}


class Perceptron(nn.Module):
    """Three hidden layers on a point of the plane, (b, 2, 1, 1), and its noise level."""

    def __init__(self, width: int = 96) -> None:
        super().__init__()
        self.embed = FourierEmbedding(32)
        self.layers = nn.Sequential(
            *(nn.Linear(2 + 32, width), nn.SiLU()),
            *(nn.Linear(width, width), nn.SiLU()),
            *(nn.Linear(width, width), nn.SiLU()),
        )
        for layer in self.layers[::2]:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        self.head = nn.Linear(width, 2)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, u: Tensor, noise: Tensor) -> Tensor:
        given = torch.cat([u.flatten(1), self.embed(noise)], dim=1)
        return self.head(self.layers(given)).reshape(u.shape)


def untrained(parametrisation: str) -> NetworkPrior:
    torch.manual_seed(0)
    return NetworkPrior(
        Perceptron(),
        channels=2,
        mean=0.0,
        sigma_data=SPREAD,
        sigma_min=LOWEST,
        sigma_max=HIGHEST,
        parametrisation=parametrisation,
    )


def batch(count: int, sigma: Tensor, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Points of the mixture, their noise levels, (count,), and unit noise."""
    random = torch.Generator().manual_seed(seed)
    centres = RING[torch.randint(8, (count,), generator=random)]
    clean = centres + WIDTH * torch.randn(centres.shape, generator=random)
    return clean, sigma, torch.randn(clean.shape, generator=random)


def learn(parametrisation: str, steps: int) -> NetworkPrior:
    prior = untrained(parametrisation)
    optimiser = torch.optim.Adam(prior.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    ratio = np.log(HIGHEST / LOWEST)
    for step in range(steps):
        random = torch.Generator().manual_seed(step)
        sigma = LOWEST * (ratio * torch.rand(BATCH, generator=random)).exp()
        loss = denoising_score_matching(prior, *batch(BATCH, sigma, seed=10**6 + step))
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        schedule.step()
    return prior.requires_grad_(False)


def loss_scale(prior: NetworkPrior, sigma: float) -> float:
    """The loss of the untrained network at one level: the mean square of what it should predict."""
    count = 4096
    with torch.no_grad():
        drawn = batch(count, torch.full((count,), sigma), seed=1)
        return float(denoising_score_matching(prior, *drawn))


class Loss(nn.Module):
    """The loss of one example as a function of the weights."""

    def __init__(self, prior: NetworkPrior) -> None:
        super().__init__()
        self.prior = prior

    def forward(self, clean: Tensor, sigma: Tensor, noise: Tensor) -> Tensor:
        return denoising_score_matching(self.prior, clean[None], sigma[None], noise[None])


def gradient_noise(prior: NetworkPrior, sigma: float) -> float:
    """The standard deviation of the gradient that one example gives, over all weights."""
    count, loss = 256, Loss(prior)
    weights = {name: w.detach() for name, w in loss.named_parameters()}
    slope = grad(lambda weights, *example: functional_call(loss, weights, example))
    drawn = batch(count, torch.full((count,), sigma), seed=2)
    gradients = vmap(slope, in_dims=(None, 0, 0, 0))(weights, *drawn)
    return float(sum(g.var(dim=0).sum() for g in gradients.values())) ** 0.5


def error(prior: NetworkPrior, sigma: float) -> float:
    """The rms distance of D from the exact denoiser, over what there is to know at that level.

    ``1 / sqrt(1 / sigma^2 + 1 / s^2)``, the smaller of the noise and the spread of the data: the
    error counts in the score at small noise and in the image at large noise.
    """
    count = 4096
    clean, level, noise = batch(count, torch.full((count,), sigma), seed=3)
    x = clean + sigma * noise
    wrong = (prior.denoise(x, level) - DATA.denoise(x, level)).square().mean().sqrt()
    return float(wrong) * (1 / sigma**2 + 1 / SPREAD**2) ** 0.5


def generate(denoise: Callable[[Tensor, float], Tensor]) -> Tensor:
    """Points from pure noise by the probability flow, (n, 2), Euler's steps."""
    sigmas = levels.karras(60, HIGHEST, LOWEST)
    x = HIGHEST * SampleRNG([(0,)]).normal_like(torch.empty(1, SHOWN, 2, 1, 1))[0]
    for sigma, lower in pairwise(sigmas):
        denoised = denoise(x, sigma)
        x = denoised + lower / sigma * (x - denoised)
    return x.flatten(1)


def draw_curves(axes: Axes, title: str, curves: dict[str, list[float]], ylabel: str) -> None:
    for name, values in curves.items():
        style = {"ls": (0, (1, 2)), "lw": 1.6, "zorder": 3} if name == "v" else {"lw": 2.4}
        axes.loglog(GRID, values, color=COLOURS[name], label=LABELS[name], **style)
    for level, name in ((WIDTH, "one mode"), (SPREAD, "all data")):
        axes.axvline(level, color="#cccccc", lw=0.8, zorder=0)
        place = axes.get_xaxis_transform()
        axes.text(level, 1.0, name, transform=place, ha="center", fontsize=8, color="#888888")
    axes.set_title(title, loc="left", fontsize=11, pad=16)
    axes.set_xlabel(r"noise level $\sigma$")
    axes.set_ylabel(ylabel)
    axes.spines[["top", "right"]].set_visible(False)


def draw_points(axes: Axes, title: str, points: Tensor, colour: str) -> None:
    axes.plot(*points.T, ".", ms=2.6, color=colour, alpha=0.6, mew=0)
    axes.set_title(title, fontsize=10, color=colour)
    axes.set(xlim=(-1.8, 1.8), ylim=(-1.8, 1.8), aspect="equal", xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_color("#dddddd")


def main(figure: str, steps: int) -> None:
    names = list(COLOURS)
    begun = {name: untrained(name) for name in names}
    scales = {n: [loss_scale(p, s) for s in GRID] for n, p in begun.items()}
    noises = {n: [gradient_noise(p, s) for s in GRID] for n, p in begun.items()}
    learned = {name: learn(name, steps) for name in names}
    errors = {n: [error(p, s) for s in GRID] for n, p in learned.items()}

    chosen = (0, len(GRID) // 2, -1)
    print("error of D at sigma", *(f"{GRID[k]:>9.2g}" for k in chosen))
    for name in names:
        print(f"{LABELS[name]:19s}", *(f"{errors[name][k]:>9.3f}" for k in chosen))

    canvas = Figure(figsize=(12.5, 6.4), layout="constrained")
    above, below = canvas.subfigures(2, 1, height_ratios=(1.5, 1))
    panels = above.subplots(1, 3)
    draw_curves(panels[0], "loss before training", scales, "mean square of the target")
    draw_curves(panels[1], "noise of its gradient", noises, "standard deviation, one example")
    draw_curves(panels[2], "error after training", errors, "relative rms error of $D$")
    for axes, values in zip(panels, (scales, noises), strict=False):
        place = {"xytext": (0, -14), "textcoords": "offset points"}
        axes.annotate("all others", (LOWEST, values["edm"][0]), color="#666666", **place)
    panels[0].legend(
        title="the network predicts",
        alignment="left",
        framealpha=1,
        edgecolor="w",
        bbox_to_anchor=(1, 0.97),
    )
    below.suptitle("drawn by the probability flow of", x=0.005, ha="left", fontsize=11)
    clouds = below.subplots(1, 6)
    for axes, name in zip(clouds, names, strict=False):
        draw_points(axes, LABELS[name], generate(learned[name].denoise), COLOURS[name])
    draw_points(clouds[-1], "exact denoiser", generate(DATA.denoise), "#888888")
    with atomic_file(Path(figure)) as partial:
        canvas.savefig(partial, format="png", dpi=150)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figure", nargs="?", default="parametrisations.png")
    parser.add_argument("steps", nargs="?", type=int, default=2000)
    given = parser.parse_args()
    main(given.figure, given.steps)
