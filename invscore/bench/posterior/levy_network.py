"""A learned denoiser of Levy processes, beside the exact one: methods' errors and a network's."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from invscore.bench.posterior.levy_prior import LevyPrior
from invscore.files.checkpoint import load_checkpoint, save_checkpoint
from invscore.priors.network import NetworkPrior
from invscore.training.objectives import denoising_score_matching

RECIPE = {"channels": 32, "blocks": 6, "batch": 64, "updates": 3000, "rate": 2e-3, "seed": 0}
LOWEST, HIGHEST = 0.005, 40.0
"""Range of the noise levels in training, in standard deviations of a pixel."""


class SignalNetwork(nn.Module):
    """Residual blocks of dilated convolutions along the last axis of (b, 1, 1, d).

    The place in the signal and the noise level are inputs: a signal that starts at 0 looks
    different at its end. ``forward(x, noise)``, noise (b,), as in ``NetworkPrior``.
    """

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.enter = nn.Conv1d(3, channels, 3, padding=1)
        self.levels = nn.Sequential(nn.Linear(16, channels), nn.SiLU())
        self.blocks = nn.ModuleList(_Block(channels, 2 ** (k % 5)) for k in range(blocks))
        self.leave = nn.Conv1d(channels, 1, 3, padding=1)

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        signal = x[:, 0]
        place = torch.linspace(-1, 1, signal.shape[-1], device=x.device).expand_as(signal)
        steps = nn.functional.pad(signal.diff(dim=-1), (1, 0))
        angles = noise[:, None] * 2.0 ** torch.arange(-2, 6, device=x.device)
        level = self.levels(torch.cat([angles.sin(), angles.cos()], dim=1))
        h = self.enter(torch.cat([signal, place, steps], dim=1))
        for block in self.blocks:
            h = block(h, level)
        prediction: Tensor = self.leave(h)
        return prediction[:, None]


class _Block(nn.Module):
    """``h + conv(silu(conv(h) scaled and shifted by the level))``."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(channels, channels, 5, padding=2 * dilation, dilation=dilation)
        self.level = nn.Linear(channels, 2 * channels)
        self.second = nn.Conv1d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, h: Tensor, level: Tensor) -> Tensor:
        scale, shift = self.level(level)[:, :, None].chunk(2, dim=1)
        return h + self.second(nn.functional.silu(self.first(h) * (1 + scale) + shift))


def learned_prior(exact: LevyPrior, name: str, folder: Path | None = None) -> NetworkPrior:
    """The network for the process ``exact``, called ``name``: from ``folder``, or trained now.

    Training takes minutes; ``folder`` is by default in the user's cache. Its file is named by a
    digest of all that shapes the network.
    """
    prior = _untrained(exact)
    recipe = json.dumps([name, exact.dim, RECIPE, LOWEST, HIGHEST], sort_keys=True)
    digest = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    path = (folder or _cache()) / f"levy-{name}-{digest}.safetensors"
    if path.exists():
        prior.network.load_state_dict(load_checkpoint(path)[0])
    else:
        train(prior, exact, int(RECIPE["updates"]))
        save_checkpoint(path, prior.network.state_dict(), {"recipe": recipe})
    return prior.eval().requires_grad_(False)


def train(
    prior: NetworkPrior,
    exact: LevyPrior,
    updates: int,
    on_loss: Callable[[float], None] = lambda loss: None,
) -> None:
    """Denoising score matching on fresh signals, levels uniform in ln(sigma), Adam with a cosine.

    ``on_loss`` is told of the loss at each update.
    """
    batch, random = int(RECIPE["batch"]), np.random.default_rng(int(RECIPE["seed"]))
    optimiser = torch.optim.Adam(prior.network.parameters(), lr=RECIPE["rate"])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, updates)
    for _ in range(updates):
        clean = exact.law.sample((batch, exact.dim), random).cumsum(dim=1)
        clean = clean.float().reshape(batch, 1, 1, exact.dim)
        span = math.log(prior.sigma_max / prior.sigma_min)
        sigma = prior.sigma_min * torch.from_numpy(np.exp(span * random.random(batch))).float()
        noise = torch.from_numpy(random.standard_normal(clean.shape, dtype=np.float32))
        optimiser.zero_grad()
        loss = denoising_score_matching(prior, clean, sigma, noise)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(prior.network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        on_loss(float(loss.detach()))


def _untrained(exact: LevyPrior) -> NetworkPrior:
    deviation = exact.variance**0.5
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(RECIPE["seed"]))
        network = SignalNetwork(int(RECIPE["channels"]), int(RECIPE["blocks"]))
    prior = NetworkPrior(
        network,
        channels=1,
        mean=0.0,
        sigma_data=deviation,
        sigma_min=LOWEST * deviation,
        sigma_max=HIGHEST * deviation,
    )
    prior.peak = None
    return prior


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "invscore"
