"""Preconditioning of Karras et al. 2022: EDM, VP, VE, improved DDPM."""

from __future__ import annotations

import math
from typing import Any

import torch

from invscore.priors.foreign.schedules import whole_steps

F64 = torch.float64

EDM_LEVELS = {"sigma_min": 0.002 / 2, "sigma_max": 80.0 / 2}  # Karras et al. 2022, Table 1
NETWORKS = {"SongUNet": "song-unet", "DhariwalUNet": "dhariwal-unet"}


def vp_schedule(beta_min: float, beta_max: float, start: float = 1e-5) -> dict[str, Any]:
    """Options of ``Diffusion`` for ``abar = exp(-beta_min t - (beta_max - beta_min) t^2 / 2)``,
    0 < t <= 1, whose networks are told 999 t (Song et al. 2021, Eq. 33).

    The table is so fine in ln s that what lies between is as good as exact.
    """
    slope = beta_max - beta_min
    ends = torch.tensor([start, 1.0], dtype=F64)
    low, high = torch.expm1(slope / 2 * ends**2 + beta_min * ends).sqrt().log().tolist()
    variance = (2 * torch.linspace(low, high, 2048, dtype=F64)).exp()
    times = ((beta_min**2 + 2 * slope * torch.log1p(variance)).sqrt() - beta_min) / slope
    return {"alphas_cumprod": (1 / (1 + variance)).tolist(), "times": (999 * times).tolist()}


def iddpm_schedule(c_1: float, c_2: float, steps: int) -> dict[str, Any]:
    """Options of ``Diffusion`` for the discrete levels of improved DDPM (Karras et al. 2022,
    Appendix C.3)."""
    place = torch.arange(steps + 1, dtype=F64)
    bar = (math.pi / 2 * place / steps / (c_2 + 1)).sin() ** 2
    levels = torch.zeros(steps + 1, dtype=F64)
    for j in range(steps, 0, -1):
        ratio = (bar[j - 1] / bar[j]).clamp(min=c_1)
        levels[j - 1] = ((levels[j] ** 2 + 1) / ratio - 1).sqrt()
    rising = levels[:-1].flip(0)
    return {"alphas_cumprod": (1 / (1 + rising**2)).tolist()}


def precondition(
    kind: str, network: dict[str, Any], options: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Network, diffusion and prior of a recipe, of a ``network`` with the ``options`` that the
    preconditioning ``kind`` ("edm", "vp", "ve" or "iddpm") was made with."""
    given = options.get
    if kind == "edm":
        told = {"predicts": "edm", "sigma_data": float(given("sigma_data", 0.5))}
        return network, told, {"range": (-1.0, 1.0), **EDM_LEVELS}
    if kind == "vp":
        low = float(given("beta_min", 0.1))
        schedule = vp_schedule(
            low, low + float(given("beta_d", 19.9)), float(given("epsilon_t", 1e-5))
        )
        if given("M", 1000) != 1000:
            scale = (given("M", 1000) - 1) / 999
            schedule["times"] = [scale * time for time in schedule["times"]]
        return network, {"predicts": "epsilon", **schedule}, {"range": (-1.0, 1.0)}
    if kind == "iddpm":
        steps = whole_steps(given("M", 1000))
        schedule = iddpm_schedule(float(given("C_1", 0.001)), float(given("C_2", 0.008)), steps)
        return network, {"predicts": "epsilon", **schedule}, {"range": (-1.0, 1.0)}
    if network["name"] != "song-unet":
        raise ValueError("the network of a VE checkpoint must be a SongUNet")
    levels = {
        "sigma_min": float(given("sigma_min", 0.02)) / 2,
        "sigma_max": float(given("sigma_max", 100)) / 2,
    }
    told = {"predicts": "score", "time": "sigma"}
    return {**network, "name": "score-unet"}, told, {"range": (0.0, 1.0), **levels}
