"""Parametrisations of networks: they predict noise, image or a mix; and the denoiser each makes."""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import torch
from torch import Tensor


class Parametrisation(abc.ABC):
    """``D(x) = m + c_skip (x - m) + c_out F(c_in (x - m); c_noise)`` of a network F.

    With ``x = x0 + sigma n`` and ``s`` the standard deviation of x0 about its mean m, F estimates
    an affine mix ``a n + b (x0 - m) / s``, from which D follows:
    ``c_skip = a / (a - b sigma / s)`` and ``c_out = -sigma / (a - b sigma / s)``. Whatever the mix,
    ``c_in = (sigma^2 + s^2)^(-1/2)`` gives F inputs of unit variance, ``c_noise = ln(sigma) / 4``
    tells it the level, and the loss of D is weighted by ``1 / c_out^2``: the plain squared error of
    F (Karras et al. 2022, Eq. 7 and Sec. 5; Salimans & Ho 2022, Sec. 4).

    >>> import torch
    >>> from invscore.priors.parametrisation import EDM
    >>> skip, out = EDM().coefficients(torch.tensor(0.5), sigma_data=0.5)
    >>> round(float(skip), 3), round(float(out), 3)
    (0.5, 0.354)
    """

    @abc.abstractmethod
    def coefficients(self, sigma: Tensor, sigma_data: float) -> tuple[Tensor, Tensor]:
        """``c_skip`` and ``c_out``, of the shape of ``sigma``, for ``sigma_data`` = s."""

    def loss_weight(self, sigma: Tensor, sigma_data: float) -> Tensor:
        """``1 / c_out^2``."""
        return self.coefficients(sigma, sigma_data)[1] ** -2


@dataclass(frozen=True)
class EDM(Parametrisation):
    """The mix with a target of variance 1 that amplifies the error of F least (Karras et al. 2022).

    ``a = -s / r`` and ``b = sigma / r`` with ``r^2 = sigma^2 + s^2``.
    """

    def coefficients(self, sigma: Tensor, sigma_data: float) -> tuple[Tensor, Tensor]:
        variance = sigma**2 + sigma_data**2
        return sigma_data**2 / variance, sigma * sigma_data * variance.rsqrt()


@dataclass(frozen=True)
class V(Parametrisation):
    """Salimans & Ho 2022, Sec. 4: ``v = alpha n - sigma x0`` on a circle, the negative of EDM's."""

    def coefficients(self, sigma: Tensor, sigma_data: float) -> tuple[Tensor, Tensor]:
        skip, out = EDM().coefficients(sigma, sigma_data)
        return skip, -out


@dataclass(frozen=True)
class Score(Parametrisation):
    """The score itself in units of 1 / s: ``a = -s / sigma``, b = 0. Its target has no bound."""

    def coefficients(self, sigma: Tensor, sigma_data: float) -> tuple[Tensor, Tensor]:
        return torch.ones_like(sigma), sigma**2 / sigma_data


@dataclass(frozen=True)
class Mix(Parametrisation):
    """``noise n + data (x0 - m) / s`` with numbers that are the same at every level.

    (1, 0) predicts the noise, (0, 1) the image and (1, -1) the velocity of the straight path from
    image to noise of the same scale. Raises ``ValueError`` where both are positive, negative or
    zero, or not finite: D could not be told at every level.

    >>> import torch
    >>> from invscore.priors import Mix
    >>> skip, out = Mix(noise=1.0, data=0.0).coefficients(torch.tensor(0.5), sigma_data=0.5)
    >>> float(skip), float(out)
    (1.0, -0.5)
    """

    noise: float
    data: float

    def __post_init__(self) -> None:
        finite = math.isfinite(self.noise) and math.isfinite(self.data)
        if not finite or self.noise * self.data > 0 or self.noise == self.data == 0:
            raise ValueError(
                "`noise` and `data` of a mix must be finite and of opposite signs, or one of "
                f"them 0, got {self.noise} and {self.data}"
            )

    def coefficients(self, sigma: Tensor, sigma_data: float) -> tuple[Tensor, Tensor]:
        if self.noise == 0:  # also at sigma = 0
            return torch.zeros_like(sigma), torch.full_like(sigma, sigma_data / self.data)
        total = self.noise - self.data * sigma / sigma_data
        return self.noise / total, -sigma / total


PARAMETRISATIONS: dict[str, Parametrisation] = {
    "edm": EDM(),
    "v": V(),
    "noise": Mix(1, 0),
    "data": Mix(0, 1),
    "flow": Mix(1, -1),
    "score": Score(),
}


def find_parametrisation(given: str | Mapping[str, float] | Parametrisation) -> Parametrisation:
    """The one of that name, or the mix ``{"noise": a, "data": b}``; one that is made, as it is.

    Raises ``ValueError`` for an unknown name or a mix that cannot be.
    """
    if isinstance(given, Parametrisation):
        return given
    if isinstance(given, str) and given in PARAMETRISATIONS:
        return PARAMETRISATIONS[given]
    if isinstance(given, Mapping) and set(given) == {"noise", "data"}:
        return Mix(**given)
    raise ValueError(
        f"unknown parametrisation {given!r}: {', '.join(PARAMETRISATIONS)} and a mix "
        "{'noise': a, 'data': b} are known"
    )


def describe(parametrisation: Parametrisation) -> str | dict[str, float]:
    """The name or the mix by which ``find_parametrisation`` finds it, for JSON."""
    for name, known in PARAMETRISATIONS.items():
        if known == parametrisation:
            return name
    if isinstance(parametrisation, Mix):
        return asdict(parametrisation)
    raise ValueError(
        f"the parametrisation must be {', '.join(PARAMETRISATIONS)} or a Mix to be saved, got "
        f"a {type(parametrisation).__name__}"
    )
