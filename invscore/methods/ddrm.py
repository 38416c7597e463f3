"""Denoising diffusion restoration."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.initial_guess import Initial, initial_guess
from invscore.operators import LinearOperator
from invscore.operators.base import broadcast
from invscore.operators.svd import SVD
from invscore.options.ranges import Count, Share
from invscore.priors.base import Prior
from invscore.rng import SampleRNG


@register(
    "ddrm",
    exact=False,
    law="biased; posterior of a Gaussian prior independent in the singular vectors, at eta = 0, as "
    "noise goes to 0 and steps grow",
    needs=("linear", "svd", "gaussian"),
    cites="Kawar et al. 2022, Eq. 7 and 8",
)
def ddrm(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 20,
    eta: Share = 0.85,
    eta_b: Share = 1.0,
    initial: Initial = "guess",
) -> Iterator[Step]:
    """Denoising diffusion restoration models (DDRM).

    DDIM for each singular vector, by what y says of it. A coefficient of the image, denoised to d,
    is measured as ``u = x0 + s/a n``, a its singular value. Where the next level exceeds the noise
    s/a, it becomes ``(1 - eta_b) d + eta_b u``, with noise that fills up to the level; below, the
    misfit ``u - d`` takes the place of the noise seen in x, whose share ``sqrt(1 - eta^2)`` is
    kept; where a = 0 it is left to the denoiser. Few evaluations and no Jacobian. Biased.

    ``steps``: denoiser evaluations on DDPM's schedule. ``eta``: deviation of the fresh noise over
    that of all. ``eta_b``: trust in the measurement where it is more precise than the level, 0 to
    1.
    ``initial``: a first ``"guess"``, or ``"noise"`` as in the paper (``initial_guess``).

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="ddrm", samples=4)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.1)
    True
    """
    operator, y, variance = problem.linear_gaussian("ddrm")
    f = require_svd(operator, y.dtype)
    seen = f.seen
    values = torch.where(seen, f.s, 1.0)
    measured = f.uh(y) / values
    doubt = broadcast(variance.sqrt(), measured) / values
    kept = (1 - eta**2) ** 0.5

    sigmas = levels.ddpm(steps, prior, levels.widest(prior))
    x = initial_guess(problem, prior, sigmas[0], rng, initial)
    for sigma, lower in pairwise(sigmas):
        denoised, noise = prior.denoise(x, sigma), rng.normal_like(x)
        x = denoised + lower * (kept / sigma * (x - denoised) + eta * noise)
        d, z = f.vh(denoised), f.vh(noise)
        below = d + lower * (kept / doubt * (measured - d) + eta * z)
        room = (lower**2 - (eta_b * doubt) ** 2).clamp_min(0).sqrt()
        above = d + eta_b * (measured - d) + room * z
        guided = torch.where(lower < doubt, below, above)
        x = x + f.v(torch.where(seen, guided - f.vh(x), 0))
        yield Step(x, denoised, lower)


def require_svd(operator: LinearOperator, dtype: torch.dtype) -> SVD:
    """The SVD of the operator. Raises ``ValueError`` where none is cheap."""
    try:
        return operator.svd(dtype)
    except NotImplementedError:
        raise ValueError(
            f"ddrm needs an operator with a cheap singular value decomposition, given "
            f"{type(operator).__name__}: ddnm, dds and diffpir do without"
        ) from None
