"""Non-uniform Fourier transforms of mri-nufft, torchkbnufft and pytorch-finufft."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from invscore.operators.adapters.arrays import ArrayOperator
from invscore.operators.adapters.plans import PlannedTransform, Plans
from invscore.operators.base import LinearOperator, Shape


def from_mri_nufft(operator: Any) -> LinearOperator:
    """A ``FourierOperatorBase`` of mri-nufft: complex images to samples of k-space, (coils, n).

    Images are (1, h, w) or volumes (d, h, w); without sensitivity maps (``smaps``), each of several
    coils has an image of its own, (coils, h, w). It computes in single precision on the CPU, one
    image after the other. Raises ``ValueError`` for what is no such operator, and for one with a
    density compensation, which makes of its adjoint another one.

    >>> import mrinufft
    >>> import numpy as np
    >>> from invscore.operators import from_mri_nufft
    >>> samples = np.random.default_rng(0).uniform(-0.5, 0.5, (30, 2)).astype("float32")
    >>> operator = from_mri_nufft(mrinufft.get_operator("finufft")(samples, (8, 6)))
    >>> operator.in_shape, operator.out_shape
    ((1, 8, 6), (1, 30))
    """
    for name in ("adj_op", "n_coils", "n_samples", "uses_sense"):
        if not hasattr(operator, name):
            raise ValueError(
                f"`operator` must be a Fourier operator of mri-nufft, got {type(operator).__name__}"
            )
    if operator.uses_density:
        raise ValueError("`operator` must have no density compensation (density=False), got one")
    coils, shape = operator.n_coils, tuple(operator.shape)
    images = coils if coils > 1 and not operator.uses_sense else 1
    in_array = (images, *shape) if images > 1 else shape
    return ArrayOperator(
        operator.op,
        operator.adj_op,
        in_array=in_array,
        out_array=(coils, operator.n_samples) if coils > 1 else (operator.n_samples,),
        in_shape=(1, *in_array) if len(in_array) == 2 else in_array,
        out_shape=(coils, operator.n_samples),
        in_complex=True,
        out_complex=True,
        precision=torch.float32,
    )


class KaiserBesselNUFFT(LinearOperator):
    """A ``KbNufft`` of torchkbnufft and its adjoint on a trajectory, coils summed by their maps."""

    in_complex = out_complex = True

    def __init__(
        self, forward: Any, adjoint: Any, omega: Tensor, maps: Tensor | None, in_shape: Shape
    ) -> None:
        self._nufft, self._adjoint = forward, adjoint
        self._omega, self._maps = omega, maps
        self.in_shape = in_shape
        self.out_shape = (in_shape[0] if maps is None else maps.shape[1], omega.shape[-1])

    def matvec(self, x: Tensor) -> Tensor:
        return self._nufft(x, self._omega, smaps=self._maps, norm="ortho")

    def rmatvec(self, y: Tensor) -> Tensor:
        return self._adjoint(y, self._omega, smaps=self._maps, norm="ortho")


def from_torchkbnufft(
    nufft: Any, omega: Tensor, in_shape: Shape, maps: Tensor | None = None
) -> LinearOperator:
    """A ``torchkbnufft.KbNufft`` on images ``in_shape``, (c, h, w), at frequencies ``omega``.

    ``omega`` is (2, n) in radians a pixel; measurements are (c, n), or (coils, n) of an image
    (1, h, w) where there are sensitivity ``maps``, (coils, h, w). Transforms are orthonormal as
    torchkbnufft's ``norm="ortho"``. Raises ``ValueError`` for what is no such transform.

    >>> import torch
    >>> import torchkbnufft
    >>> from invscore.operators import from_torchkbnufft
    >>> nufft = torchkbnufft.KbNufft(im_size=(8, 8))
    >>> operator = from_torchkbnufft(nufft, torch.rand(2, 30), in_shape=(1, 8, 8))
    >>> operator.out_shape
    (1, 30)
    """
    from torchkbnufft import KbNufft, KbNufftAdjoint

    if not isinstance(nufft, KbNufft):
        raise ValueError(f"`nufft` must be a torchkbnufft.KbNufft, got {type(nufft).__name__}")
    adjoint = KbNufftAdjoint(
        im_size=tuple(nufft.im_size.tolist()),
        grid_size=tuple(nufft.grid_size.tolist()),
        numpoints=tuple(nufft.numpoints.tolist()),
        n_shift=tuple(nufft.n_shift.tolist()),
        table_oversamp=tuple(nufft.table_oversamp.tolist()),
        dtype=nufft.table_0.dtype,
    )
    return KaiserBesselNUFFT(nufft, adjoint, omega, None if maps is None else maps[None], in_shape)


class FINUFFT(LinearOperator):
    """Samples of the Fourier transform at any frequencies, by FINUFFT (Barnett et al. 2019).

    Images are complex, (c, h, w) or (c, d, h, w), with the origin in the middle, ``n // 2``;
    measurements (c, n), orthonormal: ``y_k = (N)^-1/2 sum_r x_r exp(-i <omega_k, r>)`` with N
    pixels. ``omega``, (axes, n), is in radians a pixel, the first row for the first axis.
    """

    in_complex = out_complex = True

    def __init__(self, omega: Tensor, in_shape: Shape, accuracy: float = 1e-6) -> None:
        axes = len(in_shape) - 1
        if omega.ndim != 2 or len(omega) != axes or not bool(omega.isfinite().all()):
            raise ValueError(
                f"`omega` must be finite frequencies of shape ({axes}, n) for images of shape "
                f"{tuple(in_shape)}, got {tuple(omega.shape)}"
            )
        # A whole turn is no change: FINUFFT wants frequencies within a few of them.
        self._omega = torch.remainder(omega + torch.pi, 2 * torch.pi) - torch.pi
        self.in_shape, self.out_shape = tuple(in_shape), (in_shape[0], omega.shape[1])
        self._norm = torch.Size(in_shape[1:]).numel() ** -0.5
        self._accuracy = accuracy
        self._plans = Plans(self._omega, self.in_shape[1:], accuracy)

    def matvec(self, x: Tensor) -> Tensor:
        if x.device.type == "cpu":
            return self._norm * PlannedTransform.apply(x, self._plans, False)

        from pytorch_finufft.functional import finufft_type2

        return self._norm * finufft_type2(
            self._points(x), x.resolve_conj().contiguous(), **self._plan(x, -1)
        )

    def rmatvec(self, y: Tensor) -> Tensor:
        if y.device.type == "cpu":
            return self._norm * PlannedTransform.apply(y, self._plans, True)

        from pytorch_finufft.functional import finufft_type1

        type1 = partial(finufft_type1, output_shape=self.in_shape[1:], **self._plan(y, 1))
        return self._norm * type1(self._points(y), y.resolve_conj().contiguous())

    def _points(self, batch: Tensor) -> Tensor:
        return self._omega.to(batch.device, batch.real.dtype)

    def _plan(self, batch: Tensor, sign: int) -> dict[str, Any]:
        double = batch.dtype == torch.complex128
        return {"isign": sign, "modeord": 0, "eps": 1e-12 if double else self._accuracy}


def from_finufft(omega: Tensor, in_shape: Shape) -> LinearOperator:
    """The orthonormal Fourier transform at frequencies ``omega``, (axes, n) in radians a pixel.

    By pytorch-finufft, on the CPU and, with cuFINUFFT, on GPUs. Images are (c, h, w) or
    (c, d, h, w), complex; measurements (c, n). Raises ``ValueError`` where shapes do not fit.

    >>> import pytorch_finufft
    >>> import torch
    >>> from invscore.operators import from_finufft
    >>> omega = torch.rand(2, 30) * 6 - 3
    >>> operator = from_finufft(omega, in_shape=(1, 8, 8))
    >>> operator.out_shape
    (1, 30)
    """
    return FINUFFT(omega, in_shape)
