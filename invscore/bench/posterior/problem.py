"""The contract of a problem with a known posterior, and the registry of problems."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatch

from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.priors.base import Prior
from invscore.rng import SampleRNG, sample_rng

Scores = dict[str, float]
"""A number for each metric, by its name."""


@dataclass(frozen=True)
class Metric:
    """A number that an instance gives: its ``name``, ``what`` it is, and its ``target``.

    ``target`` is the mean under the true posterior: 0 for distances, which are not negative and
    where the floor is a distance too.

    >>> from invscore.bench.posterior import PROBLEMS
    >>> [(metric.name, metric.target) for metric in PROBLEMS["gaussian"].metrics[:2]]
    [('marginals', 0.0), ('mean', 0.0)]
    """

    name: str
    what: str
    target: float = 0.0


@dataclass(frozen=True)
class Instance:
    """One measurement, (1, \\*out_shape), with the prior of its unknown image.

    ``score``: from samples, (n, \\*shape), to a number for each metric, the same at each call.
    ``floor``: from a number n of samples to the scores that n independent draws from the true
    posterior have.

    Where the truth is known and not the posterior, an instance may have several measurements,
    (b, \\*out_shape), and ``score`` takes samples of all, (n, b, \\*shape).

    >>> from invscore.bench.posterior import PROBLEMS
    >>> instance = PROBLEMS["gaussian"].build(0)
    >>> sorted(instance.floor(16)) == sorted(metric.name for metric in PROBLEMS["gaussian"].metrics)
    True
    """

    problem: InverseProblem
    prior: Prior
    score: Callable[[Tensor], Scores]
    floor: Callable[[int], Scores]


@dataclass(frozen=True)
class Problem:
    """A family of instances, one a seed.

    ``what``: a sentence about it. ``dim``: numbers in an image. ``measurements``: real numbers that
    are measured. ``noise``: their standard deviation. ``metrics``: what instances score, the one to
    compare methods by first. ``samples``: how many samples of a method are scored, unless the user
    asks for others. ``standard``: whether a run without a choice of problems has it.

    >>> from invscore.bench.posterior import PROBLEMS
    >>> problem = PROBLEMS["gaussian"]
    >>> problem.family, problem.build(0).problem.y.shape[0]
    ('gaussian', 1)
    """

    name: str
    what: str
    dim: int
    measurements: int
    noise: float
    metrics: tuple[Metric, ...]
    samples: int
    build: Callable[[int], Instance]
    standard: bool = True

    @property
    def family(self) -> str:
        """The family of a problem, the first word of its name."""
        return self.name.split("-")[0]


APART = 10**6
"""Distance between the seeds of instances whose exact samples are drawn."""

FLOORS = 4
"""Number of sets of exact samples over whose distances the floor is averaged."""


def exact_rng(seed: int, n: int, purpose: str) -> SampleRNG:
    """``n`` streams that no other instance than that of ``seed`` draws from."""
    return sample_rng(APART * seed, n, purpose)


def mean_floor(
    score: Callable[[Tensor], Scores], draw: Callable[[int, SampleRNG], Tensor], seed: int
) -> Callable[[int], Scores]:
    """The floor of an instance whose scores are distances: their mean over ``FLOORS`` sets.

    ``draw(n, rng)``: n exact samples.
    """

    def floor(n: int) -> Scores:
        rngs = [exact_rng(seed, n, f"floor {index}") for index in range(FLOORS)]
        each = [score(draw(n, rng)) for rng in rngs]
        return {name: sum(one[name] for one in each) / FLOORS for name in each[0]}

    return floor


PROBLEMS: dict[str, Problem] = {}


def register(problem: Problem) -> Problem:
    """Enter ``problem`` under its name.

    >>> from dataclasses import replace
    >>> from invscore.bench.posterior import PROBLEMS, register
    >>> register(replace(PROBLEMS["gaussian"], name="gaussian-again")).name
    'gaussian-again'
    >>> PROBLEMS.pop("gaussian-again").family
    'gaussian'
    """
    PROBLEMS[problem.name] = problem
    return problem


def select(patterns: Iterable[str]) -> list[Problem]:
    """The problems of which the name, or what it begins with up to a dash, matches a pattern.

    Patterns are as in a shell: ``mixture``, ``mixture-8-*-0.1``. In the order of the registry;
    raises ``ValueError`` for a pattern that matches none.
    """
    chosen: set[str] = set()
    for pattern in patterns:
        found = {name for name in PROBLEMS if fnmatch(name, pattern) or _begins(name, pattern)}
        if not found:
            families = ", ".join(dict.fromkeys(name.split("-")[0] for name in PROBLEMS))
            raise ValueError(
                f"no problem is called {pattern!r}: names begin with {families}, "
                "such as mixture-8-1-0.1 or 'levy-laplace-*'"
            )
        chosen |= found
    return [problem for name, problem in PROBLEMS.items() if name in chosen]


def _begins(name: str, pattern: str) -> bool:
    return fnmatch(name, f"{pattern}-*")
