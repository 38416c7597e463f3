"""The primal-dual algorithm that the convex baselines share."""

from __future__ import annotations

import abc

from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.methods.common.proximal import proximal

RELAXATION = 1.9


class Penalty(abc.ABC):
    """A penalty ``sup { <K x, p> : p in a convex set }``, in nats: a norm of ``K x``.

    ``weight`` is its rate per image unit; ``norm`` bounds the largest singular value of K.
    """

    weight: float
    norm: float

    @abc.abstractmethod
    def analyse(self, x: Tensor) -> Tensor:
        """``K x``: (b, \\*shape) -> (b, k, \\*shape)."""

    @abc.abstractmethod
    def synthesise(self, p: Tensor) -> Tensor:
        """``K^H p``: (b, k, \\*shape) -> (b, \\*shape)."""

    @abc.abstractmethod
    def project(self, p: Tensor) -> Tensor:
        """The nearest point of the convex set."""


def minimise(
    problem: InverseProblem,
    penalty: Penalty,
    start: Tensor,
    *,
    iterations: int,
    amplitude: float = 0.04,
) -> Tensor:
    """The minimiser of ``-log p(y | x) + penalty(x)``, (b, \\*in_shape).

    Chambolle & Pock 2011, Algorithm 1, with ``theta = 1``: a proximal step of time tau on the data
    term, and one of ``1 / (tau norm^2)`` on the dual variable, the longest for which it converges;
    over-relaxed (Condat 2013, Theorem 3.3). ``amplitude``, of the changes that images need, in
    their units, decides the pace alone: ``tau = amplitude / (weight norm)`` gives primal and dual
    variables steps in proportion to their sizes.
    """
    step = amplitude / (penalty.weight * penalty.norm)
    x = start
    p = penalty.project(0 * penalty.analyse(x))
    dual = 1 / (step * penalty.norm**2)
    for _ in range(iterations):
        nearer = proximal(problem, x - step * penalty.synthesise(p), step**0.5)
        ahead = penalty.project(p + dual * penalty.analyse(2 * nearer - x))
        x, p = x + RELAXATION * (nearer - x), p + RELAXATION * (ahead - p)
    return nearer
