"""Does a prior keep the contract? The test of every built-in, and of yours."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from invscore.options.argument_checks import require_type
from invscore.priors.base import Prior
from invscore.priors.noise_covariance import Basis, NoiseCovariance
from invscore.report import Report


@torch.no_grad()
def check_prior(
    prior: Prior,
    shape: tuple[int, ...],
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> Report:
    """Test a prior on random images (3, \\*shape) at three noise levels that it can be trusted at.

    Shape and type of denoised images, independence of the images of a batch, a number as noise
    level against a tensor, Tweedie's formula, ``pullback`` against finite differences of
    ``denoise``; ``denoise_with`` of white noise against ``denoise``, where there is one; ``score``
    against those of ``log_density`` where there is one; where the levels reach down to 0 and up to
    infinity, the limits: an image of the prior is left alone, and the mean is all that is left.
    Images are complex where ``dtype`` is. Single precision forgives a wrong third digit: prefer
    float64 or complex128.

        >>> import torch
        >>> from invscore import GaussianPrior
        >>> from invscore.priors import check_prior
        >>> prior = GaussianPrior(torch.zeros(1, 4, 4, dtype=torch.float64), 0.25)
        >>> check_prior(prior, (1, 4, 4), dtype=torch.float64).raise_if_failed()
    """
    require_type("prior", prior, Prior, "DenoiserPrior makes one of a function")
    report = Report(type(prior).__name__)
    probe = _Probe(prior, shape, dtype, device, seed)
    report.require("shape, dtype", probe.fault_of_results)
    if not report.ok:
        return report
    exact, close = (1e-8, 1e-6) if dtype.to_real() == torch.float64 else (1e-3, 2e-2)
    _check_denoiser(report, probe, exact)
    _check_pullback(report, probe, exact, close)
    _check_optional_methods(report, probe, exact, close)
    _check_limits(report, probe)
    return report


class _Probe:
    """The prior, and three random images ``x`` at three levels ``sigma``, (3,)."""

    def __init__(
        self,
        prior: Prior,
        shape: tuple[int, ...],
        dtype: torch.dtype,
        device: torch.device | str,
        seed: int,
    ) -> None:
        real, self.prior = dtype.to_real(), prior
        generator = torch.Generator().manual_seed(seed)

        def normal() -> Tensor:
            parts = torch.randn(3, *shape, 2, generator=generator, dtype=real).to(device)
            return torch.view_as_complex(parts) if dtype.is_complex else parts[..., 0]

        self.spread = math.sqrt(prior.variance)
        lowest = max(0.2 * self.spread, prior.sigma_min)
        highest = min(2 * self.spread, prior.sigma_max)
        self.levels = [lowest, math.sqrt(lowest * highest), highest]
        self.sigma = torch.tensor(self.levels, dtype=real, device=device)
        self.column = self.sigma.reshape(-1, *[1] * len(shape))
        self.x = (self.spread + self.column) * normal()
        self.u, self.v = normal(), normal()
        self.step = 1e-4 if real == torch.float64 else 3e-2

    @cached_property
    def pulled(self) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        return self.prior.pullback(self.x, self.sigma)

    def fault_of_results(self) -> str:
        x, sigma = self.x, self.sigma
        denoised, pull = self.pulled
        results = {
            "denoise(x, sigma)": self.prior.denoise(x, sigma),
            "score(x, sigma)": self.prior.score(x, sigma),
            "pullback(x, sigma)[0]": denoised,
            "pullback(x, sigma)[1](u)": pull(self.u),
        }
        for name, found in results.items():
            if found.shape != x.shape or found.dtype != x.dtype:
                return (
                    f"{name} of x of shape {tuple(x.shape)} in {x.dtype} must be like it, got "
                    f"{tuple(found.shape)} in {found.dtype}"
                )
        return ""

    def change(self, function: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """The derivative of ``function(x, sigma)`` along ``v``, in units of the level."""
        along = self.step * self.column * self.v
        above, below = (function(self.x + sign * along, self.sigma) for sign in (1, -1))
        return (above - below) / (2 * self.step)


def _check_denoiser(report: Report, probe: _Probe, exact: float) -> None:
    prior, x, sigma = probe.prior, probe.x, probe.sigma

    def batch() -> float:
        parts = [prior.denoise(x[i : i + 1], sigma[i : i + 1]) for i in range(3)]
        return _relative(torch.cat(parts), probe.pulled[0])

    def number() -> float:
        parts = [prior.denoise(x[i : i + 1], level) for i, level in enumerate(probe.levels)]
        return _relative(torch.cat(parts), prior.denoise(x, sigma))

    def tweedie() -> float:
        return _relative(x + probe.column**2 * prior.score(x, sigma), prior.denoise(x, sigma))

    report.add("batch", batch, exact, "an image's result depends on the rest of the batch")
    report.add("number", number, exact, "a number as sigma is not the same as a tensor")
    report.add("tweedie", tweedie, exact, "the score is not (D - x) / sigma^2")


def _check_pullback(report: Report, probe: _Probe, exact: float, close: float) -> None:
    u, v, pull = probe.u, probe.v, probe.pulled[1]

    def jacobian() -> float:
        change = probe.change(probe.prior.denoise) / probe.column
        return _relative(_inner(pull(u), v), _inner(u, change))

    def repeated() -> float:
        return _relative(pull(2 * u), 2 * pull(u))

    report.add("pullback", jacobian, close, "J^T u is not that of denoise")
    report.add("pull twice", repeated, exact, "J^T u is not linear in u, or cannot be called twice")


def _check_optional_methods(report: Report, probe: _Probe, exact: float, close: float) -> None:
    """``denoise_with`` and ``log_density``, where the prior has them."""
    prior, x, sigma = probe.prior, probe.x, probe.sigma

    def coloured() -> float:
        bases = [Basis(kind) for kind in prior.noise_kinds - {"matrix"}]
        variance = (probe.column**2).expand(x.shape)
        found = [prior.denoise_with(x, NoiseCovariance(basis, variance)) for basis in bases]
        return max((_relative(each, probe.pulled[0]) for each in found), default=0.0)

    def gradient() -> float:
        slope = _inner(prior.score(x, sigma), probe.column * probe.v)
        return _relative(slope, probe.change(prior.log_density))

    if prior.noise_kinds:
        report.add("denoise_with", coloured, exact, "white noise is not denoised as by denoise")
    if prior.has_density:
        report.add("log_density", gradient, close, "the score is not the gradient of log_density")


def _check_limits(report: Report, probe: _Probe) -> None:
    prior, spread = probe.prior, probe.spread

    def quiet() -> float:
        denoised = probe.pulled[0]
        return _relative(prior.denoise(denoised, 1e-4 * spread), denoised)

    def loud() -> float:
        far, v = 1e4 * spread, probe.v
        difference = prior.denoise(far * v, far) - prior.denoise(-far * v, far)
        return float(difference.abs().max() / v.abs().max()) / (2 * far)

    if prior.sigma_min == 0:
        report.add("sigma to 0", quiet, 1e-3, "an image of the prior changes at small sigma")
    if math.isinf(prior.sigma_max):
        report.add("sigma to inf", loud, 1e-4, "D depends on x at large sigma")


def _inner(a: Tensor, b: Tensor) -> Tensor:
    """The inner product over the reals, (b,): of complex images, that of their parts."""
    return (a.conj() * b).real.flatten(1).sum(dim=1)


def _relative(a: Tensor, b: Tensor) -> float:
    scale = torch.maximum(a.abs().max(), b.abs().max()).clamp_min(1e-30)
    return float((a - b).abs().max() / scale)
