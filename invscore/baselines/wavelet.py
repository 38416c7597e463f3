"""Wavelet sparsity: images with few large wavelet coefficients, wherever the grid is put."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.baselines.base import register, require_planar, require_positive
from invscore.baselines.primal_dual import Penalty, minimise
from invscore.baselines.wiener import wiener
from invscore.likelihood import InverseProblem
from invscore.priors.base import Prior


@register(
    "wavelet",
    point_estimate=True,
    needs=("linear", "gaussian"),
    package="pywt",
    cites="Coifman & Donoho 1995; Elad, Milanfar & Rubinstein 2007; Chambolle & Pock 2011",
)
def wavelet_sparsity(
    problem: InverseProblem,
    prior: Prior | None = None,  # noqa: ARG001
    *,
    seed: int = 0,  # noqa: ARG001
    weight: float = 10.0,
    decay: float = 1.0,
    wavelet: str = "sym8",
    depth: int = 4,
    iterations: int = 100,
) -> Tensor:
    """Wavelet sparsity: the minimiser of ``|y - A x|^2 / (2 s^2) + |W x|_1``.

    ``|W x|_1`` sums the moduli of the orthonormal wavelet coefficients, averaged over all shifts of
    the grid: an undecimated transform, without the blocks of the decimated one. A detail of level
    j, 1 the finest, counts ``weight 2^(-decay (j - 1))``; the coarsest low-pass is free. Images are
    continued periodically.

    ``weight``: the rate of a Laplace law of the finest details, per image unit, 1 to 50; it does
    not change with the noise, which is weighed already. ``decay``: how rates fall, 0 to 2; 1 suits
    a power of ``|f|^-2``. ``wavelet``: an orthogonal one of PyWavelets (haar, db2 to db8, sym4 to
    sym8). ``depth``: levels, 2 to 6. ``iterations``: 50 to 1000.
    """
    require_positive(weight=weight, iterations=iterations)
    require_planar(problem, "wavelet")
    start = wiener(problem)
    penalty = WaveletPenalty(start, weight, wavelet, depth, decay)
    return minimise(problem, penalty, start, iterations=iterations)


class WaveletPenalty(Penalty):
    """``|W x|_1`` for images like ``like``, (b, \\*shape).

    The undecimated filters act in Fourier space, scaled to a tight frame (with the low-pass, which
    carries no penalty): at level j, a frame coefficient is ``2^-j`` times an orthonormal one and
    there are ``4^j`` times as many, so the average over shifts weighs it by ``2^-j``.
    Raises ``ValueError`` for a wavelet that is not orthogonal, or a depth that does not fit.
    """

    norm = 1.0

    def __init__(self, like: Tensor, weight: float, wavelet: str, depth: int, decay: float) -> None:
        self.weight = weight
        size = like.shape[-2:]
        deepest = min(size).bit_length() - 1
        if not 1 <= depth <= deepest:
            raise ValueError(f"`depth` must lie in [1, {deepest}] for this image, got {depth}")
        low, high = _filters(wavelet)
        bands, smooth = [], torch.ones(size, dtype=torch.complex128)
        for level in range(depth):
            rows, columns = (
                torch.stack([_response(f, n, 2**level) for f in (low, high)]) for n in size
            )
            split = rows[:, None, :, None] * columns[None, :, None, :]
            bands += [smooth * split[i, j] for i, j in ((0, 1), (1, 0), (1, 1))]
            smooth = smooth * split[0, 0]
        middle = [1] * (like.ndim - 3)
        dtype = like.real.dtype
        self.bands = (
            torch.stack(bands).reshape(1, -1, *middle, *size).to(like.device, dtype.to_complex())
        )
        levels = torch.arange(1, depth + 1, dtype=torch.float64).repeat_interleave(3)
        weights = weight * 2 ** (-levels - decay * (levels - 1))
        self.weights = weights.to(like.device, dtype).reshape(1, -1, *middle, 1, 1)

    def analyse(self, x: Tensor) -> Tensor:
        filtered = torch.fft.ifft2(self.bands * torch.fft.fft2(x)[:, None])
        return filtered if x.is_complex() else filtered.real

    def synthesise(self, p: Tensor) -> Tensor:
        x = torch.fft.ifft2((self.bands.conj() * torch.fft.fft2(p)).sum(dim=1))
        return x if p.is_complex() else x.real

    def project(self, p: Tensor) -> Tensor:
        return p / (p.abs() / self.weights).clamp_min(1)


def _filters(wavelet: str) -> tuple[list[float], list[float]]:
    """The low-pass and the high-pass filter of an orthogonal wavelet, each of energy 1."""
    import pywt

    allowed = [name for name in pywt.wavelist(kind="discrete") if pywt.Wavelet(name).orthogonal]
    if wavelet not in allowed:
        raise ValueError(
            f"`wavelet` must be an orthogonal one ({', '.join(allowed)}), got {wavelet!r}"
        )
    found = pywt.Wavelet(wavelet)
    return found.dec_lo, found.dec_hi


def _response(taps: list[float], size: int, spacing: int) -> Tensor:
    """The frequency response of a filter with its taps ``spacing`` apart, scaled by 2^-1/2."""
    frequency = torch.fft.fftfreq(size, dtype=torch.float64)
    delays = spacing * torch.arange(len(taps), dtype=torch.float64)
    phases = torch.exp(-2j * torch.pi * frequency[:, None] * delays)
    return phases @ torch.tensor(taps, dtype=torch.complex128) / 2**0.5
