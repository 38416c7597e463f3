"""The prior contract: one quantity, the posterior-mean denoiser."""

from __future__ import annotations

import abc
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from invscore.batches import PerImage, ordinary, per_image
from invscore.priors.detail import DetailLaw
from invscore.priors.noise_covariance import Kind, NoiseCovariance


def __getattr__(name: str) -> Any:
    if name == "Level":
        warnings.warn(
            "invscore.priors.Level is now invscore.batches.PerImage", FutureWarning, stacklevel=2
        )
        return PerImage
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@dataclass(frozen=True)
class Footprint:
    """Receptive field, stride and memory of one evaluation of a network.

    ``reach``: pixels in each direction on which a pixel of the result depends. ``stride``: the
    network is the same after a shift by so many pixels. ``bytes_per_pixel``: of memory at its
    height, for an image.
    """

    reach: int
    stride: int
    bytes_per_pixel: float


class Prior(abc.ABC):
    """A density on images, known through ``D(x, sigma) = E[x0 | x0 + sigma n = x]``.

    Images are batched, (b, \\*shape), in image units; ``sigma`` is a standard deviation in the
    same units. A complex image carries noise of that deviation in its real and in its imaginary
    part.

    ``sigma_min`` and ``sigma_max`` bound the levels at which ``denoise`` can be trusted.
    ``mean`` is the mean image (a number, or a tensor of its shape) and ``variance`` the variance of
    a pixel, averaged over the image; that of the real part, and of the imaginary part, where
    images are complex. ``peak`` is the intensity that images reach, by which a measurement in other
    units is normalised; ``None`` where the prior knows images in absolute units. ``symmetric`` says
    that images (\\*, h, w) are as likely mirrored and turned by 90 degrees as they are, so that a
    method may evaluate D at any of them. ``has_density`` tells whether there is a
    ``log_density``. ``channels`` is the number of an image's channels, ``None`` where any will do,
    and ``complex`` says that images are complex. ``noise_kinds`` names the bases in which noise may
    have variances of its own for ``denoise_with``. ``metadata`` is what a file says of the prior.
    ``footprint`` is known where D may be evaluated in tiles, see ``invscore.priors.fitted``.
    ``detail``: how strong fine detail is where coarser detail is known, of priors of gray
    photographs, see ``invscore.priors.detail``. ``function``: D is a function of somebody's own
    and no network, so that it may be asked often.

        >>> import torch
        >>> from invscore.batches import per_image
        >>> from invscore.priors import Prior
        >>> class Centred(Prior):
        ...     mean, variance = 0.0, 1.0
        ...     def denoise(self, x, sigma):
        ...         return x / (1 + per_image(sigma, x) ** 2)
        >>> Centred().score(torch.full((1, 1, 1, 1), 2.0), 1.0).item()
        -1.0
    """

    mean: float | Tensor
    variance: float
    peak: float | None = None
    sigma_min: float = 0.0
    sigma_max: float = float("inf")
    symmetric: bool = False
    has_density: bool = False
    channels: int | None = None
    complex: bool = False
    noise_kinds: frozenset[Kind] = frozenset()
    metadata: Mapping[str, Any] = MappingProxyType({})
    footprint: Footprint | None = None
    detail: DetailLaw | None = None
    function: bool = False

    def _take_after(self, prior: Prior) -> None:
        """Take over what ``prior`` declares of itself."""
        self.mean, self.variance, self.peak = prior.mean, prior.variance, prior.peak
        self.sigma_min, self.sigma_max = prior.sigma_min, prior.sigma_max
        self.symmetric, self.has_density = prior.symmetric, prior.has_density
        self.detail, self.function = prior.detail, prior.function

    @property
    def unit(self) -> float:
        """The length that papers call 1 when they scale images to [-1, 1], in image units."""
        return 1.0 if self.peak is None else self.peak / 2

    @abc.abstractmethod
    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        """``E[x0 | x0 + sigma n = x]``, of the shape of ``x``."""

    def score(self, x: Tensor, sigma: PerImage) -> Tensor:
        """Gradient of the log-density of ``x0 + sigma n`` at ``x`` (Tweedie's formula)."""
        return (self.denoise(x, sigma) - x) / per_image(sigma, x) ** 2

    def denoise_with(self, x: Tensor, noise: NoiseCovariance) -> Tensor:  # noqa: ARG002
        """``E[x0 | x0 + n = x]`` for Gaussian noise n of the covariance ``noise``, like ``x``.

        Raises ``ValueError`` where the basis of the noise is not of the ``noise_kinds``: most
        learned priors know white noise alone.
        """
        raise ValueError(
            f"the noise must be white for a {type(self).__name__}, got one that differs between "
            f"{noise.basis.kind}"
        )

    def log_density(self, x: Tensor, sigma: PerImage) -> Tensor:  # noqa: ARG002
        """Log-density of ``x0 + sigma n`` at ``x`` in nats, (b,), up to a constant of the level.

        Its gradient in ``x`` is the score; ``sigma`` > 0. Most learned priors know their score
        alone: raises ``ValueError`` where ``has_density`` is false.
        """
        raise ValueError(
            "the prior must have a density, such as an EnergyPrior or a "
            f"GaussianMixturePrior, got a {type(self).__name__}, which has a score alone"
        )

    def pullback(self, x: Tensor, sigma: PerImage) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """``D(x, sigma)`` and the function ``u -> J^T u``, J the Jacobian of D in ``x``.

        The function may be called more than once.
        """
        with torch.inference_mode(False), torch.enable_grad():
            leaf = ordinary(x).requires_grad_()
            denoised = self.denoise(leaf, sigma)

        def pull(u: Tensor) -> Tensor:
            return torch.autograd.grad(denoised, leaf, u, retain_graph=True)[0]

        return denoised.detach(), pull


def require_images(x: Tensor, like: Tensor) -> None:
    """Raise ``ValueError`` unless ``x`` is a batch of images of the shape and dtype of ``like``."""
    if x.shape[1:] != like.shape or x.ndim != like.ndim + 1:
        raise ValueError(
            f"the images must have shape (b, {', '.join(map(str, like.shape))}) for this "
            f"prior, got {tuple(x.shape)}"
        )
    if x.dtype != like.dtype:
        raise ValueError(
            f"the images must be in {like.dtype} for this prior, got {x.dtype}: see to(dtype=)"
        )
