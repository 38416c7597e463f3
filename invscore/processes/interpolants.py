"""Interpolants: processes that are given as a path between data and noise."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from invscore.processes.base import Coefficients, Process


@dataclass(frozen=True)
class FlowMatching(Process):
    """``x_t = (1 - t) x_0 + t z``: straight lines from data to noise, t from 0 to 1.

    ``f = -1 / (1 - t)``, ``g^2 = 2 t / (1 - t)`` (Lipman et al. 2023; Liu et al. 2023, with time
    reversed). Its ``velocity`` is ``E[z - x_0 | x_t]``, which flow matching learns.

    >>> from invscore.processes import FlowMatching
    >>> at = FlowMatching().at(0.5)
    >>> round(float(at.alpha), 3), round(float(at.sigma), 3)
    (0.5, 0.5)
    """

    data = 0.0
    noise = 1.0

    def _at(self, t: Tensor) -> Coefficients:
        return Coefficients(1 - t, t, -1 / (1 - t), 2 * t / (1 - t))

    def _time(self, level: Tensor) -> Tensor:
        return level / (1 + level)


@dataclass(frozen=True)
class Homotopy(Process):
    """``x_t = sqrt(t) x_0 + sqrt(1 - t) z``: from noise at t = 0 to data at t = 1.

    ``f = 1 / (2 t)`` and ``g^2 = 1 / t``. The variance of data of variance 1 stays 1: the process
    is ``VP`` in another time.

    >>> from invscore.processes import Homotopy
    >>> at = Homotopy().at(0.5)
    >>> round(float(at.alpha), 3), round(float(at.sigma), 3)
    (0.707, 0.707)
    """

    data = 1.0
    noise = 0.0

    def _at(self, t: Tensor) -> Coefficients:
        return Coefficients(t.sqrt(), (1 - t).sqrt(), 1 / (2 * t), 1 / t)

    def _time(self, level: Tensor) -> Tensor:
        return 1 / (1 + level**2)
