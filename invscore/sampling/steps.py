"""Steps of unconditional samplers, as functions of a state and its denoised estimate."""

from __future__ import annotations

import math

from torch import Tensor

from invscore.rng import SampleRNG


def ddim_step(
    x: Tensor, denoised: Tensor, sigma: float, lower: float, eta: float, rng: SampleRNG
) -> Tensor:
    """From noise level ``sigma`` to ``lower`` by DDIM (Song et al. 2021, Eq. 12), in
    variance-exploding form. ``eta`` 0 is deterministic, 1 is the ancestral step of DDPM.

    Raises ``ValueError`` for an ``eta`` that is not between the two.

    After the example of ``invscore.sampling``:

    >>> from invscore.sampling import ddim_step
    >>> lower = ddim_step(x, prior.denoise(x, 4.0), 4.0, 2.0, eta=0.0, rng=rng)
    >>> bool(lower.std() < 0.6 * x.std())
    True
    """
    if not 0 <= eta <= 1:
        raise ValueError(f"`eta` must lie in [0, 1], got {eta}")
    fresh = eta * lower * (1 - (lower / sigma) ** 2) ** 0.5
    kept = (lower**2 - fresh**2) ** 0.5
    stepped = denoised + kept / sigma * (x - denoised)
    return stepped + fresh * rng.normal_like(x) if fresh > 0 else stepped


def langevin_step(
    x: Tensor, denoised: Tensor, sigma: float, lower: float, time: float, rng: SampleRNG
) -> Tensor:
    """Langevin dynamics at level ``sigma`` for ``time`` (in units of sigma^2), ending at ``lower``.

    Solves ``dx = (denoised - x) / sigma^2 dt + sqrt(2) dW`` exactly, ``denoised`` held fixed, and
    shrinks the noise to the level ``lower``. Unlike Euler's step it leaves no more noise in x than
    the level says, which networks rely on (Jolicoeur-Martineau et al. 2021, Sec. 3).

    After the example of ``invscore.sampling``:

    >>> from invscore.sampling import langevin_step
    >>> state = langevin_step(x, prior.denoise(x, 4.0), 4.0, 4.0, time=0.01, rng=rng)
    >>> state.shape
    torch.Size([200, 1, 4, 4])
    """
    kept = math.exp(-time)
    fresh = (1 - kept**2) ** 0.5
    return denoised + kept * lower / sigma * (x - denoised) + fresh * lower * rng.normal_like(x)
