"""``check_noise``: every built-in law passes, and each fault of a law of one's own is found."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from invscore import InverseProblem
from invscore.noise import (
    GaussianNoise,
    Noise,
    PoissonGaussianNoise,
    PoissonNoise,
    RicianNoise,
    SpeckleNoise,
    TransmissionNoise,
    check_noise,
)
from invscore.operators import Identity
from invscore.rng import SampleRNG


@pytest.mark.parametrize(
    "noise",
    [
        GaussianNoise(0.1),
        PoissonNoise(100.0),
        PoissonNoise(10.0, background=3.0),
        PoissonGaussianNoise(4.0, sigma=0.2),
        PoissonGaussianNoise(50.0, sigma=0.02),
        RicianNoise(0.3),
        RicianNoise(0.05),
        SpeckleNoise(3.0),
        SpeckleNoise(1.0),
        TransmissionNoise(30.0),
        TransmissionNoise(5000.0, 4.0, unit=0.5),
    ],
    ids=str,
)
def test_laws_keep_the_contract(noise: Noise) -> None:
    check_noise(noise).raise_if_failed()
    check_noise(noise, seed=1).raise_if_failed()


@dataclass(frozen=True)
class Wrong(Noise):
    """Gaussian noise of 0.1 with a ``fault``."""

    fault: str = ""
    sigma: float = 0.1

    def sample(self, clean: Tensor, rng: SampleRNG) -> Tensor:
        wide = 1.05 if self.fault == "wide" else 1.0
        y = clean + wide * self.sigma * rng.normal_like(clean)
        match self.fault:
            case "double":
                return y.double()
            case "shape":
                return y[:, :1]
            case "infinite":
                return y / 0
            case "unseeded":
                return clean + self.sigma * torch.randn_like(clean)
            case "in place":
                return clean.add_(self.sigma * rng.normal_like(clean))
            case "biased":
                return y + 0.1 * self.sigma
        return y

    def log_likelihood(self, y: Tensor, clean: Tensor) -> Tensor:
        each = GaussianNoise(self.sigma).log_likelihood(y, clean)
        match self.fault:
            case "unnormalised":
                return each + 0.1 * y[0].numel()
            case "one number":
                return each.sum()
            case "batch":
                return each + clean.mean()
        return each

    def score(self, y: Tensor, clean: Tensor) -> Tensor:
        return (y - clean) / self.sigma**2 * (1.01 if self.fault == "score" else 1.0)

    def variance(self, clean: Tensor) -> Tensor:
        if self.fault == "number":
            return self.sigma**2  # type: ignore[return-value]
        return clean.new_tensor(0.0 if self.fault == "zero" else self.sigma**2)

    def kurtosis(self, clean: Tensor) -> Tensor:
        return clean.new_tensor(0.4 if self.fault == "kurtosis" else 0.0)

    def scaled(self, factor: object) -> Wrong:
        power = 2.0 if self.fault == "scaled" else 1.0
        return Wrong(self.fault, self.sigma * float(factor) ** power)  # type: ignore[arg-type]

    def check(self, y: Tensor) -> None:
        if self.fault == "refused" and bool((y > 0).any()):
            raise ValueError("y must not be above 0")


@pytest.mark.parametrize(
    ("fault", "row"),
    [
        ("double", "dtype"),
        ("shape", "shape"),
        ("infinite", "finite"),
        ("unseeded", "seed"),
        ("in place", "input"),
        ("biased", "mean at 0.5"),
        ("wide", "variance at 0.5"),
        ("unnormalised", "density at 0.2"),
        ("one number", "log_likelihood"),
        ("batch", "batch"),
        ("score", "score"),
        ("number", "variance"),
        ("zero", "variance"),
        ("kurtosis", "kurtosis at 1"),
        ("scaled", "scaled, variance"),
        ("refused", "check"),
    ],
)
def test_faults_are_found(fault: str, row: str) -> None:
    report = check_noise(Wrong(fault))
    assert row in {each.name for each in report.rows if not each.passed}, str(report)
    assert check_noise(Wrong()).ok


def test_what_is_no_law() -> None:
    with pytest.raises(TypeError, match="`noise` must be a Noise, got float"):
        check_noise(0.1)  # type: ignore[arg-type]


def test_problems_want_moments_as_tensors() -> None:
    with pytest.raises(TypeError, match=r"`variance` of Wrong must give a tensor .* got a float"):
        InverseProblem(Identity((1, 2, 2)), torch.zeros(1, 1, 2, 2), Wrong("number"))
