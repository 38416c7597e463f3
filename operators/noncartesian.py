"""Magnetic resonance imaging along radial lines, spirals and any other trajectory."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from invscore.batches import Numbers, as_tensor
from invscore.operators.adapters.nufft import FINUFFT
from invscore.operators.base import LinearOperator
from invscore.operators.coils import CoilMaps
from invscore.operators.constant import Constant
from invscore.operators.memory_check import require_room

if TYPE_CHECKING:
    from invscore.operators.base import Shape

GOLDEN = math.pi * (math.sqrt(5) - 1) / 2
"""Radians between spokes that fill the circle evenly, whatever their number: 111.2 degrees."""


WINDOW = 0.25
"""Standard deviation of the Gaussian window of an image, as a share of its sides."""

FINE = 4097
"""Number of radii between which a spiral is taken for straight."""

ITERATIONS = 15
"""Iterations of the fixed point of density compensation."""


class NonCartesianMRI(LinearOperator):
    """Samples ``y_c = F S_c x`` of k-space at frequencies ``omega``, of coils c: (coils, n).

    ``omega``, (2, n), is in radians a pixel, the first row for the rows of images (1, h, w).
    ``maps`` are the complex sensitivities, (coils, h, w), or the shape (h, w) of images seen by one
    coil that is the same everywhere. ``real`` says that images are real. F is orthonormal, as of
    ``from_finufft``, which it is by: pytorch-finufft has to be installed. Raises ``ValueError``
    for shapes that do not fit.

    >>> import pytorch_finufft
    >>> from invscore.operators import NonCartesianMRI
    >>> from invscore.operators.noncartesian import radial_trajectory
    >>> omega = radial_trajectory(spokes=5, samples=16)
    >>> NonCartesianMRI(omega, (8, 8)).out_shape
    (1, 80)
    """

    in_complex = out_complex = True

    def __init__(self, omega: Numbers, maps: Numbers | tuple[int, int], real: bool = False) -> None:
        if isinstance(maps, tuple):
            require_room(math.prod(maps), f"images of the shape {maps}")
            maps = torch.ones(1, *maps, dtype=torch.complex64)
        omega, maps = as_tensor("omega", omega), as_tensor("maps", maps)
        self._coils = CoilMaps(maps, real)
        self._transform = FINUFFT(omega, self._coils.out_shape)
        self.omega = omega
        self.in_complex = not real
        self.in_shape, self.out_shape = self._coils.in_shape, self._transform.out_shape
        self._power = Constant(maps.abs().square().sum(dim=0, keepdim=True).clamp_min(1e-12))

    def matvec(self, x: Tensor) -> Tensor:
        return self._transform.matvec(self._coils.matvec(x + 0j if not x.is_complex() else x))

    def rmatvec(self, y: Tensor) -> Tensor:
        return self._coils.rmatvec(self._transform.rmatvec(y))

    @cached_property
    def density(self) -> Tensor:
        """The area of k-space for which each sample stands, (n,): ``density_compensation``."""
        return density_compensation(self.omega, self.in_shape)

    def gridded(self, y: Tensor) -> Tensor:
        """The plain image of samples y, (b, coils, n): weighted, gridded, coils summed."""
        density = self.density
        image = self._coils.rmatvec(self._transform.rmatvec(density.to(y.device, y.dtype) * y))
        image = image / self._power.like(image).real
        seen = self.matvec(image)  # by the density, up to a factor
        weight = density.to(y.device, y.real.dtype)
        match = (weight * (seen.conj() * y).real).flatten(1).sum(dim=1)
        energy = (weight * seen.abs().square()).flatten(1).sum(dim=1)
        factor = match / energy.clamp_min(torch.finfo(energy.dtype).tiny)
        return factor.reshape(-1, 1, 1, 1) * image


def radial_trajectory(spokes: int, samples: int) -> Tensor:
    """Lines through the centre of k-space at golden angles, (2, spokes * samples) float64.

    In radians a pixel, from -pi on, (Winkelmann et al. 2007).
    """
    require_room(4 * spokes * samples, f"{spokes} `spokes` of {samples} `samples`")
    radius = 2 * math.pi * (torch.arange(samples, dtype=torch.float64) - samples // 2) / samples
    angle = GOLDEN * torch.arange(spokes, dtype=torch.float64)
    return torch.stack(
        [torch.outer(angle.cos(), radius), torch.outer(angle.sin(), radius)]
    ).flatten(1)


def spiral_trajectory(arms: int, samples: int, turns: float) -> Tensor:
    """Spirals from the centre of k-space, evenly turned, (2, arms * samples) float64.

    In radians a pixel: the radius grows evenly with the angle to pi, after so many ``turns``.
    Samples are as far apart everywhere along an arm (``spiral_length``).
    """
    require_room(4 * arms * samples, f"{arms} `arms` of {samples} `samples`")
    t = (torch.arange(samples, dtype=torch.float64) + 0.5) / samples
    radius = torch.linspace(0, 1, FINE, dtype=torch.float64)
    along = torch.tensor([spiral_length(turns, r) for r in radius.tolist()], dtype=torch.float64)
    place = t * along[-1]
    above = torch.searchsorted(along, place).clamp(1, FINE - 1)
    weight = (place - along[above - 1]) / (along[above] - along[above - 1])
    share = torch.lerp(radius[above - 1], radius[above], weight)
    angle = 2 * math.pi * (turns * share + torch.arange(arms, dtype=torch.float64)[:, None] / arms)
    return (math.pi * share * torch.stack([angle.cos(), angle.sin()])).flatten(1)


def spiral_length(turns: float, share: float = 1.0) -> float:
    """Length of an Archimedean arm up to a ``share`` of its radius, in radians a pixel."""
    a = 2 * math.pi * turns
    x = a * share
    return math.pi / 2 * (share * math.hypot(1, x) + (math.asinh(x) / a if a else share))


def density_compensation(omega: Tensor, shape: Shape) -> Tensor:
    """The area of k-space for which each sample stands, (n,), its mean 1.

    By the fixed point of Pipe and Menon 1999, weights over how many samples lie about each, for
    images of ``shape``, (h, w): about it is a Gaussian, whose transform is a window of the image.
    """
    height, width = shape[-2:]
    transform = FINUFFT(omega, (1, height, width))
    rows, columns = (torch.arange(n, dtype=torch.float64) / n - 0.5 for n in (height, width))
    window = torch.exp(-0.5 * (rows[:, None] ** 2 + columns**2) / WINDOW**2).to(omega.device)
    weights = torch.ones(1, 1, omega.shape[1], dtype=torch.complex128, device=omega.device)
    for _ in range(ITERATIONS):
        around = transform.matvec(window * transform.rmatvec(weights)).abs()
        weights = weights / around.clamp_min(1e-12)
    density = weights[0, 0].real
    return density / density.mean()
