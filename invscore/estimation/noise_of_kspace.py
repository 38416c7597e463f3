"""The noise level of k-space, from the frequencies where an image has least, and of coils.

Images have power that falls with frequency, noise does not. The measured powers ``|k|^2 / 2``
beyond ``LOW`` cycles a pixel are taken to be exponential with the mean ``c r^-a + s^2``, r the
frequency, and s is that of most likelihood (Whittle 1953). Where the power law does not hold to
the corners it finds too little, and the mean power of the ``OUTER`` of the frequencies that are
measured, the outermost, is too much by what the image has there: the geometric mean of both.

Where more is measured than an image has numbers, by several coils or along spokes, no image at all
agrees with the noise: it is what the best fit leaves, over what that leaves of noise alone.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from invscore.operators import LinearOperator
from invscore.operators.cg import conjugate_gradient
from invscore.operators.fourier import radii

LOW, OUTER = 0.2, 0.1

LEAST = 0.1
"""Least share of the outermost power that counts as noise."""

FEWEST = 256
"""Least number of measured frequencies beyond ``LOW`` for a fit."""

ITERATIONS = 40
"""Iterations of conjugate gradients on the least-squares image."""

LEFT = 0.2
"""Least share of white noise that the residual of the least-squares image keeps, for an estimate
from it."""

Array = npt.NDArray[np.float64]


def level_of_kspace(mask: Tensor, y: Tensor, dimensions: int = 2) -> float | None:
    """The standard deviation of the noise in each part of ``y``, (1, c, h, w), centred k-space.

    ``mask``, (c, h, w): what is measured; frequencies are along the last ``dimensions``. None where
    that is too little.
    """
    radius = radii(tuple(y.shape[-dimensions:])).expand(mask.shape)
    mask = mask.cpu() & (radius > LOW)
    r = radius[mask].double().numpy()
    if len(r) < FEWEST:
        return None
    power = (y[0].cpu()[mask].abs().square() / 2).double().numpy()
    outer = float(power[np.argsort(r)[-int(OUTER * len(r)) :]].mean())
    if not outer > 0:
        return None
    return (outer * outer * _share(r, power / outer)) ** 0.25


@torch.no_grad()
def level_left(operator: LinearOperator, y: Tensor) -> float | None:
    """The standard deviation of the noise in each part of ``y``, (1, \\*out_shape), by a fit.

    None where the fit leaves too little. Maps of coils that are not quite right make it too large.
    """
    generator = torch.Generator().manual_seed(0)
    parts = torch.randn(*y.shape, 2, generator=generator).to(y.device, y.real.dtype)
    white = torch.view_as_complex(parts)
    if operator.measured is not None:
        seen = operator.measured.to(y.device)
        y, white = torch.where(seen, y, 0), torch.where(seen, white, 0)
    both = torch.cat([y, white])
    fit = conjugate_gradient(
        operator.normal, operator.rmatvec(both), tolerance=1e-4, iterations=ITERATIONS
    )
    found = (both - operator.matvec(fit)).abs().square().flatten(1).sum(dim=1)
    share = found[1] / white.abs().square().sum()
    return float((found[0] / found[1]).sqrt()) if float(share) > LEFT else None


def _share(r: Array, power: Array) -> float:
    """The s^2 of most likelihood of powers, in units of the mean of the outermost."""
    from scipy.optimize import minimize  # a third of a second that others do without

    def surprise(parameters: Array) -> float:
        mean = np.exp(parameters[0]) * (r / r.max()) ** -np.exp(parameters[1])
        mean += np.exp(parameters[2])
        return float((np.log(mean) + power / mean).mean())

    starts = ((-1.0, 1.0, -1.0), (-2.0, 1.0, -0.2))
    found = [minimize(surprise, np.array(start), method="Nelder-Mead") for start in starts]
    best = min(found, key=lambda fit: float(fit.fun))
    return min(1.0, max(LEAST, math.exp(min(0.0, float(best.x[2])))))
