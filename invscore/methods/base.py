"""The method contract: a generator function from a problem and a prior to a sequence of states."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from invscore import options
from invscore.likelihood import InverseProblem

Method = Callable[..., Iterator["Step"]]


@dataclass(frozen=True)
class Step:
    """The state of a method after a step.

    ``x`` is the state, whose last value is the method's answer; ``denoised`` the current estimate
    of the clean image; ``sigma`` the noise level of the step in image units.
    """

    x: Tensor
    denoised: Tensor
    sigma: float


NEEDS = {
    "linear": "linear operator",
    "svd": "operator with an SVD",
    "gaussian": "Gaussian noise",
    "density": "prior with `log_density`",
}
"""What a method may ask of the problem and of the prior, and how tables say it."""

ParticlesOption = str | Callable[[InverseProblem], str | None] | None


@dataclass(frozen=True)
class MethodInfo:
    """A registered method and what its users should know about it.

    ``exact``: whether it samples the true posterior of any prior in a limit of its options (a
    point estimate is not exact). ``law``: what its results follow, in a few words: the limit where
    it is exact; otherwise the priors for which it is, the kind of bias, or "point estimate".
    ``needs``: what it asks for, of the keys of ``NEEDS``. ``evaluations`` and ``products``: the
    cost of a step for each image in evaluations of the denoiser D and in products with its
    Jacobian, at most: a number, or an expression in the options and ``measurements``, the real
    numbers measured. ``cites``: its source. ``particles``: where samples of an image are drawn
    together, the option with their number, or a function of the problem that names it (None: they
    are drawn apart).
    """

    name: str
    run: Method
    exact: bool
    law: str
    needs: tuple[str, ...]
    evaluations: str
    products: str
    cites: str
    particles: ParticlesOption = None

    @property
    def summary(self) -> str:
        """The first sentence of its documentation."""
        return options.summary(self.run)

    @property
    def point_estimate(self) -> bool:
        """Whether its results are estimates, not meant as samples of the posterior."""
        return self.law.startswith("point estimate")

    @property
    def defaults(self) -> dict[str, Any]:
        """Its options and their defaults."""
        return options.defaults(self.run)

    def particles_option(self, problem: InverseProblem) -> str | None:
        """The option with the number of samples that are drawn together, if there is one."""
        return self.particles(problem) if callable(self.particles) else self.particles

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The defaults, with ``given`` in their place. Raises ``ValueError`` on an unknown name."""
        return options.with_defaults(f"method {self.name!r}", self.defaults, given)


METHODS: dict[str, MethodInfo] = {}


def register(
    name: str,
    *,
    exact: bool,
    law: str = "",
    needs: tuple[str, ...] = (),
    evaluations: str = "1",
    products: str = "0",
    cites: str,
    particles: ParticlesOption = None,
) -> Callable[[Method], Method]:
    """Enter a method under ``name``; the rest as in ``MethodInfo``.

    Its keyword-only arguments with a default are its options. Raises ``ValueError`` for a need
    that ``NEEDS`` does not know.
    """
    unknown = set(needs) - set(NEEDS)
    if unknown:
        raise ValueError(f"`needs` must be of {', '.join(NEEDS)}, got {', '.join(sorted(unknown))}")

    def enter(run: Method) -> Method:
        METHODS[name] = MethodInfo(
            name, run, exact, law, needs, evaluations, products, cites, particles
        )
        return run

    return enter


def get_method(name: str) -> MethodInfo:
    """The method ``name``. Raises ``ValueError`` for an unknown one."""
    if name not in METHODS:
        raise ValueError(f"unknown method {name!r}: known are {', '.join(sorted(METHODS))}")
    return METHODS[name]
