"""The baseline contract: a function from a problem, and perhaps a prior, to images."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, ParamSpec

import torch
from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.methods.base import NEEDS
from invscore.operators import LinearOperator
from invscore.plugins.registry import Registered, Registry

Baseline = Callable[..., Tensor]
Arguments = ParamSpec("Arguments")


@dataclass(frozen=True)
class BaselineInfo(Registered):
    """A registered baseline: ``run(problem, prior, *, seed=0, **options)`` -> (b, \\*in_shape).

    ``prior`` may be ``None`` unless ``uses_prior``. ``point_estimate``: whether results are
    estimates, not meant as samples of the posterior. ``needs``: what it asks of the problem, of the
    keys of ``methods.base.NEEDS``. ``package``: the module that must be installed, in the extra
    ``bench``, or ``None``. ``cites``: its source.

    >>> from invscore.baselines import get_baseline
    >>> info = get_baseline("wiener")
    >>> info.needs, info.uses_prior
    (('linear', 'gaussian'), False)
    """

    kind: ClassVar[str] = "baseline"

    uses_prior: bool
    point_estimate: bool
    needs: tuple[str, ...]
    package: str | None
    cites: str

    @property
    def defaults(self) -> dict[str, Any]:
        return {name: value for name, value in super().defaults.items() if name != "seed"}


BASELINES: Registry[BaselineInfo] = Registry("baseline")


def register(
    name: str,
    *,
    point_estimate: bool,
    uses_prior: bool = False,
    needs: tuple[str, ...] = (),
    package: str | None = None,
    cites: str,
) -> Callable[[Callable[Arguments, Tensor]], Callable[Arguments, Tensor]]:
    """Enter a baseline under ``name``; the rest as in ``BaselineInfo``.

    It then runs without recording gradients, and raises ``ValueError`` where its package is absent.
    """
    assert set(needs) <= set(NEEDS)

    def enter(run: Callable[Arguments, Tensor]) -> Callable[Arguments, Tensor]:
        @functools.wraps(run)
        def checked(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Tensor:
            if package is not None:
                require_package(package, f"the baseline {name!r}")
            with torch.no_grad():
                return run(*args, **kwargs)

        BASELINES[name] = BaselineInfo(
            name, checked, uses_prior, point_estimate, needs, package, cites
        )
        return checked

    return enter


def get_baseline(name: str) -> BaselineInfo:
    """The baseline ``name``. Raises ``ValueError`` for an unknown one.

    >>> import torch
    >>> from invscore import GaussianNoise, InverseProblem
    >>> from invscore.baselines import get_baseline
    >>> from invscore.operators import Blur
    >>> blur = Blur.gaussian(sigma=1.0, in_shape=(1, 16, 16))
    >>> problem = InverseProblem(blur, blur(torch.rand(1, 1, 16, 16)), GaussianNoise(0.05))
    >>> get_baseline("wiener").run(problem, None).shape
    torch.Size([1, 1, 16, 16])
    """
    return BASELINES.find(name)


def require_package(package: str, asked: str) -> None:
    """Raise ``ValueError``, naming what ``asked`` for it, where a module is not installed."""
    if importlib.util.find_spec(package) is None:
        raise ValueError(f"{asked} needs the package {package}: pip install 'invscore[bench]'")


def require_positive(**options: float) -> None:
    """Raise ``ValueError`` for the first option that is not a positive number."""
    for name, value in options.items():
        if not 0 < value < float("inf"):
            raise ValueError(f"`{name}` must be a positive number, got {value}")


def require_planar(problem: InverseProblem, name: str) -> tuple[LinearOperator, Tensor, Tensor]:
    """``(A, y, s^2)`` of a linear problem with Gaussian noise, as ``problem.linear_gaussian``.

    Raises ``ValueError``, speaking of the baseline by ``name``, for another problem and where
    images have no rows and columns.
    """
    found = problem.linear_gaussian(name)
    shape = tuple(problem.operator.in_shape)
    if len(shape) < 2:
        raise ValueError(f"{name} needs images with rows and columns, given the shape {shape}")
    return found
