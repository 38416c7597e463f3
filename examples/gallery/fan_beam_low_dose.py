"""Fan-beam CT at a low dose, from counts with white and dark fields in a Data Exchange file.

90 views of a turn, 500 photons a ray of a detector with gain and read noise; the result is
attenuation in one over millimetres.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import torch
from scenes import gray

from invscore.operators import FanBeam

BASELINE = "filtered back-projection, better of ramp and Hann"
SIZE, MILLIMETRES, VIEWS, PHOTONS = 64, 0.5, 90, 500.0
COMMAND = (
    'reconstruct --op "ct(source_distance=80, detector_distance=60, pixel=0.5)" '
    "--prior photos-gray --measurement {folder}/scan.h5 --noise transmission --shape 1,64,64"
)


def fan() -> FanBeam:
    return FanBeam(
        VIEWS, (1, SIZE, SIZE), source_distance=80, detector_distance=60, pixel=MILLIMETRES
    )


def attenuation() -> np.ndarray:
    """Within a circle, in one over millimetres."""
    t = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    inside = t**2 + t[:, None] ** 2 < 0.95
    return (0.12 * inside * gray("camera", SIZE))[None].astype(np.float32)


def measure(folder: Path) -> np.ndarray:
    """``scan.h5``; the attenuation, up to 0.12 a millimetre."""
    rng = np.random.default_rng(0)
    image = attenuation()
    integrals = fan()(torch.from_numpy(image)[None])[0, 0].numpy()
    views, columns = integrals.shape
    beam = PHOTONS * np.linspace(0.8, 1.2, columns)

    def detected(photons: np.ndarray) -> np.ndarray:
        read = 100 + 2.0 * rng.poisson(photons) + 3.0 * rng.standard_normal(photons.shape)
        return read.round().clip(0).astype(np.uint16)

    with h5py.File(folder / "scan.h5", "w") as file:
        file["exchange/data"] = detected(beam * np.exp(-integrals))[:, None]
        file["exchange/data_white"] = detected(np.broadcast_to(beam, (20, 1, columns)))
        file["exchange/data_dark"] = detected(np.zeros((20, 1, columns)))
        file["exchange/theta"] = 360.0 / views * np.arange(views)
    return image


def baseline(folder: Path) -> np.ndarray:
    """Of the logarithms of counts over white fields."""
    with h5py.File(folder / "scan.h5") as file:
        data, white, dark = (
            np.asarray(file[f"exchange/{name}"], dtype=float)[:, 0]
            for name in ("data", "data_white", "data_dark")
        )
    through = (data - dark.mean(axis=0)).clip(1) / (white - dark.mean(axis=0)).mean(axis=0)
    y = torch.from_numpy(-np.log(through)).float()[None, None]
    found = [fan().fbp(y, filter)[0].numpy() for filter in ("ramp", "hann")]
    errors = [float(((image - attenuation()) ** 2).sum()) for image in found]
    return found[int(np.argmin(errors))]
