"""The method contract: a generator function from a problem and a prior to a sequence of states."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.options import ranges
from invscore.options.words import kind_of
from invscore.plugins.registry import Registered, Registry
from invscore.priors.base import Prior

Method = Callable[..., Iterator["Step"]]


@dataclass(frozen=True)
class Step:
    """The state of a method after a step.

    ``x`` is the state, whose last value is the method's answer; ``denoised`` the current estimate
    of the clean image; ``sigma`` the noise level of the step in image units. ``info``: what else a
    method tells of the step, by name, numbers or tensors (b,): ``acceptance``, the share of
    proposals that were accepted, ``effective_sample_size`` of particles, ``cg_iterations``.

    After the example of ``invscore.methods``:

    >>> from invscore.methods import get_method
    >>> from invscore.rng import SampleRNG
    >>> first = next(get_method("hqs").run(problem, prior, SampleRNG([(0,)]), steps=10))
    >>> first.x.shape, first.sigma < 1
    (torch.Size([1, 1, 8, 8]), True)
    """

    x: Tensor
    denoised: Tensor
    sigma: float
    info: Mapping[str, float | Tensor] = field(default_factory=dict)


NEEDS = {
    "linear": "linear operator",
    "svd": "operator with an SVD",
    "gaussian": "Gaussian noise",
    "density": "prior with `log_density`",
    "coloured": "prior with `denoise_with`",
}
"""Requirements of methods on the problem and the prior, and their names in tables."""

ARGUMENTS = ("problem", "prior", "rng")
"""What a method is given, in this order."""

RESERVED = frozenset(
    {
        *("problem", "prior", "method", "samples", "seed", "batch_size", "scale", "antithetic"),
        *("most_memory", "probes", "precision", "on_step", "on_tile", "options"),
    }
)
"""Arguments of ``reconstruct``, which no option of a method may be named after: it would not be
heard."""

TailsOf = Callable[[InverseProblem, Prior, Mapping[str, Any]], float]
ParticlesOption = str | Callable[[InverseProblem], str | None] | None


@dataclass(frozen=True)
class MethodInfo(Registered):
    """A registered method and what its users should know about it.

    ``exact``: whether it samples the true posterior of any prior in a limit of its options (a
    point estimate is not exact). ``law``: what its results follow, in a few words: the limit where
    it is exact; otherwise the priors for which it is, the kind of bias, or "point estimate".
    ``needs``: what it asks for, of the keys of ``NEEDS``. ``evaluations`` and ``products``: the
    cost of a step for each image in evaluations of the denoiser D and in products with its
    Jacobian, at most: a number, or an expression in the options and ``measurements``, the real
    numbers measured, ``numbers``, those or the unknown ones, whichever are fewer, and
    ``nonlinear``, 1 for an operator that is not linear and else 0, and ``own``, 1 for such an
    operator or a prior that is neither known at any level nor a function, as a network, and else 0.
    ``cites``: its source.
    ``particles``: where samples of an image are drawn together, the option with their number, or a
    function of the problem that names it (None: they are drawn apart). ``white``: whether residuals
    of its samples are white noise at the declared level, within a fifth, where the model is right:
    what is not then tells of the model.
    ``antithetic``: whether its samples come as antithetic pairs unless asked for otherwise.
    ``denoiser``: where it is a denoiser of x0 given x and y that a sampler serves, the function
    ``(problem, prior, *, options)`` that makes it, see ``invscore.methods.common.conditioned``.
    ``tails``: the function of problem, prior and options that tells how uneven errors are over
    what samples tell of them (``Result.tails``), where that may be more than 0.

    After the example of ``invscore.methods``:

    >>> from invscore.methods import get_method
    >>> info = get_method("dps")
    >>> info.evaluations, info.products, info.point_estimate
    ('1', '1', False)
    >>> info.options({"steps": 50})["steps"]
    50
    """

    kind: ClassVar[str] = "method"

    exact: bool
    law: str
    needs: tuple[str, ...]
    evaluations: str
    products: str
    cites: str
    particles: ParticlesOption = None
    white: bool = False
    antithetic: bool = False
    denoiser: Callable[..., Any] | None = None
    tails: TailsOf | None = None

    def __post_init__(self) -> None:
        signature = inspect.signature(self.run)
        if not _takes_arguments(signature):
            raise ValueError(
                f"the method {self.name!r} must take (problem, prior, rng, *, steps=...), got "
                f"{signature}"
            )
        if "steps" not in self.defaults:
            raise ValueError(f"the method {self.name!r} must have an option steps with a default")
        taken = sorted(RESERVED & self.defaults.keys())
        if taken:
            raise ValueError(
                f"the options of the method {self.name!r} must have other names than the arguments "
                f"of reconstruct, got {', '.join(taken)}"
            )

    @property
    def point_estimate(self) -> bool:
        """Whether its results are estimates, not meant as samples of the posterior."""
        return self.law.startswith("point estimate")

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The defaults, with ``given`` in their place, but for ``antithetic``, which the driver
        serves for every method. Raises ``ValueError`` as ``Registered.options``."""
        if "antithetic" in given:
            ranges.require(given["antithetic"], bool, "antithetic", f"method {self.name!r}")
        return super().options({name: v for name, v in given.items() if name != "antithetic"})

    def comes_in_pairs(self, problem: InverseProblem, asked: bool | None = None) -> bool:
        """Whether samples come in antithetic pairs, if not ``asked`` by default.

        Raises ``ValueError`` where they are asked for and cannot: of point estimates and of
        particles that are drawn together.
        """
        if self.point_estimate or self.particles_option(problem) is not None:
            if asked:
                raise ValueError(
                    f"`antithetic` must be false for {self.name}, which draws no pairs, got True"
                )
            return False
        return self.antithetic if asked is None else asked

    def particles_option(self, problem: InverseProblem) -> str | None:
        """The option with the number of samples that are drawn together, if there is one."""
        return self.particles(problem) if callable(self.particles) else self.particles


