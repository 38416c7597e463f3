"""Whether samples tell how likely the explanations of a measurement are.

In many dimensions samples of one mode are all about as far from one another, so that the closest
two are hardly closer than two others. Where the posterior has several modes, two of the same are.
Distances are looked at in proportion to the spread at each place, so that a hidden region counts as
much as it is large, and where samples spread most, so that it may be small. The samples may be
joined by probes, which come from a start that no first guess reaches
(``invscore.running.probing``): a group of probes alone is an explanation that the samples miss.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor

from invscore.operators.base import Window

FEWEST, MOST = 4, 6
"""Least and largest number of samples that are compared: of more, two are close by chance."""
SIDE, STRIDE = 8, 2
"""Side of the windows over which squares are averaged, and their step, in pixels."""
SMALLEST = 16
"""Least number of rows and columns of an image: in smaller ones two samples are close by chance."""
CLOSE = 0.3
"""Squared distance, relative to the mean over all pairs, below which two samples are of a group.
Photographs under blurs, masks, decimation, Fourier sampling and noise come to 0.45 and above."""
APART = 3.0
"""Ratio of the variance of all samples to that within a group from which on groups differ at a
place."""
ROUNDING = 1e-4
"""Root mean square of what samples differ by where they differ most, relative to that of the image,
up to which it is what iterations in single precision leave, and no explanation."""
UNEVEN = 0.25
"""Effective sample size, as a share of the particles, below which it is told: where weights are
right, the steps of the posterior benchmark's problems keep 0.45 and more."""
MIDDLE = (0.1, 0.9)
"""Quantiles of rows and columns between which a region is said to lie."""


@torch.no_grad()
def mode_warnings(
    samples: Tensor, probes: Tensor | None = None, window: Window | None = None
) -> tuple[str, ...]:
    """A sentence where ``samples``, (n, b, \\*shape), and ``probes``, (m, b, \\*shape), fall into
    groups; nothing is said of fewer than four samples, of signals and small images, nor of samples
    that are the same but for rounding, as where nothing is open.

    ``window``: the part of the images that is looked at.

        >>> from invscore.uncertainty import mode_warnings
        >>> samples = 0.1 * torch.randn(6, 1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
        >>> mode_warnings(samples)
        ()
        >>> samples[:2, :, :, :8] += 1
        >>> mode_warnings(samples)[0].split(",")[0]
        '6 samples fall into 2 groups (4 + 2)'
    """
    own = samples[:MOST]
    pool = own if probes is None else torch.cat([own, probes.to(own)])
    pool = pool if window is None else pool[(..., *window)]
    if len(own) < FEWEST or pool.ndim < 4 or min(pool.shape[-2:]) < SMALLEST:
        return ()
    for image in pool.unbind(dim=1):
        found = _groups(image)
        if found is None:
            continue
        labels, far = found
        drawn = torch.bincount(labels[: len(own)], minlength=int(labels.max()) + 1).tolist()
        place = f"differ in {float(far.float().mean()):.0%} of the pixels, {_place(far)}"
        doubt = "how likely each is, these samples do not tell"
        if missed := drawn.count(0):
            return (
                f"of {len(drawn)} explanations that leave the measurement as it is, {missed} "
                f"{'is' if missed == 1 else 'are'} found from a start without a first guess alone; "
                f"they {place}: {doubt}",
            )
        sizes = " + ".join(map(str, sorted(drawn, reverse=True)))
        return (
            f"{len(own)} samples fall into {len(drawn)} groups ({sizes}), which {place}: the "
            f"measurement leaves several explanations open, and {doubt}",
        )
    return ()


def particle_warnings(sizes: Sequence[float], particles: int) -> tuple[str, ...]:
    """A sentence where few of a set of ``particles`` decided, by the effective ``sizes`` of its
    steps.

        >>> from invscore.uncertainty import particle_warnings
        >>> particle_warnings([90.0, 60.0], particles=100)
        ()
        >>> particle_warnings([90.0, 12.0], particles=100)[0].split(":")[0]
        'the effective sample size of 100 particles fell to 12'
    """
    told = [size for size in sizes if not math.isnan(size)]  # not all steps tell one
    least = min(told, default=float(particles))
    if least >= UNEVEN * particles:
        return ()
    return (
        f"the effective sample size of {particles} particles fell to {least:.2g}: how likely each "
        "explanation of the measurement is, is told by few of them; more particles tell it better",
    )


def _groups(pool: Tensor) -> tuple[Tensor, Tensor] | None:
    """The number of the group of each of (n, \\*shape), and the places, (h, w), where they differ.

    None where there is one group, or none. Groups are joined by their closest members.
    """
    n, mean = len(pool), pool.mean(dim=0)
    # One image after another: large ones are not held together.
    total = torch.stack([_averaged(one - mean) for one in pool]).sum(dim=0) / (n - 1)
    if total.max() <= ROUNDING**2 * mean.abs().square().mean():
        return None
    least = total.mean().clamp_min(torch.finfo(total.dtype).tiny) * 1e-6
    pairs = list(combinations(range(n), 2))
    relative = torch.stack([_averaged(pool[i] - pool[j]) / (total + least) for i, j in pairs])
    quarter = total >= total.flatten().kthvalue(1 + 3 * total.numel() // 4).values
    for places in (torch.ones_like(quarter), quarter):
        distances = relative[:, places].mean(dim=1)
        close = (distances < CLOSE * distances.mean()).tolist()
        if any(close):
            break
    names = list(range(n))
    for (i, j), same in zip(pairs, close, strict=True):
        if same:
            names = [names[i] if name == names[j] else name for name in names]
    different = sorted(set(names))
    if len(different) in {1, n}:
        return None
    labels = torch.tensor([different.index(name) for name in names])
    middles = [
        pool[(labels == label).to(pool.device)].mean(dim=0) for label in range(len(different))
    ]
    rest = [_averaged(one - middles[label]) for one, label in zip(pool, labels, strict=True)]
    within = torch.stack(rest).sum(dim=0) / (n - len(different))
    return labels, total > APART * within


def _averaged(away: Tensor) -> Tensor:
    """The mean square of (\\*shape) over channels and a window: (h, w), one for each window."""
    square = away.abs().square().flatten(0, -3).mean(dim=0)
    return torch.nn.functional.avg_pool2d(square[None], SIDE, stride=STRIDE)[0]


def _place(far: Tensor) -> str:
    """Position of the windows ``far``, (h, w), in words."""
    ends = []
    for axis, name in ((1, "rows"), (0, "columns")):
        share = far.float().sum(dim=axis).cumsum(0)
        first, last = (STRIDE * int((share < q * share[-1]).sum()) for q in MIDDLE)
        ends.append(f"{name} {first} to {last + SIDE - 1}")
    return "most about " + " and ".join(ends)
