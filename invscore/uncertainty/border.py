"""Whether a blurred measurement contradicts what is assumed about the image beyond its border.

A blur that takes the image to be periodic, or mirrored at its border, explains a camera's picture
everywhere but within a kernel's reach of the border, where the scene went on. Residuals are then
larger there than inside; those of the right assumption are alike, up to chance.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.operators import Blur, CameraBlur

EXCESS = 1.3
"""Largest ratio of the mean squares of the residual along the border and inside without a
warning."""

DEVIATIONS = 6.0
"""Standard deviations of that ratio for white residuals, up to which there is no warning."""

ASSUMED = {"circular": "periodic", "reflect": "mirrored"}


@torch.no_grad()
def border_warnings(problem: InverseProblem, found: Iterable[Tensor]) -> tuple[str, ...]:
    """A sentence where the residuals of samples, (b, \\*out_shape), are larger along the border.

    ``found``: in units of the noise (``residuals``). Of blurs that assume something of what lies
    beyond it.
    """
    operator = problem.operator
    blur = operator.blur if isinstance(operator, CameraBlur) else operator
    if not isinstance(blur, Blur) or blur.boundary not in ASSUMED:
        return ()
    height, width = operator.out_shape[-2:]
    rows, columns = (max(1, size // 2) for size in blur.kernel_shape)
    if height <= 2 * rows or width <= 2 * columns:  # nothing is inside
        return ()
    energy = torch.stack([each**2 for each in found]).mean(dim=0)
    inside = energy[..., rows : height - rows, columns : width - columns]
    within, beyond = inside[0].numel(), energy[0].numel() - inside[0].numel()
    inner = inside.flatten(1).sum(dim=1)
    border, inner = (energy.flatten(1).sum(dim=1) - inner) / beyond, inner / within
    chance = DEVIATIONS * (2 / beyond + 2 / within) ** 0.5
    larger = border > max(EXCESS, 1 + chance) * inner
    if not bool(larger.any()):
        return ()
    worst = int((border / inner).argmax())
    outer, middle = float(border[worst]) ** 0.5, float(inner[worst]) ** 0.5
    return (
        f"the residual y - A x is {outer:.2f} times the declared noise within "
        f"{max(rows, columns)} pixels of the border and {middle:.2f} times "
        f"inside: the scene is not {ASSUMED[blur.boundary]} beyond the border as "
        f"boundary={blur.boundary} says; boundary=valid assumes nothing",
    )
