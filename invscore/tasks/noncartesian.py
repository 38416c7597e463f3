"""MRI along a trajectory: one that is simulated, and scans from files."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from invscore.operators import MRI, NonCartesianMRI, from_finufft
from invscore.operators.cg import conjugate_gradient
from invscore.operators.coils import birdcage_maps, estimate_maps, real_maps
from invscore.operators.noncartesian import (
    density_compensation,
    radial_trajectory,
    spiral_length,
    spiral_trajectory,
)
from invscore.readers import Array, Part, pick, read
from invscore.tasks.multicoil import in_units, maps_of_file, whitened, whitened_by

NAME = "noncartesian-mri"
NAMES = ("trajectory", "traj", "coord", "omega", "k")
"""Names of arrays of trajectories."""

UNITS = {"pixel": 2 * np.pi, "radian": 1.0}
"""Radians for each pixel in a unit of frequency; those of ``fov`` depend on the image."""

CALLED = {
    "pixel": "cycles a pixel",
    "radian": "radians a pixel",
    "fov": "cycles in the field of view",
}

ITERATIONS = 10
"""Iterations of conjugate gradients on images of coils, after which the centre of k-space has
converged."""

SLACK = 1.02
"""Factor by which a trajectory may exceed the highest frequency of its units."""


def simulated(
    in_shape: tuple[int, ...],
    trajectory: str,
    spokes: int,
    units: str,
    coils: int,
    maps: str | None,
    real: bool,
) -> NonCartesianMRI:
    """The operator of images ``in_shape``, (1, h, w)."""
    if in_shape[0] != 1:
        raise ValueError(f"the image must have one channel for {NAME}, got {in_shape[0]}")
    height, width = in_shape[1:]
    longer = max(height, width)
    if trajectory == "radial":
        omega = radial_trajectory(spokes, 2 * longer)
    elif trajectory == "spiral":
        turns = longer / (2 * spokes)  # arms are a cycle of the field of view apart
        # ... and samples along them half of one, as along spokes
        omega = spiral_trajectory(spokes, math.ceil(spiral_length(turns) * longer / math.pi), turns)
    else:
        omega = read_trajectory(trajectory, (height, width), units)[0]
    if maps is not None:
        found = maps_of_file(maps, (None, height, width))
    elif coils > 1:
        found = birdcage_maps(coils, height, width)
    else:
        return NonCartesianMRI(omega, (height, width), real)
    return NonCartesianMRI(omega, found, real)


def measured(
    samples: Tensor, shape: tuple[int, ...], options: dict[str, Any], name: str
) -> tuple[NonCartesianMRI, Tensor, tuple[str, ...]]:
    """The operator of ``samples``, (coils, ...), these as (coils, n), and what was assumed.

    Samples are whitened where the option ``noise_covariance`` is given.

    Sensitivity maps are those of the option ``maps``, or estimated from the centre of k-space.
    Raises ``ValueError`` where there is no trajectory, or not one of as many samples.
    """
    if not samples.is_complex():
        raise ValueError(f"{name} must be complex samples of k-space, got real numbers")
    if samples.numel() and not bool(samples.any()):
        raise ValueError(f"{name} is zero everywhere: it measures nothing")
    given = options.get("trajectory")
    if given is None:
        raise ValueError(f"{name} does not tell its trajectory: give trajectory=FILE")
    image = (shape[-2], shape[-1])
    if given in ("radial", "spiral"):
        omega = simulated(
            (1, *image), given, options.get("spokes", 32), "auto", 1, None, True
        ).omega
        assumed = [f"trajectory: {given}, as a simulation has it"]
    else:
        omega, told = read_trajectory(given, image, options.get("units", "auto"))
        assumed = [told]
    count = omega.shape[1]
    if samples.numel() % count or not samples.numel():
        raise ValueError(
            f"{name} must have {count} samples of each coil, as its trajectory has, got the shape "
            f"{tuple(samples.shape)}"
        )
    y = samples.reshape(-1, count)
    if len(y) > 1 and options.get("coils") is not None and len(y) != options["coils"]:
        raise ValueError(f"{name} must have {options['coils']} coils, got {len(y)}")
    real = bool(options.get("real", True))
    y = whitened(y, options)
    assumed += whitened_by(options)
    if options.get("maps") is not None:
        maps = whitened(maps_of_file(options["maps"], (len(y), *image)), options)
    elif len(y) == 1:
        maps = whitened(torch.ones(1, *image, dtype=torch.complex64), options)
    else:
        maps = in_units(maps_of_samples(y, omega, image, real), options)
        assumed.append(f"maps: of {len(maps)} coils, estimated from the centre by ESPIRiT")
    return NonCartesianMRI(omega, maps, real), y, tuple(assumed)


def maps_of_samples(y: Tensor, omega: Tensor, image: tuple[int, ...], real: bool) -> Tensor:
    """Maps of coils, (coils, h, w), by ESPIRiT from the centre of k-space on a grid.

    Of images, one a coil, that fit samples y, (coils, n), best, weighted by their density: gridding
    alone leaves maps of a head along 24 spokes off by 7 %, the fit by 1 % or less.
    """
    density = density_compensation(omega, image).to(y.real.dtype)
    transform = from_finufft(omega, (len(y), *image))
    coils = conjugate_gradient(
        lambda x: transform.rmatvec(density * transform.matvec(x)),
        transform.rmatvec((density * y)[None]),
        iterations=ITERATIONS,
    )
    whole = torch.ones(image, dtype=torch.bool)
    kspace = MRI(whole, (len(y), *image)).matvec(coils)[0]
    maps = estimate_maps(kspace, whole)
    return real_maps(maps, kspace) if real else maps


def read_samples(file: str, part: Part) -> Tensor:
    """Samples of k-space in a file, coils on the first axis where the file tells which they are."""
    name = repr(file)
    recording = read(file, part.get("key"), ("kspace", "y", "measurement"), part.get("reader"))
    letters = part.get("axes") or recording.axes
    if part.get("index") is not None:
        recording = pick(recording, name, part.get("axes"), part.get("index"))
        letters = recording.axes
    values = np.asarray(recording.values)
    if "c" in letters and len(letters) == values.ndim:
        values = np.moveaxis(values, letters.index("c"), 0)
    if values.dtype.kind != "c":
        raise ValueError(f"{name} must be complex samples of k-space, got {values.dtype}")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} must hold finite samples, got NaN or infinite ones")
    return torch.from_numpy(np.ascontiguousarray(values.astype(np.complex64)))


def told_by(file: str, part: Part) -> tuple[str | None, tuple[int, int] | None]:
    """Whether a file of samples has its trajectory (then its name), and the size of its image."""
    header = read(file, part.get("key"), ("kspace", "y", "measurement"), part.get("reader")).header
    told = header if isinstance(header, dict) else {}
    return (file if told.get("trajectory") is not None else None), told.get("matrix")


def read_trajectory(file: str, image: tuple[int, ...], units: str = "auto") -> tuple[Tensor, str]:
    """Frequencies in radians a pixel, (2, n), and a sentence on what their units were taken for.

    (..., 2) or (2, ...), of three numbers the last being 0; the first for the rows of the image.
    BART's are cycles in the field of view; of others, what does not exceed 1/2 is taken for cycles
    a pixel, what does not exceed pi for radians a pixel. Raises ``ValueError`` for anything else.
    """
    name = f"the trajectory {file!r}"
    recording = read(file, names=NAMES)
    header = recording.header if isinstance(recording.header, dict) else {}
    values = np.asarray(header.get("trajectory", recording.values))
    if not values.size:
        raise ValueError(f"{name} must hold frequencies, got none")
    values = _two(values, name, recording.units)
    largest = float(np.abs(values).max())
    if not largest:
        raise ValueError(f"{name} must leave the centre of k-space, got frequencies of 0 alone")
    if units == "auto":
        known = {"BART": "fov", "ISMRMRD": "pixel"}.get(recording.units)
        small = (
            "pixel" if largest <= 0.5 * SLACK else "radian" if largest <= np.pi * SLACK else "fov"
        )
        units = known or small
    sizes = np.array(image[-2:], dtype=float)[:, None]
    omega = values * (2 * np.pi / sizes if units == "fov" else UNITS[units])
    if float(np.abs(omega).max()) > np.pi * SLACK * 2:
        raise ValueError(
            f"{name} must lie within pi radians a pixel, got {np.abs(omega).max():.3g} with "
            f"units={units}"
        )
    called = {
        "pixel": "cycles a pixel",
        "radian": "radians a pixel",
        "fov": "cycles a field of view",
    }
    told = f"trajectory: {omega.shape[1]} samples up to {largest:.3g} {called[units]}"
    return torch.from_numpy(np.ascontiguousarray(omega)), told


def _two(values: Array, name: str, origin: str) -> Array:
    """The two frequencies of each sample, (2, n) float64."""
    if values.dtype.kind not in "uifc" or bool((values.imag != 0).any()):
        raise ValueError(f"{name} must be real frequencies, got {values.dtype}")
    found = values.real.astype(float)
    last = found.ndim > 1 and found.shape[-1] in (2, 3) and origin != "BART"
    if last:
        found = np.moveaxis(found, -1, 0)
    if found.ndim < 2 or len(found) not in (2, 3) or not np.isfinite(found).all():
        raise ValueError(
            f"{name} must be finite frequencies of shape (n, 2) or (2, n), got {values.dtype} of "
            f"shape {values.shape}"
        )
    flat = found.reshape(len(found), -1)
    if len(flat) == 3 and np.abs(flat[2]).max() > 1e-6 * np.abs(flat).max():
        raise ValueError(f"{name} must be two-dimensional, got frequencies along a third axis")
    return flat[:2]


def outer_noise(y: Tensor, omega: Tensor) -> float:
    """The standard deviation of real and imaginary parts of noise in samples (coils, n).

    As ``multicoil.corner_noise``, by the samples of the highest frequencies.
    """
    from invscore.tasks.multicoil import CORNERS, MEDIAN

    radius = torch.hypot(omega[0], omega[1])
    farthest = torch.topk(radius, max(1, round(CORNERS * len(radius)))).indices
    return float(torch.view_as_real(y.cpu()[:, farthest.cpu()]).abs().median()) / MEDIAN
