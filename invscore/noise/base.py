"""Interface of laws of noise, ``p(y | clean)``."""

from __future__ import annotations

import abc

import torch
from torch import Tensor

from invscore.batches import PerImage, ordinary, real_numbers
from invscore.options.words import kind_of
from invscore.rng import SampleRNG


class Noise(abc.ABC):
    """The law of a measurement given its clean value, both (b, \\*out_shape).

    Write ``sample``, ``log_likelihood``, ``variance``, ``kurtosis`` and ``scaled``; where the mean
    of y is not the clean value also ``working`` and ``standardised``; where the law differs between
    images or between numbers also ``select`` or ``flat``. The rest follows.

    >>> import torch
    >>> from invscore.noise import GaussianNoise, Noise
    >>> noise: Noise = GaussianNoise(0.1)
    >>> noise.variance(torch.zeros(1, 1, 2, 2)).unique()
    tensor([0.0100])
    """

    @abc.abstractmethod
    def sample(self, clean: Tensor, rng: SampleRNG) -> Tensor:
        """A noisy measurement of ``clean``."""

    @abc.abstractmethod
    def log_likelihood(self, y: Tensor, clean: Tensor) -> Tensor:
        """``log p(y | clean)`` in nats, normalised in y, one an image: (b,)."""

    @abc.abstractmethod
    def variance(self, clean: Tensor) -> Tensor:
        """The variance of a measurement given its clean value: broadcasts against it.

        That of ``working``, one over Fisher's information, where y is not clean on average.
        """

    @abc.abstractmethod
    def kurtosis(self, clean: Tensor) -> Tensor:
        """The excess kurtosis of a measurement given its clean value: broadcasts against it."""

    @abc.abstractmethod
    def scaled(self, factor: PerImage) -> Noise:
        """The noise of ``factor * y``."""

    def score(self, y: Tensor, clean: Tensor) -> Tensor:
        """The gradient of ``log p(y | clean)`` in ``clean``."""
        with torch.inference_mode(False), torch.enable_grad():
            leaf = ordinary(clean).requires_grad_()
            return torch.autograd.grad(self.log_likelihood(ordinary(y), leaf).sum(), leaf)[0]

    def check(self, y: Tensor) -> None:  # noqa: B027
        """Raise ``ValueError`` where ``y`` cannot be a measurement with this noise."""

    def select(self, images: Tensor) -> Noise:  # noqa: ARG002
        """The noise of the images with the indices ``images``, (k,)."""
        return self

    def working(self, y: Tensor, clean: Tensor) -> Tensor:  # noqa: ARG002
        """The Gaussian measurement, of ``variance(clean)``, that is like y for values near clean.

        y itself where its mean is the clean value; elsewhere that of Fisher's scoring, ``clean +
        variance(clean) * score`` (McCullagh & Nelder 1989, Sec. 2.5).
        """
        return y

    def standardised(self, y: Tensor, clean: Tensor) -> Tensor:
        """The residual in units of the noise: of mean 0 and variance 1 for the clean value."""
        return (y - clean) / self.variance(clean).sqrt()

    def flat(self, places: Tensor | None, out_shape: tuple[int, ...]) -> Noise:  # noqa: ARG002
        """This law of measurements that are flat, (b, n): all numbers, or those at ``places``."""
        return self

    def estimated_variance(self, y: Tensor) -> Tensor:
        """The variance of each number of ``y``, as ``y`` itself tells it: broadcasts against y."""
        return self.variance(y)

    def misfit(self, y: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
        """The mean square of the residual in units of the noise, and its variance, (b,) each.

        Of measured numbers (b, n), real and imaginary parts apart. If ``y`` is a measurement of
        ``clean``, the mean is 1 and the variance that which is given.
        """
        residual = real_numbers(self.standardised(y, clean)).flatten(1)
        excess = self.kurtosis(clean).expand(clean.shape).flatten(1).mean(dim=1)
        return residual.square().mean(dim=1), (2 + excess) / residual.shape[1]

    def at_least(self, level: Tensor) -> Noise:  # noqa: ARG002
        """This noise, but no smaller than ``level``, (b,): where rounding errors are larger."""
        return self


def require_moments(noise: Noise, y: Tensor) -> None:
    """Raise ``TypeError`` unless variance and kurtosis of numbers like ``y`` are tensors."""
    for name in ("variance", "kurtosis"):
        given = getattr(noise, name)(y)
        if not isinstance(given, Tensor):
            raise TypeError(
                f"`{name}` of {type(noise).__name__} must give a tensor that broadcasts against "
                f"its argument, clean.new_tensor({given!r}) for one number, got {kind_of(given)}"
            )


def require_magnitudes(y: Tensor, law: str) -> None:
    """Raise ``ValueError`` unless ``y`` is real and nowhere below 0, as under ``law``."""
    if y.is_complex() or bool((y < 0).any()):
        given = "complex" if y.is_complex() else f"as low as {float(y.min())}"
        raise ValueError(
            f"the measurement `y` must be real and not negative for {law}, got {given}"
        )
