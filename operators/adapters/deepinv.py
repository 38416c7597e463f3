"""Forward models of deepinv (Tachella et al. 2025, version 0.5), ``deepinv.physics``.

deepinv is imported by whoever has a physics, and here where one is adapted. It has batches of
tensors or lists of them, masks with an axis of batches, and complex numbers as two real channels
wherever its class ``MRIMixin`` is at work.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, Literal, Self

import torch
from torch import Tensor

from invscore.batches import PerImage, ordinary
from invscore.noise import Noise
from invscore.operators.adapters.deepinv_noise import noise_of
from invscore.operators.adapters.deepinv_probe import Found, probe, without_caches, zeros
from invscore.operators.adapters.layout import Layout
from invscore.operators.base import (
    LinearOperator,
    NonlinearOperator,
    Operator,
    Shape,
    SpectralOperator,
    broadcast,
)
from invscore.operators.functions import transpose
from invscore.operators.svd import SVD


class _Physics(Operator):
    """A physics and its layouts: what linear and nonlinear ones share.

    ``image`` and ``measurement`` say how deepinv has what we call x and y: their ``to_ours`` and
    ``to_theirs`` convert batches.
    """

    def __init__(self, found: Found) -> None:
        self.physics: Any = found.physics
        self.image, self.measurement = found.image, found.measurement
        self.in_shape, self.out_shape = found.image.shape, found.measurement.shape
        self.in_complex, self.out_complex = found.image.is_complex, found.measurement.is_complex
        self.measured = found.measured
        self.precision, self._exact = found.precision, found.exact
        self._one_by_one = found.one_by_one

    def __copy__(self) -> Self:
        copied = type(self).__new__(type(self))
        vars(copied).update(vars(self))
        return copied

    def __getstate__(self) -> dict[str, Any]:
        # Physics hold functions made on the fly, which pickle alone does not take.
        import cloudpickle

        return vars(self) | {"physics": cloudpickle.dumps(without_caches(self.physics))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, physics=pickle.loads(state["physics"]))

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Self:
        if self._exact:
            moved = self._moved(device, dtype)
            if dtype is None or self.precision is None:
                return moved
            moved.precision = dtype
            if moved._works():
                return moved
        # The physics holds tensors, or a dtype, where nobody looks for them.
        return self._moved(device, None)

    def _moved(self, device: torch.device | str | None, dtype: torch.dtype | None) -> Self:
        moved = super().to(device, dtype)
        moved.physics = without_caches(moved.physics)
        return moved

    def _works(self) -> bool:
        """Whether the physics computes in ``precision``."""
        try:
            with torch.no_grad():
                x = zeros(self.physics, self.image, self.precision)
                y = self.physics.A(self.image.to_theirs(x))
                if isinstance(self, LinearOperator):
                    self.physics.A_adjoint(y)
        except Exception:  # of the physics' own code
            return False
        return self.measurement.to_ours(y).real.dtype == self.precision

    def _apply(self, function: Callable[[Any], Any], batch: Tensor, source: Layout) -> Any:
        """``function`` of a batch of ours, in the precision in which the physics computes."""
        if self.precision is not None:
            batch = batch.to(_in_precision(batch, self.precision))
        return function(source.to_theirs(batch))

    def _map(
        self, function: Callable[[Any], Any], batch: Tensor, source: Layout, target: Layout
    ) -> Tensor:
        batches = torch.split(batch, 1) if self._one_by_one else (batch,)
        parts = [target.to_ours(self._apply(function, part, source)) for part in batches]
        result = parts[0] if len(parts) == 1 else torch.cat(parts)
        return result.to(_in_precision(result, batch.real.dtype))

    def __call__(self, x: Tensor) -> Tensor:
        return self._map(self.physics.A, x, self.image, self.measurement)


class DeepinvPhysics(_Physics, LinearOperator):
    """A ``deepinv.physics.LinearPhysics``: its ``A`` and ``A_adjoint``."""

    def __init__(self, found: Found, differentiate: bool = False) -> None:
        super().__init__(found)
        self._diagonal = found.diagonal and not differentiate
        self._differentiate = differentiate

    def matvec(self, x: Tensor) -> Tensor:
        return self(x)

    def rmatvec(self, y: Tensor) -> Tensor:
        if self._differentiate:
            return transpose(self.matvec, y, self.in_shape, self.in_complex)
        adjoint = self.physics.A_adjoint
        if not torch.is_inference_mode_enabled():
            return self._map(adjoint, y, self.measurement, self.image)
        # deepinv differentiates where it knows no adjoint, which no inference tensor lets it.
        with torch.inference_mode(False):
            return self._map(adjoint, ordinary(y), self.measurement, self.image)

    def solve(self, b: Tensor, rho: PerImage) -> Tensor:
        """``V (s^2 + rho)^-1 V^H b`` where ``A^H A`` is diagonal so, by conjugate gradients else.

        V need not be orthonormal for that, as it is not in deepinv's half spectra.
        """
        if not self._diagonal:
            return super().solve(b, rho)
        physics, image = self.physics, self.image
        weight = broadcast(rho, b)

        def filtered(x: Any) -> Any:
            c = physics.V_adjoint(x)
            rho = weight.to(c.real.dtype)
            rho = rho.reshape(-1, *[1] * (c.ndim - 1)) if rho.ndim else rho
            return physics.V(c / (physics.mask.abs().square() + rho))

        return self._map(filtered, b, image, image)


class DecomposedPhysics(DeepinvPhysics, SpectralOperator):
    """A ``deepinv.physics.DecomposablePhysics`` whose U and V are orthonormal: it has an SVD."""

    def __init__(self, found: Found) -> None:
        super().__init__(found)
        assert found.coefficients is not None
        self._coefficients, self._complete = found.coefficients, found.complete

    def svd(self, dtype: torch.dtype = torch.float32) -> SVD:
        c, image, y, physics = self._coefficients, self.image, self.measurement, self.physics
        s = c.to_ours(physics.mask.expand(1, *c.parts[0].theirs))
        return SVD(
            s=s.real[0].to(torch.empty(0, dtype=dtype).real.dtype),
            u=lambda values: self._map(physics.U, values, c, y),
            uh=lambda values: self._map(physics.U_adjoint, values, y, c),
            v=lambda values: self._map(physics.V, values, c, image),
            vh=lambda values: self._map(physics.V_adjoint, values, image, c),
            complete=self._complete,
        )

    solve = SpectralOperator.solve


class NonlinearPhysics(_Physics, NonlinearOperator):
    """A ``deepinv.physics.Physics``: its ``A``, differentiated automatically."""


def _in_precision(batch: Tensor, real: torch.dtype) -> torch.dtype:
    return real.to_complex() if batch.is_complex() else real


def from_deepinv(
    physics: Any,
    img_size: Shape | tuple[Shape, ...] | None = None,
    complex: bool | None = None,
    adjoint: Literal["deepinv", "autograd"] = "deepinv",
) -> tuple[Operator, Noise | None]:
    """The operator and the noise of a physics of deepinv, for images of ``img_size``.

    ``img_size`` is as deepinv's, channels first: (1, 64, 64), or a tuple of shapes for physics of
    several arrays; by default what the physics says of itself. Where deepinv has real and imaginary
    parts as two channels (its MRI), images and measurements are complex here: (2, h, w) becomes
    (1, h, w), (2, n, h, w) becomes (n, h, w) for coils, frames or slices. Measurements in several
    arrays (a ``TensorList``) are flattened and concatenated.
    ``operator.measurement.to_ours(y)`` and ``operator.image.to_theirs(x)`` convert batches between
    the two. ``complex`` says whether images are complex where the physics would take either.

    ``adjoint="autograd"`` differentiates A instead of taking deepinv's ``A_adjoint``, which of its
    version 0.5 is not the adjoint for ``CompressiveSpectralImaging`` and ``SequentialMRI``.

    Where A(x) is zero for any x, nothing is ``measured``. A ``DecomposablePhysics`` has an ``svd``.
    The operator shares the tensors of the physics, but for the masks of MRI.

    The noise is Gaussian or Poisson with the physics' sigma or gain, and None for laws that
    invscore does not have. Raises ``ValueError`` for what is no physics, where no image size is
    known, or where the physics does not take images of that size.

    >>> import deepinv
    >>> from invscore.operators import from_deepinv
    >>> physics = deepinv.physics.Inpainting((1, 8, 8), mask=0.5)
    >>> physics.noise_model = deepinv.physics.GaussianNoise(0.05)
    >>> operator, noise = from_deepinv(physics, (1, 8, 8))
    >>> operator.out_shape, round(float(noise.sigma), 3)
    ((1, 8, 8), 0.05)
    """
    from deepinv.physics import DecomposablePhysics, LinearPhysics, Physics

    if adjoint not in ("deepinv", "autograd"):
        raise ValueError(f"`adjoint` must be one of deepinv, autograd, got {adjoint!r}")
    if not isinstance(physics, Physics):
        raise ValueError(
            f"`physics` must be a deepinv.physics.Physics, got {type(physics).__name__}"
        )
    linear = isinstance(physics, LinearPhysics)
    found = probe(physics, img_size, complex, linear, isinstance(physics, DecomposablePhysics))
    noise, factor = noise_of(physics)
    if not linear:
        return NonlinearPhysics(found), noise if factor == 1 else None
    differentiate = adjoint == "autograd"
    decomposed = found.coefficients is not None and not differentiate
    operator = DecomposedPhysics(found) if decomposed else DeepinvPhysics(found, differentiate)
    return operator if factor == 1 else factor * operator, noise
