"""What a measurement tells of its operator by its own numbers: masks by zeros, maps of coils.

An operator that needs none of this has no entry in the tables here, and is made as declared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from invscore.estimation.noise_of_kspace import level_left
from invscore.images import as_image
from invscore.operators import MRI, Inpainting, LinearOperator, Operator
from invscore.tasks import multicoil
from invscore.tasks.header_facts import knows_its_mask
from invscore.tasks.specs import Spec
from invscore.tasks.task import Shape

NEAR_BLACK = 2 / 255
"""Brightness, relative to the largest, up to which pixels beside exact zeros make it doubtful that
zeros mark a mask."""

FEW = 0.02
"""Largest number of such pixels, as a share of the zeros, that raises no doubt."""

Level = Callable[[Tensor], tuple[float, tuple[str, ...]]]


@dataclass(frozen=True)
class Found:
    """An operator with what was found in ``y``, which is in its layout, and sentences on it.

    ``noise``: what tells the level of the noise in batched measurements, where the operator has a
    way of its own. ``alone``: whether the operator is that of this measurement and no other.
    """

    operator: Operator
    y: Tensor
    assumed: tuple[str, ...]
    noise: Level | None = None
    alone: bool = False


Finder = Callable[[Spec, Tensor, Shape, str, bool], Found]
"""Function that finds options of an operator: of a specification, a measurement, the shape of its
image, its name, and whether it moves."""


def finder_of(spec: Spec) -> Finder | None:
    """Function that finds the operator ``spec`` in a measurement, None where that is not needed."""
    if spec.is_plugin or (spec.name in OF_A_MASK and knows_its_mask(spec)):
        return None
    return FINDERS.get(spec.name)


def with_its_size(spec: Spec, y: Tensor) -> Spec:
    """``spec`` with the options that the size of ``y`` tells, where they are not given."""
    if spec.is_plugin or spec.name not in SIZES:
        return spec
    return Spec(spec.name, {**SIZES[spec.name](y), **spec.options}, spec.file)


def fitted(y: Tensor, out_shape: Shape, name: str, axes: str = "") -> Tensor:
    """``y`` in the layout of ``out_shape``: a channel axis is added or moved to the front.

    ``axes`` says in words what those of ``out_shape`` are. Raises ``ValueError`` where none fits.
    """
    layouts = [y]
    layouts += [y[None]] if y.ndim < 3 else []
    layouts += [y.movedim(-1, 0)] if y.ndim == 3 else []
    layouts += [y[0]] if y.ndim > 1 and len(y) == 1 else []
    for layout in layouts:
        if tuple(layout.shape) == tuple(out_shape):
            return layout
    called = f", of {axes}" if axes else ""
    raise ValueError(
        f"{name} must have the operator's shape {tuple(out_shape)}{called}, got {tuple(y.shape)}"
    )


def noise_of_coils(exact: LinearOperator | None, y: Tensor, outer: float) -> tuple[float, str]:
    """The noise of k-space, at most that of its ``outer`` frequencies, and a sentence on it.

    ``exact``: the operator, if it is right to the noise, as one with estimated maps is not.
    """
    left = None if exact is None else level_left(exact, y)
    if left is None or left >= outer:
        return outer, f"noise {outer:.3g}, estimated from the highest frequencies"
    return left, f"noise {left:.3g}, what the image that fits best leaves of k-space"


def _coils(spec: Spec, y: Tensor, shape: Shape, name: str, moving: bool) -> Found:  # noqa: ARG001
    """The coils of k-space: its mask, and maps from a file or from its centre."""
    y = multicoil.whitened(torch.where(y.isnan(), 0, y), spec.options)
    operator, told = multicoil.measured_coils(y, spec.options, name, moving=moving)
    measured = operator.measured
    assert measured is not None
    given = spec.options.get("maps") is not None

    def noise(batch: Tensor) -> tuple[float, tuple[str, ...]]:
        if spec.options.get("noise_covariance") is not None:
            return 1.0, ()
        exact = operator.to(batch.device) if given else None
        outer = multicoil.corner_noise(batch[0], measured, spec.options.get("dimensions", 2))
        level, sentence = noise_of_coils(exact, batch, outer)
        return level, (sentence,)

    return Found(operator, y, told, noise, alone=not given)


def _lines(spec: Spec, y: Tensor, shape: Shape, name: str, moving: bool) -> Found:  # noqa: ARG001
    """The lines of k-space (c, h, w) that are measured: those that are not exactly zero."""
    y = fitted(y, shape, name)
    seen, told = _seen(y, name, "not measured")
    real = bool(spec.options.get("real", True))
    dimensions = spec.options.get("dimensions", 2)
    return Found(MRI(seen, tuple(y.shape), real, dimensions), y, (told,))


def _holes(spec: Spec, y: Tensor, shape: Shape, name: str, moving: bool) -> Found:  # noqa: ARG001
    """The pixels of an image (c, h, w) that are there: those that are not exactly zero."""
    y = fitted(y, shape, name)
    seen, told = _seen(y, name, "missing")
    if not bool(y.isnan().any()):
        _refuse_black(y, seen, name)
    return Found(Inpainting(seen, tuple(y.shape)), y, (told,))


def _seen(y: Tensor, name: str, lost: str) -> tuple[Tensor, str]:
    """Where ``y`` is measured, and a sentence: its holes are NaN or, without any, exact zeros."""
    if bool((unknown := y.isnan().any(dim=0)).any()):
        found = f"{int(unknown.sum())} of {unknown.numel()} entries are NaN, not measured"
        return ~unknown, f"mask: {found}"
    seen = (y != 0).any(dim=0)
    zeros = int((~seen).sum())
    if not bool(seen.any()):
        raise ValueError(f"{name} is zero everywhere: it measures nothing")
    share = f"{zeros} of {seen.numel()} entries ({zeros / seen.numel():.0%})"
    return seen, f"mask: {share} are exactly 0 and count as {lost}"


def _refuse_black(y: Tensor, seen: Tensor, name: str) -> None:
    """Raise ``ValueError`` where zeros may be black pixels of the image, or are none."""
    zeros = int((~seen).sum())
    advice = "give mask=FILE, white where measured, or seed= of the simulation"
    if not zeros:
        raise ValueError(
            f"no pixel of {name} is exactly 0, so none is known to be missing: {advice}"
        )
    brightness = y.abs().amax(dim=0)
    dark = int((seen & (brightness <= NEAR_BLACK * brightness.max())).sum())
    if dark > FEW * zeros:
        raise ValueError(
            f"{name} has {zeros} pixels that are exactly 0 and {dark} that are almost: the zeros "
            f"may be black in the image itself; {advice}"
        )


OF_A_MASK: dict[str, Finder] = {"inpaint": _holes, "mri": _lines}
"""Operators whose mask is found in the measurement where none is given."""

FINDERS: dict[str, Finder] = {**OF_A_MASK, multicoil.NAME: _coils}
"""All operators of which options are found in the measurement."""

SIZES: dict[str, Callable[[Tensor], Mapping[str, Any]]] = {
    "ct": lambda y: {"detectors": y.shape[-1]},
    "lensless": lambda y: {"sensor": as_image(y, finite=False).shape[-2:]} if y.ndim > 1 else {},
}
"""Options that are sizes of the measurement, by operator."""
