"""A problem and a prior of ours, as deepinv sees them (Tachella et al. 2025, version 0.5).

deepinv's denoisers take images in [0, 1] and a noise level in that unit, as our priors do; what its
samplers do on [-1, 1] they convert themselves, at the denoiser's door. Importing this module
imports deepinv, which takes seconds.
"""

from __future__ import annotations

from typing import Any

import deepinv
import torch
from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.operators import LinearOperator
from invscore.operators.svd import SVD
from invscore.priors.base import Prior


class PriorDenoiser(deepinv.models.Denoiser):  # type: ignore[misc]
    """``D(x, sigma)`` of a prior, in the precision ``dtype`` of its images."""

    def __init__(self, prior: Prior, dtype: torch.dtype) -> None:
        super().__init__()
        self.prior, self.dtype = prior, dtype

    def forward(self, x: Tensor, sigma: float | Tensor, **_: Any) -> Tensor:
        level = torch.as_tensor(sigma).flatten().to(x.device)
        level = level if len(level) == len(x) else level[0]
        return self.prior.denoise(x.to(self.dtype), level).to(x.dtype)


class OperatorPhysics(deepinv.physics.LinearPhysics):  # type: ignore[misc]
    """A linear operator and the level of its Gaussian noise; its proximal step is our ``solve``."""

    def __init__(self, operator: LinearOperator, sigma: float) -> None:
        super().__init__(
            A=lambda x, **_: operator.matvec(x),
            A_adjoint=lambda y, **_: operator.rmatvec(y),
            img_size=operator.in_shape,
            noise_model=deepinv.physics.GaussianNoise(sigma),
        )
        self.operator = operator

    def prox_l2(self, z: Tensor, y: Tensor, gamma: float | Tensor, **_: Any) -> Tensor:
        """The minimiser x of ``gamma |A x - y|^2 / 2 + |x - z|^2 / 2``."""
        weight = 1 / torch.as_tensor(gamma, dtype=y.real.dtype, device=y.device).flatten()[0]
        return self.operator.solve(self.operator.rmatvec(y) + weight * z, weight)


def decomposable(
    f: SVD, in_shape: tuple[int, ...], y: Tensor, sigma: float
) -> deepinv.physics.DecomposablePhysics:
    """An SVD of ours as deepinv's, its V spanning all images: DDRM drops what V does not see.

    The coefficients are those of ``f``, then the part of the image in the rest of the null space,
    with singular values 0: a tight frame, ``V V^H = 1``, in which unit noise gives unit noise.
    ``y`` (1, \\*out_shape) tells dtype and device.
    """
    x = torch.zeros(1, *in_shape, dtype=y.dtype, device=y.device)
    shape = f.vh(x).shape
    count, rest = shape.numel(), 0 if f.complete else x.numel()

    def v(c: Tensor) -> Tensor:
        seen = c[:, :count].reshape(shape)
        if f.complete:
            return f.v(seen)
        null = c[:, count:].reshape(-1, *in_shape)
        return f.v(seen - f.vh(null)) + null

    def vh(x: Tensor) -> Tensor:
        seen = f.vh(x)
        parts = [seen] if f.complete else [seen, x - f.v(seen)]
        return torch.cat([part.flatten(1) for part in parts], dim=1)

    def uh(y: Tensor) -> Tensor:
        seen = f.uh(y).flatten(1)
        return torch.cat([seen, seen.new_zeros(1, rest)], dim=1)

    values = torch.cat([f.s.expand(shape).flatten(1), f.s.new_zeros(1, rest)], dim=1)
    return deepinv.physics.DecomposablePhysics(
        U=lambda c: f.u(c[:, :count].reshape(shape)),
        U_adjoint=uh,
        V=v,
        V_adjoint=vh,
        mask=values,
        noise_model=deepinv.physics.GaussianNoise(sigma),
        device=str(y.device),
    )


def require_real(problem: InverseProblem, name: str) -> None:
    """Raise ``ValueError``, speaking of the baseline by ``name``, where images are complex."""
    if problem.operator.in_complex:
        raise ValueError(
            f"{name} takes images in [0, 1], as deepinv's sampler does: the operator "
            f"{type(problem.operator).__name__} has complex ones"
        )
