"""Numbers of a measurement that are none, as telescopes mark dead pixels: they are not measured."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.likelihood import GaussianNoise
from invscore.operators import LinearOperator, Operator
from invscore.tasks.noise_laws import NoiseOrMap

MOST = 0.2
"""Largest share of a picture that is filled from its neighbours to estimate the noise of the
rest."""


def filled(operator: Operator, y: Tensor, name: str) -> Tensor:
    """``y`` with the nearest number in place of each that is NaN or infinite, (b, \\*out_shape).

    Raises ``ValueError`` where these are all, or more than a fifth.
    """
    lost = _lost(operator, y)
    count = int(lost.sum())
    if not count:
        return y
    if count == lost.numel():
        raise _refused(name, lost)
    if count > MOST * lost.numel() or y.is_complex():
        raise ValueError(
            f"`noise` must be given for {name}, of whose {lost.numel()} numbers {count} are NaN or "
            "infinite"
        )
    from scipy.ndimage import distance_transform_edt  # a third of a second that most do without

    nearest = distance_transform_edt(
        lost.cpu().numpy(), return_distances=False, return_indices=True
    )
    return y[tuple(torch.as_tensor(index, device=y.device) for index in nearest)]


def without_lost(
    operator: Operator, y: Tensor, law: NoiseOrMap, name: str
) -> tuple[NoiseOrMap, tuple[str, ...]]:
    """The ``law`` as a map by which numbers of y (1, \\*out_shape) that are none are not measured.

    A law that is a map stays as it is: what it leaves out may be anything. Raises ``ValueError``
    for another law, a nonlinear operator, or where nothing is measured.
    """
    lost = _lost(operator, y)
    count = int(lost.sum())
    if not count or isinstance(law, Tensor):
        return law, ()
    level = law.sigma if isinstance(law, GaussianNoise) else 0.0
    served = isinstance(operator, LinearOperator) and isinstance(level, float | int) and level > 0
    if not served or count == lost.numel():
        raise _refused(name, lost)
    spread = torch.full(operator.out_shape, float(level), dtype=torch.float64)
    told = f"{count} of {lost.numel()} numbers are NaN or infinite: not measured"
    return spread.masked_fill(lost[0].cpu(), torch.inf), (told,)


def _lost(operator: Operator, y: Tensor) -> Tensor:
    lost = ~y.isfinite()
    mask = operator.measured if isinstance(operator, LinearOperator) else None
    return lost if mask is None else lost & mask.to(lost.device)


def _refused(name: str, lost: Tensor) -> ValueError:
    return ValueError(
        f"{name} must be finite, got {int(lost.sum())} of {lost.numel()} numbers that are NaN or "
        "infinite: some of them, not all, count as not measured where the operator is linear and "
        "the noise Gaussian and above 0"
    )
