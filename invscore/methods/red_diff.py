"""Regularisation by denoising diffusion."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.initial_guess import Initial, initial_guess
from invscore.methods.common.tempering import informed_share, mean_variance
from invscore.operators.base import broadcast
from invscore.options.ranges import Count, Rate, Weight
from invscore.priors.base import Prior
from invscore.rng import SampleRNG


@register(
    "red_diff",
    exact=False,
    law="point estimate: where misfit and denoisers at all levels balance",
    cites="Mardani et al. 2024, Algorithm 1",
)
def red_diff(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 1000,
    lam: Weight = 0.25,
    rate: Rate = 0.1,
    initial: Initial = "guess",
) -> Iterator[Step]:
    """Regularisation by denoising diffusion (RED-diff).

    An image fitted to y and to the denoiser by Adam. A variational fit of the posterior by a narrow
    Gaussian about mu. At each level sigma, from wide to narrow, one step of Adam down the gradient
    ``-s^2 grad log p(y | mu) + lam (mu - D(mu + sigma z, sigma))``, s^2 the mean variance of a
    measured number: with Gaussian noise the first part is ``A^H (A mu - y)``, and ``lam`` is the
    paper's, its weight of the level, sigma in the units of [-1, 1], having been taken in. Serves
    any operator and noise. A point estimate.

    ``steps``: denoiser evaluations on DDPM's schedule. ``lam``: weight of the prior. ``rate``:
    Adam's learning rate, in the units of [-1, 1]; its averages decay by 0.9 and 0.99.
    ``initial``: a first ``"guess"``, or ``"noise"`` of the prior's mean and variance
    (``initial_guess``).

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="red_diff", steps=100)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.2)
    True
    """
    mu = initial_guess(problem, prior, 0.0, rng, initial)
    variance = broadcast(mean_variance(problem), mu) * informed_share(problem, prior, mu)
    adam = Adam(mu, rate * prior.unit)
    for sigma in levels.ddpm(steps, prior, levels.widest(prior))[:-1]:
        denoised = prior.denoise(mu + sigma * rng.normal_like(mu), sigma)
        gradient = lam * (mu - denoised) - variance * problem.score(mu)
        mu = mu - adam.step(gradient)
        yield Step(mu, mu, sigma)


class Adam:
    """Adam (Kingma & Ba 2015, Algorithm 1), for real or complex images of a batch, as numbers."""

    def __init__(self, like: Tensor, rate: float, decay: tuple[float, float] = (0.9, 0.99)) -> None:
        self.rate, self.decay = rate, decay
        self.mean, self.square, self.count = torch.zeros_like(like), torch.zeros_like(like).real, 0

    def step(self, gradient: Tensor) -> Tensor:
        """What to subtract. A complex number moves in the direction of its gradient."""
        self.count += 1
        first, second = self.decay
        self.mean = first * self.mean + (1 - first) * gradient
        self.square = second * self.square + (1 - second) * gradient.abs() ** 2
        mean = self.mean / (1 - first**self.count)
        square = self.square / (1 - second**self.count)
        return self.rate * mean / square.sqrt().clamp_min(1e-30)
