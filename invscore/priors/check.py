"""Does a prior keep the contract? The test of every built-in, and of yours."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from invscore.options.given import require_type
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
    real = dtype.to_real()
    double = real == torch.float64
    exact, close, step = (1e-8, 1e-6, 1e-4) if double else (1e-3, 2e-2, 3e-2)
    generator = torch.Generator().manual_seed(seed)

    def normal() -> Tensor:
        parts = torch.randn(3, *shape, 2, generator=generator, dtype=real).to(device)
        return torch.view_as_complex(parts) if dtype.is_complex else parts[..., 0]

    spread = math.sqrt(prior.variance)
    lowest, highest = max(0.2 * spread, prior.sigma_min), min(2 * spread, prior.sigma_max)
    levels = [lowest, math.sqrt(lowest * highest), highest]
    sigma = torch.tensor(levels, dtype=real, device=device)
    column = sigma.reshape(-1, *[1] * len(shape))
    x = (spread + column) * normal()
    u, v = normal(), normal()
    denoised, pull = prior.pullback(x, sigma)

    def kept() -> float:
        results = [prior.denoise(x, sigma), prior.score(x, sigma), denoised, pull(u)]
        return float(any(r.shape != x.shape or r.dtype != x.dtype for r in results))

    def batch() -> float:
        parts = [prior.denoise(x[i : i + 1], sigma[i : i + 1]) for i in range(3)]
        return _relative(torch.cat(parts), denoised)

    def number() -> float:
        parts = [prior.denoise(x[i : i + 1], level) for i, level in enumerate(levels)]
        return _relative(torch.cat(parts), prior.denoise(x, sigma))

    def tweedie() -> float:
        return _relative(x + column**2 * prior.score(x, sigma), prior.denoise(x, sigma))

    def jacobian() -> float:
        along = step * column * v
        change = prior.denoise(x + along, sigma) - prior.denoise(x - along, sigma)
        return _relative(_inner(pull(u), v), _inner(u, change / (2 * step * column)))

    def repeated() -> float:
        return _relative(pull(2 * u), 2 * pull(u))

    def coloured() -> float:
        bases = [Basis(kind) for kind in prior.noise_kinds - {"matrix"}]
        white = [NoiseCovariance(basis, (column**2).expand(x.shape)) for basis in bases]
        return max((_relative(prior.denoise_with(x, n), denoised) for n in white), default=0.0)

    def gradient() -> float:
        along = step * column * v
        change = prior.log_density(x + along, sigma) - prior.log_density(x - along, sigma)
        return _relative(_inner(prior.score(x, sigma), column * v), change / (2 * step))

    def quiet() -> float:
        return _relative(prior.denoise(denoised, 1e-4 * spread), denoised)

    def loud() -> float:
        far = 1e4 * spread
        difference = prior.denoise(far * v, far) - prior.denoise(-far * v, far)
        return float(difference.abs().max() / v.abs().max()) / (2 * far)

    report.add("shape, dtype", kept, 0.0, "results have not the shape and dtype of the images")
    report.add("batch", batch, exact, "an image's result depends on the rest of the batch")
    report.add("number", number, exact, "a number as sigma is not the same as a tensor")
    report.add("tweedie", tweedie, exact, "the score is not (D - x) / sigma^2")
    report.add("pullback", jacobian, close, "J^T u is not that of denoise")
    report.add("pull twice", repeated, exact, "J^T u is not linear in u, or cannot be called twice")
    if prior.noise_kinds:
        report.add("denoise_with", coloured, exact, "white noise is not denoised as by denoise")
    if prior.has_density:
        report.add("log_density", gradient, close, "the score is not the gradient of log_density")
    if prior.sigma_min == 0:
        report.add("sigma to 0", quiet, 1e-3, "an image of the prior changes at small sigma")
    if math.isinf(prior.sigma_max):
        report.add("sigma to inf", loud, 1e-4, "D depends on x at large sigma")
    return report


def _inner(a: Tensor, b: Tensor) -> Tensor:
    """The inner product over the reals, (b,): of complex images, that of their parts."""
    return (a.conj() * b).real.flatten(1).sum(dim=1)


def _relative(a: Tensor, b: Tensor) -> float:
    scale = torch.maximum(a.abs().max(), b.abs().max()).clamp_min(1e-30)
    return float((a - b).abs().max() / scale)
