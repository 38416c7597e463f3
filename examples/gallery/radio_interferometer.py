"""Visibilities of a radio interferometer, each with its weight, beside a file of its baselines.

Twelve antennas follow a source for six hours; systems differ, so that weights do.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from scenes import gray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from invscore.operators import Interferometer
from invscore.operators.cg import conjugate_gradient

BASELINE = "CLEAN or Tikhonov, best of nine settings"
COMMAND = (
    'reconstruct --op "interferometry(uv={folder}/uv.txt, pixel=1)" --prior photos-gray '
    "--measurement {folder}/visibilities.npz --key vis --shape 1,64,64 "
    '--noise "map(file={folder}/visibilities.npz, key=weight)"'
)
SIZE, PIXEL, ANTENNAS = 64, 1.0, 12
LATITUDE, DECLINATION = np.deg2rad(34.0), np.deg2rad(40.0)


def baselines() -> np.ndarray:
    """(n, 2) in wavelengths: tracks of each pair of antennas, every 12 minutes."""
    rng = np.random.default_rng(0)
    radius = 9e4 * rng.random(ANTENNAS) ** 0.7 * 0.5
    place = 2 * np.pi * rng.random(ANTENNAS)
    east, north = radius * np.cos(place), radius * np.sin(place)
    x, y, z = -np.sin(LATITUDE) * north, east, np.cos(LATITUDE) * north
    pairs = np.array(list(combinations(range(ANTENNAS), 2)))
    x, y, z = (c[pairs[:, 0]] - c[pairs[:, 1]] for c in (x, y, z))
    tracks = []
    for hour in np.deg2rad(15.0) * np.arange(-3, 3, 0.2):
        u = np.sin(hour) * x + np.cos(hour) * y
        v = -np.sin(DECLINATION) * (np.cos(hour) * x - np.sin(hour) * y) + np.cos(DECLINATION) * z
        tracks.append(np.stack([u, v], axis=1))
    return np.concatenate(tracks)


def scene() -> np.ndarray:
    """A galaxy's worth of structure on a dark sky: a picture under a smooth envelope."""
    t = np.linspace(-1, 1, SIZE)
    envelope = np.clip(1.3 - np.hypot(t, t[:, None]) * 1.5, 0, 1)
    return gray("moon", SIZE) * envelope


def instrument(folder: Path) -> Interferometer:
    uv = torch.from_numpy(np.loadtxt(folder / "uv.txt").T)
    return Interferometer(uv, (1, SIZE, SIZE), PIXEL)


def measure(folder: Path) -> np.ndarray:
    """``uv.txt`` and ``visibilities.npz``; the sky, (1, h, w)."""
    rng, sky = np.random.default_rng(0), scene()[None].astype(np.float32)
    np.savetxt(folder / "uv.txt", baselines(), header="u v, wavelengths")
    clean = instrument(folder)(torch.from_numpy(sky)[None])[0, 0].numpy()
    level = rng.choice([0.7, 1.0, 1.6], len(clean))
    noise = level * (rng.standard_normal((2, len(clean))).T @ [1, 1j])
    seen = (clean + noise).astype(np.complex64)
    np.savez(folder / "visibilities.npz", vis=seen, weight=(level**-2.0).astype(np.float32))
    return sky


def baseline(folder: Path) -> np.ndarray:
    """Components at the peaks of the dirty image, and what is left (Hogbom 1974); least squares."""
    with np.load(folder / "visibilities.npz") as file:
        y = torch.from_numpy(file["vis"])[None, None]
        weights = torch.from_numpy(file["weight"])
    model = instrument(folder)
    wide = Interferometer(model.uv, (1, 2 * SIZE, 2 * SIZE), PIXEL)
    beam = wide.rmatvec((weights / weights.sum()).to(y.dtype)[None, None])[0, 0].numpy()
    left = model.rmatvec(weights / weights.sum() * y)[0, 0].numpy()
    made, found = np.zeros_like(left), []
    for count in range(1, 10001):
        row, column = divmod(int(np.abs(left).argmax()), SIZE)
        part = 0.1 * left[row, column]
        made[row, column] += part
        left = left - part * beam[SIZE - row : 2 * SIZE - row, SIZE - column : 2 * SIZE - column]
        if count in (100, 300, 1000, 3000, 10000):
            found.append(restored(made, left, beam))
    found += [least_squares(model, weights, y, rho) for rho in (0.3, 3.0, 30.0, 300.0)]
    return min(found, key=lambda image: float(((image - scene()) ** 2).sum()))[None]


def least_squares(model: Interferometer, weights: Tensor, y: Tensor, rho: float) -> np.ndarray:
    """``(A^H W A + rho I)^-1 A^H W y``."""
    image = conjugate_gradient(
        lambda x: model.rmatvec(weights * model.matvec(x)) + rho * x,
        model.rmatvec(weights * y),
        iterations=60,
    )
    return image[0, 0].numpy()


def restored(components: np.ndarray, left: np.ndarray, beam: np.ndarray) -> np.ndarray:
    """Components seen by the middle of the beam, a Gaussian as wide, and what is left, a pixel."""
    width = max(np.sqrt(np.count_nonzero(beam > 0.5) / np.pi) / 1.177, 0.4)
    return gaussian_filter(components, width) + left / (2 * np.pi * width**2)
