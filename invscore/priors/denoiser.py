"""Any denoiser as a prior: a function or module D(x, sigma) in a range of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from invscore.batches import PerImage, per_image
from invscore.hardware.precision import FixedPrecision, evaluation
from invscore.options.words import kind_of
from invscore.priors.base import Prior
from invscore.priors.sizes import Sizes

Range = tuple[float, float]


class DenoiserPrior(Prior, nn.Module):
    """The prior of a denoiser ``D(z, s)``, a function or a module of anybody's making.

    ``D`` takes a batch of noisy images, (b, c, h, w), and the standard deviation of their noise,
    (b,), both in its own ``range``, and gives the mean of the clean images: ``range`` is what 0 and
    1 in image units are to D. One that works on [-1, 1] is told twice the sigma of image units.

    ``channels`` are those of an image; images of a prior that is ``complex`` are complex, and D
    takes and gives twice as many real channels, the real and the imaginary part of each in turn,
    with ``range`` what -1 and 1 are to it. ``sigma_min`` and ``sigma_max``, in image units, are the
    levels that D knows. Below them its score is taken to be that at ``sigma_min``, so that
    ``D(x, 0) = x``; above, D is asked as at ``sigma_max``. ``multiple``, ``size`` and ``overlap``
    say what sizes of images it takes (``Sizes``). ``mean`` and ``deviation`` of a pixel, in image
    units, scale the methods' defaults. ``facts`` are told whoever asks.

    A module computes in the precision of its weights, whatever that of the images, or in bfloat16
    where ``precision`` is ``"bf16"`` (``evaluated_in``). Raises
    ``ValueError`` for arguments that make no sense, and for images of another kind.

    ```python
    from invscore.priors import DenoiserPrior

    def shrink(z, s):  # the best linear denoiser of images of variance 1/16 about 1/2
        gain = 1 / (1 + 16 * s.reshape(-1, 1, 1, 1) ** 2)
        return 0.5 + gain * (z - 0.5)

    prior = DenoiserPrior(shrink, channels=1, sigma_min=0.01, sigma_max=2.0)
    ```

        >>> import torch
        >>> from invscore.priors import DenoiserPrior
        >>> def shrink(x, sigma):
        ...     return x / (1 + sigma.reshape(-1, 1, 1, 1) ** 2)
        >>> prior = DenoiserPrior(shrink, channels=1, sigma_min=0.01, sigma_max=2.0)
        >>> prior.denoise(torch.ones(1, 1, 2, 2), 1.0).unique()
        tensor([0.5000])
    """

    channels: int
    precision: FixedPrecision = "fp32"

    def __init__(
        self,
        D: Callable[[Tensor, Tensor], Tensor],
        *,
        channels: int,
        range: Range = (0.0, 1.0),
        sigma_min: float,
        sigma_max: float,
        complex: bool = False,
        multiple: int = 1,
        size: int | tuple[int, int] | None = None,
        overlap: int | None = None,
        mean: float | None = None,
        deviation: float = 0.25,
        symmetric: bool = False,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        low, high = map(float, range)
        if not low < high:
            raise ValueError(f"`range` must be two rising numbers such as (-1, 1), got {range}")
        if not 0 < sigma_min <= sigma_max:
            raise ValueError(
                "`sigma_min` and `sigma_max` must keep 0 < sigma_min <= sigma_max, got "
                f"{sigma_min} and {sigma_max}"
            )
        if channels < 1:
            raise ValueError(f"`channels` must be a whole number from 1, got {channels}")
        if not deviation > 0:
            raise ValueError(f"`deviation` must be positive, got {deviation}")
        if not callable(D):
            raise ValueError(f"`D` must be a function or module D(z, s), got {kind_of(D)}")
        super().__init__()
        self.D = D
        self.channels, self.complex, self.symmetric = channels, complex, symmetric
        self.function = not isinstance(D, nn.Module)
        self.range = (low, high)
        self.sigma_min, self.sigma_max = float(sigma_min), float(sigma_max)
        sizes = (size, size) if isinstance(size, int) else size
        self.sizes = Sizes(multiple, sizes, overlap)
        self.mean = (0.0 if complex else 0.5) if mean is None else float(mean)
        self.variance = float(deviation) ** 2
        self.peak = 1.0
        self.metadata = {} if sizes is None else {"shape": [channels, *sizes]}
        self._facts = dict(facts or {})

    @property
    def scale(self) -> float:
        """Size of one image unit in the range of D, and so of sigma."""
        low, high = self.range
        return (high - low) / 2 if self.complex else high - low

    @property
    def facts(self) -> dict[str, Any]:
        """Facts of the prior in the words in which they are given."""
        return {
            **self._facts,
            "channels": f"{self.channels} complex" if self.complex else self.channels,
            "range": list(self.range),
            "sigma": [self.sigma_min, self.sigma_max],
            "sizes": str(self.sizes),
        }

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={value}" for name, value in self.facts.items())
        return f"{type(self).__name__}({told})"

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        self._require_images(x)
        level = per_image(sigma, x).reshape(-1).expand(len(x))
        known = level.clamp(self.sigma_min, self.sigma_max)
        own = self.scale * known
        denoised = self._images(self.sizes.apply(lambda z: self._ask(z, own), self._own(x)), x)
        frozen = per_image((level / known).clamp(max=1) ** 2, x)  # 1 from sigma_min on
        return x + frozen * (denoised - x)

    def _ask(self, z: Tensor, s: Tensor) -> Tensor:
        weight = next(self.parameters(), z)
        try:
            with evaluation(self.precision, z.device):
                denoised = self.D(z.to(weight.dtype), s.to(weight.dtype))
        except Exception as error:
            error.add_note(
                f"`D` was given images of shape {tuple(z.shape)} and the levels of their noise, of "
                f"shape {tuple(s.shape)}: s.reshape(-1, 1, 1, 1) broadcasts against the images"
            )
            raise
        if not isinstance(denoised, Tensor) or denoised.shape != z.shape:
            given = getattr(denoised, "shape", type(denoised).__name__)
            given = tuple(given) if isinstance(given, torch.Size) else given
            raise ValueError(f"`D` must give images of the shape {tuple(z.shape)}, got {given}")
        return denoised.to(z.dtype)

    def _require_images(self, x: Tensor) -> None:
        if x.ndim != 4 or x.shape[1] != self.channels:
            raise ValueError(
                f"the prior takes images of shape (b, {self.channels}, h, w), got {tuple(x.shape)}"
            )
        if not (x.is_complex() if self.complex else x.is_floating_point()):
            kind = "complex images" if self.complex else "real images in floating point"
            raise ValueError(f"the prior takes {kind}, got {x.dtype}")

    def _own(self, x: Tensor) -> Tensor:
        """Images in real channels and in the range of D."""
        if self.complex:
            x = torch.view_as_real(x).movedim(-1, 2).flatten(1, 2)
        return self._offset + self.scale * x

    def _images(self, z: Tensor, like: Tensor) -> Tensor:
        """Images in image units, complex where those ``like`` them are."""
        x = (z - self._offset) / self.scale
        if not self.complex:
            return x
        pairs = x.reshape(len(like), self.channels, 2, *like.shape[2:]).movedim(2, -1)
        return torch.view_as_complex(pairs.contiguous())

    @property
    def _offset(self) -> float:
        """Value of 0 in image units in the range of D."""
        low, high = self.range
        return (low + high) / 2 if self.complex else low
