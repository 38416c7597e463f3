"""The sampler contract: a generator function from a denoiser and noise to a sequence of states."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from torch import Tensor

from invscore import levels
from invscore.batches import PerImage
from invscore.options import ranges
from invscore.options.ranges import Count
from invscore.plugins.registry import Registered, Registry
from invscore.priors.base import Prior
from invscore.processes import Denoiser

Sampler = Callable[..., Iterator[Tensor]]
"""``sampler(denoise, x, sigmas, rng, *, options)``: the state after each step, the last of which
is the sample. ``denoise(x, sigma)`` is D, that of a prior or one bent by a condition; ``x``,
(b, \\*shape), is data plus noise of ``sigmas[0]``; ``sigmas`` decrease to where it shall end,
mostly 0."""

Spacing = Callable[[int, Prior, float], list[float]]
"""Decreasing noise levels for a number of steps, a prior and a first level, 0 at the end."""

SamplerName = Literal[
    "adaptive", "ddim", "ddpm", "dpm++2m", "euler", "euler-maruyama", "heun", "pc"
]

START = 160
"""Standard deviations of a pixel in the first noise level, as in EDM (80 where they are 0.5): it
has to hide what pixels have in common, which grows with the image."""

PARTS = 100
"""Parts of the way after which progress is told where the number of steps is not known."""


@runtime_checkable
class OfEachImage(Protocol):
    """A denoiser that does not treat all images alike: one that knows what was measured of each."""

    def __call__(self, x: Tensor, sigma: PerImage) -> Tensor: ...

    def select(self, images: Tensor) -> Denoiser:
        """The denoiser of the images with the indices ``images``, (k,)."""
        ...


class NotFiniteError(ArithmeticError):
    """A sampler's state, or a likelihood, has NaN or infinite values.

    After the example of ``invscore.sampling``:

    >>> from invscore.priors import DenoiserPrior
    >>> from invscore.sampling import NotFiniteError
    >>> broken = DenoiserPrior(lambda x, sigma: x / 0, channels=1, sigma_min=0.01, sigma_max=1.0)
    >>> try:
    ...     sample(broken, (1, 4, 4), steps=5)
    ... except NotFiniteError:
    ...     print("the samples are not finite")
    the samples are not finite
    """


@dataclass(frozen=True)
class SamplerInfo(Registered):
    """A registered sampler and what its users should know about it.

    ``steps``: their number unless another is asked for; None where the sampler chooses them.
    ``evaluations``: of the denoiser in a step, at most, where its number of steps is asked for.

    After the example of ``invscore.sampling``:

    >>> from invscore.sampling import get_sampler
    >>> info = get_sampler("heun")
    >>> info.evaluations, len(info.spacing(10, prior, 4.0))
    (2, 11)
    """

    kind: ClassVar[str] = "sampler"

    steps: int | None
    spacing: Spacing
    cites: str
    evaluations: int = 1

    @property
    def defaults(self) -> dict[str, Any]:
        """Options and their defaults, ``steps`` among them where it has them."""
        steps = {} if self.steps is None else {"steps": self.steps}
        return {**steps, **super().defaults}

    @property
    def hints(self) -> dict[str, Any]:
        return {**super().hints, **({} if self.steps is None else {"steps": Count})}


SAMPLERS: Registry[SamplerInfo] = Registry("sampler")


def noise_only(prior: Prior) -> float:
    """The level at which generation starts: ``START`` standard deviations of a pixel, or the
    largest level that the prior knows."""
    return levels.of_pixel(prior, START)


def karras(steps: int, prior: Prior, high: float) -> list[float]:
    """Equally spaced in sigma^(1/7)."""
    return levels.karras(steps, high, levels.finest(prior))


def geometric(steps: int, prior: Prior, high: float) -> list[float]:
    """Equally spaced in ln(sigma)."""
    return [*levels.geometric(steps, high, levels.finest(prior)), 0.0]


def ddpm(steps: int, prior: Prior, high: float) -> list[float]:
    """Equally spaced in the time of DDPM."""
    return levels.ddpm(steps, prior, high)


def register(
    name: str, *, steps: int | None, spacing: Spacing, cites: str, evaluations: int = 1
) -> Callable[[Sampler], Sampler]:
    """Enter a sampler under ``name``. Its keyword-only arguments with a default are options."""

    def enter(run: Sampler) -> Sampler:
        run = ranges.checked(run, f"sampler {name!r}")
        SAMPLERS[name] = SamplerInfo(name, run, steps, spacing, cites, evaluations)
        return run

    return enter


def get_sampler(name: str) -> SamplerInfo:
    """The sampler ``name``. Raises ``ValueError`` for an unknown one.

    After the example of ``invscore.sampling``:

    >>> from invscore.sampling import get_sampler
    >>> get_sampler("ddim").options({"eta": 0.5})
    {'steps': 50, 'eta': 0.5}
    """
    return SAMPLERS.find(name)
