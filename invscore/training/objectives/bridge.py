"""Flow matching and denoising in one: the velocity and the score of Brownian bridges."""

from __future__ import annotations

from torch import Tensor

from invscore.batches import per_image
from invscore.training.objectives.fields import TimeField
from invscore.training.objectives.matching import squared_distance


def bridge_matching(
    velocity: TimeField,
    score: TimeField,
    clean: Tensor,
    t: Tensor,
    noise: Tensor,
    wiggle: Tensor,
    *,
    spread: float,
) -> Tensor:
    """Mean of ``|v(x_t, t) - u|^2 + |l s(x_t, t) + z|^2`` over images and pixels.

    The line of ``flow_matching`` becomes a Brownian bridge, ``x_t = (1 - t) x0 + t n + l z`` with
    ``l = spread sqrt(t (1 - t))`` and unit noise z, ``wiggle``; its velocity is ``u = n - x0 +
    dl/dt z``. The flow v and the diffusions ``(v +- h^2 s / 2) dt + h dW``, + to the noise and - on
    the way back, have the same densities at all times, for any h(t) (Tong et al. 2023, "Simulation-
    free Schrödinger bridges via score and flow matching"). Where v alone tells the score only for
    independent noise, here s is the score for any pairing; with that of ``optimal_pairing`` the
    diffusion of strength h = spread comes close to a Schrödinger bridge.

    ``clean``, ``noise`` and ``wiggle`` have shape (b, \\*shape), ``t`` has shape (b,), between 0
    and 1 and not at the ends, where dl/dt is infinite.

    After the example of ``invscore.training.objectives``:

    >>> from invscore.training.objectives import bridge_matching
    >>> t, still = torch.full((500,), 0.5), lambda x, t: 0 * x
    >>> round(float(bridge_matching(still, still, x, t, noise, noise.flip(0), spread=0.1)), 0)
    3.0
    """
    time = per_image(t, clean, "t")
    root = (time * (1 - time)).sqrt()
    width, widening = spread * root, spread * (1 - 2 * time) / (2 * root)
    x = (1 - time) * clean + time * noise + width * wiggle
    flow = squared_distance(velocity(x, t), noise - clean + widening * wiggle)
    denoising = squared_distance(width * score(x, t), -wiggle)
    return flow + denoising