def adopted(name: str, found: Any) -> MethodInfo:
    """The method that a plug-in is: registered by itself, or a generator function as it is."""
    if isinstance(found, MethodInfo):
        return found
    for info in METHODS.values():
        if info.run is found:
            return info
    if not inspect.isgeneratorfunction(found):
        raise ValueError(
            f"the method {name!r} must be a generator function "
            f"(problem, prior, rng, *, steps=...), got {kind_of(found)}"
        )
    return MethodInfo(name, found, False, "not stated", (), "1", "0", name)


METHODS: Registry[MethodInfo] = Registry("method", adopted, "method")


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
    white: bool = False,
    antithetic: bool = False,
    denoiser: Callable[..., Any] | None = None,
    tails: TailsOf | None = None,
) -> Callable[[Method], Method]:
    """Enter a method under ``name``; the rest as in ``MethodInfo``.

    Its keyword-only arguments with a default are its options, checked against their ranges, see
    ``invscore.options.ranges``. Raises ``ValueError`` for a need that ``NEEDS`` does not know, for
    a function that does not take ``(problem, prior, rng)`` or has no option ``steps``, and for an
    option that has the name of an argument of ``reconstruct``.

    After the example of ``invscore.methods``:

    >>> from invscore.methods import METHODS, Step, register
    >>> @register("prior_mean", exact=False, law="point estimate", cites="an example")
    ... def prior_mean(problem, prior, rng, *, steps: int = 1):
    ...     'The mean of the prior. ``steps``: how often it is said.'
    ...     for _ in range(steps):
    ...         x = prior.mean.expand(len(problem.y), *problem.operator.in_shape)
    ...         yield Step(x, x, 0.0)
    >>> float(reconstruct(problem, prior, method="prior_mean").mean.max())
    0.5
    >>> METHODS.pop("prior_mean").point_estimate
    True
    """
    unknown = set(needs) - set(NEEDS)
    if unknown:
        raise ValueError(f"`needs` must be of {', '.join(NEEDS)}, got {', '.join(sorted(unknown))}")

    def enter(run: Method) -> Method:
        checked = ranges.checked(run, f"method {name!r}")
        METHODS[name] = MethodInfo(
            name=name,
            run=checked,
            exact=exact,
            law=law,
            needs=needs,
            evaluations=evaluations,
            products=products,
            cites=cites,
            particles=particles,
            white=white,
            antithetic=antithetic,
            denoiser=denoiser,
            tails=tails,
        )
        return checked

    return enter


def get_method(name: str) -> MethodInfo:
    """The method ``name``, or that of a plug-in. Raises ``ValueError`` for an unknown one.

    >>> from invscore.methods import get_method
    >>> get_method("dps").needs
    ()
    """
    return METHODS.find(name)


def _takes_arguments(signature: inspect.Signature) -> bool:
    """Whether it takes ``ARGUMENTS``, under these names or others, but in this order."""
    try:
        bound = signature.bind(*ARGUMENTS).arguments
    except TypeError:
        return False
    return all(name not in ARGUMENTS or name == value for name, value in bound.items())
