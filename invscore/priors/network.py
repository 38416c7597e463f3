"""A neural network as a prior, and its checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from invscore.batches import PerImage, per_image
from invscore.files.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from invscore.hardware.precision import FixedPrecision, evaluation
from invscore.networks import build_network, own_network
from invscore.networks.noise_maps import relative_coordinates
from invscore.networks.unet import UNet
from invscore.priors.base import Footprint, Prior
from invscore.priors.detail import DetailLaw
from invscore.priors.from_object import foreign_advice
from invscore.priors.noise_covariance import NoiseCovariance
from invscore.priors.parametrisation import Parametrisation, describe, find_parametrisation
from invscore.priors.stored import read_stored

AT_ONCE = 64e6
"""Most bytes of a network's tensors that a processor works on at once. The memory of larger ones is
mapped anew for each (glibc: beyond 32 MB), which takes a fifth of the time."""


class NetworkPrior(Prior, nn.Module):
    """``D(x) = m + c_skip (x - m) + c_out F(c_in (x - m); c_noise)``.

    ``parametrisation`` says what F predicts, by name, as a mix ``{"noise": a, "data": b}`` or as a
    ``Parametrisation``, where the coefficients are. ``sigma_data`` is the standard deviation of
    the images about ``mean``: F sees tensors of unit variance at every noise level. F has been
    trained for ``sigma_min`` to ``sigma_max``; beyond, it is asked as at the nearer end and the
    other coefficients are those of the level itself, so that ``D(x, 0) = x`` wherever F does not
    predict the image alone.

    Images have ``channels`` channels. Those of a prior that is ``complex`` are complex, of
    ``sigma_data`` in the real and in the imaginary part about a real ``mean``; F takes and gives
    twice as many real channels, the real and imaginary part of each in turn.

    A network that has been trained with ``noise_maps``, as its attribute says, is also called as
    F(c_in (x - m); c_noise, r), where noise differs between pixels: the coefficients are then those
    of each pixel's level, c_noise is the mean of the pixels' own and r their difference from it.

    F computes in the precision of its weights, or in bfloat16 where ``precision`` is ``"bf16"``
    (``evaluated_in``), and the rest in that of the images, which is returned. Raises ``ValueError``
    for noise levels that leave no range above 0.

        >>> import torch
        >>> from invscore import NetworkPrior
        >>> from invscore.networks import build_network
        >>> network = build_network("unet", channels=1, widths=(4, 8), blocks=1, embedding=8)
        >>> NetworkPrior(network, channels=1).denoise(torch.zeros(2, 1, 8, 8), 0.1).shape
        torch.Size([2, 1, 8, 8])
    """

    channels: int
    precision: FixedPrecision = "fp32"

    def __init__(
        self,
        network: nn.Module,
        *,
        channels: int,
        mean: float = 0.5,
        sigma_data: float = 0.25,
        sigma_min: float = 0.002,
        sigma_max: float = 20.0,
        parametrisation: str | Mapping[str, float] | Parametrisation = "edm",
        complex: bool = False,
        symmetric: bool = False,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        if not (0 < sigma_min < sigma_max and sigma_data > 0):
            raise ValueError(
                "`sigma_min`, `sigma_max` and `sigma_data` must satisfy 0 < sigma_min < "
                f"sigma_max and sigma_data > 0, got {sigma_min}, {sigma_max} and {sigma_data}"
            )
        advice = foreign_advice(network)
        if advice is not None:
            raise ValueError(
                f"`network` must take preconditioned images, called as F(x, ln(sigma) / 4): it "
                f"is {advice}"
            )
        super().__init__()
        self.network = network
        self.channels = channels
        self.mean = mean
        self.sigma_data = sigma_data
        self.sigma_min = sigma_min
        self.sigma_max = sigma_max
        self.parametrisation = find_parametrisation(parametrisation)
        self.complex = complex
        self.symmetric = symmetric
        self.variance = sigma_data**2
        self.peak = 1.0
        if getattr(network, "noise_maps", False) is True:
            self.noise_kinds = frozenset({"pixels"})
        self.metadata: dict[str, Any] = dict(metadata or {})
        if "detail" in self.metadata:
            self.detail = DetailLaw.from_metadata(self.metadata["detail"])
        if isinstance(network, UNet) and network.reach is not None:
            self.footprint = Footprint(network.reach, network.stride, network.bytes_per_pixel)

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        self._require_images(x)
        level = per_image(sigma, x)
        return self._denoised(x, level, self._predict(*self._inputs(x, level)))

    def denoise_with(self, x: Tensor, noise: NoiseCovariance) -> Tensor:
        if noise.basis.kind not in self.noise_kinds:
            return super().denoise_with(x, noise)
        self._require_images(x)
        level = noise.variances.to(x.real.dtype).sqrt().expand(x.shape)
        coordinates = level.clamp(self.sigma_min, self.sigma_max).log() / 4
        if self.complex:
            coordinates = coordinates.repeat_interleave(2, dim=1)
        noise_coordinates = relative_coordinates(coordinates)
        inputs = self._standardised(x, level)
        told = (part.to(inputs.dtype) for part in noise_coordinates)
        return self._denoised(x, level, self._predict(inputs, *told))

    def loss_weight(self, sigma: Tensor) -> Tensor:
        """``1 / c_out^2``: the weight that makes the loss of D the squared error of F."""
        return self.parametrisation.loss_weight(sigma, self.sigma_data)

    def save(self, path: Path, dtype: torch.dtype = torch.float16) -> None:
        """Write the weights in ``dtype`` with all that ``load`` needs to rebuild the prior.

        Of a network of one's own, ``metadata`` has to say what it is made by, for example
        ``{"architecture": {"name": "my.py:Net", "width": 32}}``: a class, and its options.

        Raises ``ValueError`` where it does not, and for a parametrisation of one's own, which a
        file cannot describe.
        """
        architecture = self.metadata.get("architecture")
        if not isinstance(architecture, Mapping) or "name" not in architecture:
            raise ValueError(
                "`metadata` must say what makes the network before the prior is saved, such as "
                "{'architecture': {'name': 'my.py:Net', 'width': 32}}, got "
                f"{architecture!r} for a {type(self.network).__name__}"
            )
        metadata = {
            **self.metadata,
            **({} if self.detail is None else {"detail": self.detail.metadata}),
            "parametrisation": {
                "name": describe(self.parametrisation),
                "channels": self.channels,
                "mean": self.mean,
                "sigma_data": self.sigma_data,
                "sigma_min": self.sigma_min,
                "sigma_max": self.sigma_max,
                "complex": self.complex,
                "symmetric": self.symmetric,
            },
        }
        weights = {name: w.to(dtype) for name, w in self.network.state_dict().items()}
        save_checkpoint(path, weights, metadata)

    @classmethod
    def load(cls, path: Path, *, network: str | Callable[..., nn.Module] | None = None) -> Self:
        """The prior saved in ``path``, in float32, without gradients to its weights.

        ``network``: the class of a network of one's own, or its address, ``"my.py:Net"``; it is
        called with the options of the architecture that was saved. Raises ``CheckpointError`` where
        the file does not describe such a prior.
        """
        weights, metadata = load_checkpoint(path)
        try:
            stored = read_stored(metadata)
            architecture = stored.architecture.model_dump()
            inner = (
                build_network(**architecture)
                if network is None
                else own_network(network, **architecture)
            )
            form = stored.parametrisation.model_dump()
            prior = cls(inner, parametrisation=form.pop("name"), metadata=metadata, **form)
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"checkpoint {str(path)!r} is no prior: {error}") from error
        try:
            inner.load_state_dict(weights)
        except RuntimeError as error:
            raise CheckpointError(
                f"checkpoint {str(path)!r} is no prior: its weights do not fit its architecture"
            ) from error
        if not all(bool(w.isfinite().all()) for w in weights.values()):
            raise CheckpointError(
                f"checkpoint {str(path)!r} must have finite weights, got NaN or infinite ones"
            )
        return prior.float().eval().requires_grad_(False)

    def _require_images(self, x: Tensor) -> None:
        if x.ndim != 4 or x.shape[1] != self.channels:
            each = ": Channelwise(prior) takes any number of channels, one by one"
            raise ValueError(
                f"the images must have shape (b, {self.channels}, h, w) for this prior, got "
                f"{tuple(x.shape)}{each if x.ndim == 4 and self.channels == 1 else ''}"
            )
        if not (x.is_complex() if self.complex else x.is_floating_point()):
            kind = "complex images" if self.complex else "real images in floating point"
            raise ValueError(f"the images must be {kind} for this prior, got {x.dtype}")

    def _predict(self, x: Tensor, *told: Tensor) -> Tensor:
        """F, on a processor of a few images at a time where that is faster."""
        with evaluation(self.precision, x.device):
            return self._evaluated(x, *told)

    def _evaluated(self, x: Tensor, *told: Tensor) -> Tensor:
        if self.footprint is None or x.device.type != "cpu":
            return self.network(x, *told)
        each = self.footprint.bytes_per_pixel * x.shape[-2] * x.shape[-1]
        few = max(1, int(AT_ONCE / each))
        if len(x) <= few:
            return self.network(x, *told)
        parts = zip(*(torch.split(tensor, few) for tensor in (x, *told)), strict=True)
        return torch.cat([self.network(*part) for part in parts])

    def _inputs(self, x: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """``c_in (x - m)`` in real channels and ``c_noise``, in the precision of the weights."""
        known = level.clamp(self.sigma_min, self.sigma_max)
        noise = (known.log() / 4).reshape(-1).expand(len(x))
        centred = self._standardised(x, level)
        return centred, noise.to(centred.dtype)

    def _standardised(self, x: Tensor, level: Tensor) -> Tensor:
        """``c_in (x - m)`` in real channels, in the precision of the weights."""
        centred = (x - self.mean) * (level**2 + self.sigma_data**2).rsqrt()
        if self.complex:
            centred = torch.view_as_real(centred.resolve_conj()).movedim(-1, 2).flatten(1, 2)
        return centred.to(next(self.network.parameters(), centred).dtype)

    def _denoised(self, x: Tensor, level: Tensor, prediction: Tensor) -> Tensor:
        """D of what F predicts."""
        skip, out = self.parametrisation.coefficients(level, self.sigma_data)
        return self.mean + skip * (x - self.mean) + out * self._as_images(prediction, x)

    def _as_images(self, prediction: Tensor, like: Tensor) -> Tensor:
        """Predictions of F in the dtype of the images ``like``."""
        prediction = prediction.to(like.real.dtype)
        if not self.complex:
            return prediction
        pairs = prediction.reshape(len(like), self.channels, 2, *like.shape[2:]).movedim(2, -1)
        return torch.view_as_complex(pairs.contiguous())
