"""Facts on the operator from the file of a measurement: holes, angles, the noise of coils."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from invscore.images import MEASUREMENT_KEYS, transparent
from invscore.operators import LinearOperator, Operator
from invscore.operators.real_images import is_of_real_images
from invscore.readers import Part, read
from invscore.tasks import multicoil, noncartesian
from invscore.tasks.specs import Spec

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif")
"""Suffixes of pictures, whose numbers are made for screens."""


def knows_its_mask(spec: Spec) -> bool:
    """Whether an operator of a mask has been told which: a file, or the seed of a simulation."""
    return spec.options.get("mask") is not None or "seed" in spec.options


def with_its_holes(spec: Spec, measurement: str) -> tuple[Spec, tuple[str, ...]]:
    """``spec`` with the transparent pixels of the file for its mask, and a sentence about them."""
    if spec.options.get("mask") is not None or not transparent(measurement):
        return spec, ()
    if not spec.is_plugin and spec.name == "inpaint" and not knows_its_mask(spec):
        masked = replace(spec, options={**spec.options, "mask": measurement})
        return masked, (f"mask: what is transparent in {measurement!r} counts as missing",)
    return spec, (f"transparent pixels of {measurement!r} count as measured, and as white",)


def share_measured(spec: Spec, operator: Operator) -> tuple[str, ...]:
    """Share of a picture or of k-space that a mask in a file measures."""
    if spec.is_plugin or not isinstance(spec.options.get("mask"), str):
        return ()
    if not isinstance(operator, LinearOperator) or operator.measured is None:
        return ()
    share = float(operator.measured.float().mean())
    other = "" if spec.options.get("invert") else "; invert=true for the other part"
    return (f"mask: {share:.1%} of the numbers are measured{other}",)


def of_real_images(operator: Operator) -> tuple[str, ...]:
    """A sentence on an operator of complex images of which real ones alone are sought."""
    if not is_of_real_images(operator):
        return ()
    return ("images: real, as those of the prior, of an operator that takes complex ones",)


def require_cartesian(spec: Spec, measurement: str, key: str | None) -> None:
    """Raise ``ValueError`` for samples along a trajectory where the operator knows a grid alone."""
    on_a_grid = not spec.is_plugin and spec.name in ("mri", multicoil.NAME)
    if on_a_grid and _in_header("trajectory", measurement, key) is not None:
        raise ValueError(
            f"{measurement!r} must be k-space on a grid for operator {spec.name!r}, got samples "
            f"along a trajectory, which {noncartesian.NAME!r} takes"
        )


def with_its_dimensions(spec: Spec, measurement: str, part: Part) -> tuple[Spec, tuple[str, ...]]:
    """``spec`` of MRI in three dimensions where the k-space of the file has three, and a sentence.

    Raises ``ValueError`` where its partitions would be taken for slices.
    """
    if _asks(spec, ("mri", multicoil.NAME)) and spec.options.get("dimensions") == 3:
        if part.get("volume") is None:
            raise ValueError(
                f"`dimensions` must be 2 for {measurement!r}, of which no axis is said to be that "
                "of a volume, got 3: give --volume z"
            )
        return spec, ()
    if not _asks(spec, ("mri", multicoil.NAME), "dimensions") or part.get("axes") is not None:
        return spec, ()
    if _in_header("dimensions", measurement, part.get("key")) != 3:
        return spec, ()
    if part.get("volume") != "z":
        raise ValueError(
            f"{measurement!r} holds k-space of three dimensions, its partitions along z: give "
            f"--volume z, or '{spec.name}(dimensions=2)' if they are slices, each with a k-space "
            "of its own"
        )
    told = f"dimensions: 3, as z of {measurement!r} counts as phase encodings, not as slices"
    return replace(spec, options={**spec.options, "dimensions": 3}), (told,)


def with_its_angles(spec: Spec, measurement: str, key: str | None) -> tuple[Spec, tuple[str, ...]]:
    """``spec`` with the angles that the file of a sinogram has, and a sentence about them."""
    if not _asks(spec, ("ct",), "angles", "span"):
        return spec, ()
    theta = _in_header("theta", measurement, key)
    if theta is None:
        return spec, ()
    angles = tuple(float(angle) for angle in theta)
    told = f"angles: {len(angles)}, the theta of {measurement!r}"
    return replace(spec, options={**spec.options, "angles": angles}), (told,)


def with_its_pattern(spec: Spec, measurement: str, key: str | None) -> tuple[Spec, tuple[str, ...]]:
    """``spec`` with the colour filters that a raw file has, and a sentence about them."""
    if not _asks(spec, ("mosaic",), "pattern", "filters"):
        return spec, ()
    rows = _in_header("pattern", measurement, key)
    if rows is None:
        raise ValueError(
            f"operator 'mosaic' needs a pattern, which {measurement!r} does not tell: for example "
            "'mosaic(pattern=RGGB)'"
        )
    pattern = "".join(letter for row in rows for letter in row)
    told = f"pattern: {pattern}, the colour filters of {measurement!r}"
    return replace(spec, options={**spec.options, "pattern": pattern}), (told,)


def linear_in_the_light(spec: Spec, measurement: str) -> tuple[str, ...]:
    """A sentence on a picture that is taken for what a sensor behind filters has counted."""
    raw = not spec.is_plugin and spec.name in ("mosaic", "cassi")
    if not raw or Path(measurement).suffix.lower() not in PICTURES:
        return ()
    return (
        f"light: the numbers of {measurement!r} count as linear in the light, as those of a sensor "
        "are and those of a picture (sRGB) are not",
    )


def with_its_noise(spec: Spec, measurement: str, key: str | None) -> Spec:
    """``spec`` of several coils with the scan of noise that the file of k-space holds, if any."""
    if not _asks(spec, (multicoil.NAME, noncartesian.NAME), "noise_covariance"):
        return spec
    if _in_header("noise", measurement, key) is None:
        return spec
    return replace(spec, options={**spec.options, "noise_covariance": measurement})


def _asks(spec: Spec, names: tuple[str, ...], *options: str) -> bool:
    """Whether ``spec`` is of one of these operators, and leaves all of the ``options`` open."""
    return not spec.is_plugin and spec.name in names and not set(options) & set(spec.options)


def _in_header(entry: str, measurement: str, key: str | None) -> Any:
    """Entry ``entry`` of the header of a file, None where it has none."""
    header = read(measurement, key, MEASUREMENT_KEYS).header
    return header.get(entry) if isinstance(header, dict) else None
