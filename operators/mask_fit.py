"""Whether a mask is that of a measurement which came without its gaps."""

from __future__ import annotations

import torch
from torch import Tensor

FEWEST = 16
"""Fewest numbers, measured and not, that tell anything."""

SHARE = 0.2
"""Least share of the measured lines that are empty, and of the full ones that count as not
measured, from which on a mask is another scan's: zeros at the border of k-space are fewer."""


def mask_doubts(y: Tensor, mask: Tensor) -> tuple[str, ...]:
    """Sentences on a ``mask``, broadcast to ``y``, (b, \\*out_shape), that contradicts it.

    What lies outside a mask may be anything, and tells where the gaps of a measurement are: one of
    a single shade where it was measured, and of many elsewhere, has its mask inverted; lines of
    k-space that are exactly 0 were not measured.

    >>> import torch
    >>> from invscore.operators.mask_fit import mask_doubts
    >>> y = torch.tensor([[[[1.0, 0.0], [0.0, 0.7]]]]).repeat(1, 1, 8, 8)
    >>> mask_doubts(y, y[0] != 0), len(mask_doubts(y, y[0] == 0))
    ((), 1)
    """
    whole = mask.to(y.device).expand(y.shape)
    if y.ndim > 2 and y.is_complex():
        return _empty_lines(y, whole)
    inside, outside = y[whole], y[~whole]
    outside = outside[outside.isfinite()]
    if min(len(inside), len(outside)) < FEWEST or not bool((inside == inside[0]).all()):
        return ()
    if bool((outside == outside[0]).all()):
        return ()
    return (
        f"all {len(inside)} numbers that the mask calls measured are exactly "
        f"{inside[0].item():.3g}, and those that it does not are not: the mask is inverted (in "
        "files, invert=true)",
    )


def _empty_lines(y: Tensor, mask: Tensor) -> tuple[str, ...]:
    """Of k-space, (b, \\*coils, h, w), whose lines are columns or rows."""
    for axis, name in ((y.ndim - 1, "columns"), (y.ndim - 2, "rows")):
        others = [k for k in range(y.ndim) if k != axis]
        called, full = mask.amax(dim=others), (y.abs() > 0).amax(dim=others)
        if not torch.equal(called, mask.amin(dim=others)):  # no mask of such lines
            continue
        empty, left = called & ~full, full & ~called
        if empty.sum() > SHARE * called.sum() and left.sum() > SHARE * full.sum():
            return (
                f"{int(empty.sum())} of the {int(called.sum())} {name} of k-space that the mask "
                f"calls measured are exactly 0, and {int(left.sum())} that it does not are not: "
                "the mask is inverted, not centred (fftshift) or another scan's",
            )
    return ()
