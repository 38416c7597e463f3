"""MRI with several coils: a scan that is simulated, and one from a file of k-space."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from invscore.operators import MRI, CoilMaps
from invscore.operators.coils import (
    birdcage_maps,
    estimate_maps,
    noise_covariance,
    real_maps,
    whitening,
)
from invscore.operators.files import as_mask_of_volume, read_mask
from invscore.operators.fourier import radii
from invscore.readers import pick, read

if TYPE_CHECKING:
    from invscore.operators import LinearOperator

Shape = tuple[int, ...]

NAME = "multicoil-mri"

CORNERS = 0.05
"""Share of the measured entries, those of the highest frequencies, from which the noise is
estimated."""

FEWEST_SAMPLES = 4
"""Least number of samples of a noise scan for each coil, for a covariance."""

MEDIAN = 0.6744897501960817
"""Median of the magnitude of a standard normal number."""


def simulated_coils(
    mask: Tensor, in_shape: Shape, coils: int, maps: str | None, real: bool, dimensions: int = 2
) -> LinearOperator:
    """MRI of images ``in_shape``, (1, h, w), with the ``maps`` of a file or smooth ones.

    Of volumes (1, d, h, w) with three ``dimensions``.
    """
    if in_shape[0] != 1:
        raise ValueError(f"the image must have one channel for {NAME}, got {in_shape[0]}")
    if maps is None:
        found = birdcage_maps(coils, *in_shape[1:])
    else:
        found = maps_of_file(maps, (None, *in_shape[1:]))
    shape = (len(found), *in_shape[1:])
    depth = in_shape[1] if len(in_shape) == 4 else None
    return MRI(mask, shape, dimensions=dimensions) @ CoilMaps(found, real, depth)


def read_covariance(file: str, coils: int) -> Tensor:
    """The covariance of coils' noise in a file, (coils, coils) complex128.

    A covariance of that shape, a scan without signal, (coils, n) or (coils, ...), or an ISMRMRD
    file whose acquisitions have one. Raises ``ValueError`` for anything else.
    """
    name = f"the noise covariance {file!r}"
    recording = read(file, names=("covariance", "noise", "noise_scan"))
    header = recording.header if isinstance(recording.header, dict) else {}
    scan = header.get("noise")
    values = np.asarray(recording.values if scan is None else scan)
    values = values.squeeze() if values.ndim > 2 else values
    if values.ndim < 2 or len(values) != coils or values.dtype.kind not in "fc":
        raise ValueError(
            f"{name} must be of {coils} coils, ({coils}, {coils}) or a scan ({coils}, n), got "
            f"{values.dtype} of shape {values.shape}"
        )
    if not np.isfinite(values).all():
        raise ValueError(f"{name} must be finite, got NaN or infinite values")
    found = torch.from_numpy(values.astype(np.complex128)).flatten(1)
    if found.shape[1] == coils:
        return found
    if found.shape[1] < FEWEST_SAMPLES * coils:
        raise ValueError(
            f"{name} must have {FEWEST_SAMPLES * coils} samples of each coil or more, got "
            f"{found.shape[1]}"
        )
    return noise_covariance(found)


def measured_coils(
    kspace: Tensor, options: dict[str, Any], name: str, *, moving: bool = False
) -> tuple[LinearOperator, tuple[str, ...]]:
    """The operator of ``kspace``, (coils, h, w), and sentences on what was assumed.

    Of volumes, (coils, d, h, w), slice by slice, or with the option ``dimensions=3`` of their
    k-space of three. ``moving``: slices are frames of one scene, whose
    sensitivity maps are the same, estimated from what all of them together measure.

    Its mask is that of the option ``mask``, or what is not exactly zero (nor NaN) in all coils;
    its sensitivity maps those of the option ``maps``, or estimated from the centre of k-space by
    ESPIRiT; ``kspace`` is ``whitened`` already. Raises ``ValueError`` where neither can be had.
    """
    if not kspace.is_complex():
        raise ValueError(f"{name} must be complex k-space (coils, h, w), got real ones")
    if bool(kspace.isinf().any()):
        raise ValueError(f"{name} must be finite, got infinite k-space")
    shape, assumed = tuple(kspace.shape), []
    real = bool(options.get("real", True))
    if options.get("coils") not in (None, shape[0]):
        raise ValueError(f"{name} must have {options['coils']} coils, got {shape[0]}")
    image, dimensions = (1, *shape[1:]), int(options.get("dimensions", 2))
    if options.get("mask") is not None:
        mask = read_mask(options["mask"], invert=bool(options.get("invert")), image=image)
        mask = as_mask_of_volume(mask, image) if dimensions == 3 else mask
    else:
        mask = ((kspace != 0) & ~kspace.isnan()).any(dim=0)
        if not bool(mask.any()):
            raise ValueError(f"{name} is zero everywhere: it measures nothing")
        share = 1 - float(mask.double().mean())
        assumed.append(f"mask: {share:.0%} of k-space is exactly 0 and counts as not measured")
    transform = MRI(mask, shape, dimensions=dimensions)
    whole = transform.measured[0]
    assumed += whitened_by(options)
    if options.get("maps") is not None:
        maps = maps_of_file(options["maps"], shape)
        maps = whitened(maps, options)
    else:
        seen, stack = torch.where(whole, kspace, 0), len(shape) == 4 and dimensions == 2
        maps = _estimated(seen, whole, stack=stack, moving=moving, real=real)
        maps = in_units(maps, options)
        assumed.append(f"maps: of {len(maps)} coils, estimated from the centre by ESPIRiT")
    depth = shape[1] if len(shape) == 4 else None
    coils = CoilMaps(maps, real, depth)
    return transform @ coils, tuple(assumed)


def _estimated(
    kspace: Tensor, whole: Tensor, *, real: bool, stack: bool = False, moving: bool = False
) -> Tensor:
    """Maps of coils, of each slice of a stack or, if it is ``moving``, of all frames together.

    Those of ``real`` images have their phase.
    """
    if stack and not moving:
        slices = zip(kspace.unbind(1), whole, strict=True)
        return torch.stack([_estimated(each, mask, real=real) for each, mask in slices], dim=1)
    if stack:
        times = whole.sum(dim=0)
        kspace, whole = kspace.sum(dim=1) / times.clamp_min(1), times > 0
    maps = estimate_maps(kspace, whole)
    return real_maps(maps, kspace) if real else maps


def whitened(kspace: Tensor, options: Mapping[str, Any]) -> Tensor:
    """``kspace``, (coils, ...), with independent noise of level 1 where its covariance is given."""
    file = options.get("noise_covariance")
    if file is None:
        return kspace
    return torch.tensordot(_whitening(file, len(kspace)).to(kspace.dtype), kspace, 1)


def _whitening(file: str, coils: int) -> Tensor:
    try:
        return whitening(read_covariance(file, coils))
    except ValueError as error:
        if "`covariance`" not in str(error):
            raise
        raise ValueError(
            f"the noise covariance {file!r} must be Hermitian and positive definite: no coil's "
            "noise may be 0, or a sum of others'"
        ) from None


def in_units(maps: Tensor, options: Mapping[str, Any]) -> Tensor:
    """``maps``, (coils, ...), estimated of ``whitened`` coils, for images in units of the scan.

    Squares of the maps of coils as they are sum to one then, not those of the whitened.
    """
    file = options.get("noise_covariance")
    if file is None:
        return maps
    mixing = _whitening(file, len(maps))
    given = torch.tensordot(torch.linalg.inv(mixing).to(maps.dtype), maps, 1)
    return maps / given.abs().square().sum(dim=0).sqrt()


def whitened_by(options: Mapping[str, Any]) -> list[str]:
    """A sentence on the file that whitens coils, if one does."""
    file = options.get("noise_covariance")
    return [] if file is None else [f"noise: coils whitened by {file!r}"]


def corner_noise(kspace: Tensor, measured: Tensor, dimensions: int = 2) -> float:
    """The standard deviation of the real and imaginary parts of noise in k-space (coils, h, w).

    Its frequencies are along the last ``dimensions``.

    By the median magnitude where k-space is measured at the highest frequencies, which images
    leave nearly nothing of: what they do leave makes it too large rather than too small.
    """
    radius = radii(tuple(kspace.shape[-dimensions:])).expand(kspace.shape)[measured.cpu()]
    farthest = torch.topk(radius, max(1, round(CORNERS * len(radius)))).indices
    parts = torch.view_as_real(kspace.cpu()[measured.cpu()][farthest])
    return float(parts.abs().median()) / MEDIAN


def maps_of_file(file: str, shape: tuple[int | None, ...]) -> Tensor:
    """Complex sensitivities that fit ``shape``: (coils, h, w), also of all slices of a volume."""
    name = f"the maps {file!r}"
    picked = pick(read(file, names=("maps", "sens_maps", "s_maps")), name)
    values = np.asarray(picked.values)
    if picked.axes.endswith("chw"):  # slices, where there are any, come after the coils
        values = np.moveaxis(values, -3, 0)
    while values.ndim > len(shape) and 1 in values.shape:
        values = values.squeeze(values.shape.index(1))
    fitting = [shape] if len(shape) == 3 else [shape, (shape[0], *shape[-2:])]
    fits = any(
        values.ndim == len(fit)
        and all(n in (None, m) for n, m in zip(fit, values.shape, strict=True))
        for fit in fitting
    )
    if not fits or values.dtype.kind != "c":
        wanted = (", ".join("coils" if n is None else str(n) for n in fit) for fit in fitting)
        raise ValueError(
            f"{name} must be complex, of shape ({') or ('.join(wanted)}), got {values.dtype} of "
            f"shape {values.shape}"
        )
    if not math.isfinite(float(np.abs(values).sum())):
        raise ValueError(f"{name} must be finite, got NaN or infinite values")
    if not values.any():
        raise ValueError(f"{name} must tell what coils see, got zero everywhere")
    return torch.from_numpy(np.ascontiguousarray(values.astype(np.complex64)))
