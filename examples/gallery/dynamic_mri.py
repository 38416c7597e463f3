"""Six frames of a dynamic scan by four coils, each of other lines of k-space.

A sixth of the lines of each frame and the centre; maps are estimated from all of them together.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from heads import as_tensor, cg_sense, coils, fourier, head, noisy, seen_by

from invscore.tasks.multicoil import measured_coils

BASELINE = "CG-SENSE of each frame, same maps, best of five weights"
COMMAND = (
    "reconstruct --op multicoil-mri --prior brain-mri --measurement {folder}/frames.npy "
    "--axes cthw --volume t --planes hw --samples 2"
)
COILS, FRAMES, NOISE, CENTRE = 4, 6, 0.02, 12


def scene() -> np.ndarray:
    """A head in which a region brightens, as a contrast agent does: complex (t, h, w)."""
    image = head()
    y, x = np.indices(image.shape)
    region = np.exp(-(((y - 52) / 12) ** 2) - ((x - 30) / 9) ** 2)
    times = np.sin(np.pi * np.arange(FRAMES) / max(FRAMES - 1, 1))[:, None, None]
    return (image * (1 + 0.5 * times * region)).astype(np.complex64)


def truth() -> np.ndarray:
    frames = scene()
    return seen_by(coils(COILS, *frames.shape[1:]), frames)[None]


def measure(folder: Path) -> np.ndarray:
    """``frames.npy``, (coils, t, h, w); the frames, (1, t, h, w) complex."""
    frames = scene()
    width = frames.shape[2]
    kspace = noisy(fourier(coils(COILS, *frames.shape[1:])[:, None] * frames), NOISE)
    for t in range(FRAMES):
        seen = np.zeros(width, bool)
        seen[t::6] = True
        seen[width // 2 - CENTRE // 2 : width // 2 + CENTRE // 2] = True
        kspace[:, t] *= seen
    np.save(folder / "frames.npy", kspace)
    return truth()


def baseline(folder: Path) -> np.ndarray:
    """Pruessmann et al. 2001; frames share their maps alone."""
    kspace = np.load(folder / "frames.npy")
    given = torch.from_numpy(kspace)
    operator, _ = measured_coils(given, {"real": False}, "frames.npy", moving=True)
    return cg_sense(operator, as_tensor(kspace), truth())
