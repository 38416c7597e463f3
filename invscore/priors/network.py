"""A neural network as a prior, preconditioned as in EDM, and its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from invscore.batches import per_image
from invscore.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from invscore.networks import build_network
from invscore.priors.base import Level, Prior


class NetworkPrior(Prior, nn.Module):
    """``D(x) = m + c_skip (x - m) + c_out F(c_in (x - m); c_noise)``.

    The coefficients are those of Karras et al. 2022 (EDM), Table 1, with ``sigma_data`` the
    standard deviation of the images about ``mean``: F sees and predicts tensors of unit variance
    at every noise level. F has been trained for ``sigma_min`` to ``sigma_max``; beyond, it is
    asked as at the nearer end and the other coefficients are those of the level itself, so that
    ``D(x, 0) = x``.

    F computes in the precision of its weights and the rest in that of the images, which is
    returned. Raises ``ValueError`` for noise levels that leave no range above 0.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        channels: int,
        mean: float = 0.5,
        sigma_data: float = 0.25,
        sigma_min: float = 0.002,
        sigma_max: float = 20.0,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        if not (0 < sigma_min < sigma_max and sigma_data > 0):
            raise ValueError(
                f"sigma_min, sigma_max and sigma_data are {sigma_min}, {sigma_max} and "
                f"{sigma_data}: 0 < sigma_min < sigma_max and sigma_data > 0 are needed"
            )
        super().__init__()
        self.network = network
        self.channels = channels
        self.mean = mean
        self.sigma_data = sigma_data
        self.sigma_min = sigma_min
        self.sigma_max = sigma_max
        self.variance = sigma_data**2
        self.peak = 1.0
        self.metadata: dict[str, Any] = dict(metadata or {})

    def denoise(self, x: Tensor, sigma: Level) -> Tensor:
        if x.ndim != 4 or x.shape[1] != self.channels:
            raise ValueError(
                f"the prior takes images of shape (b, {self.channels}, h, w), "
                f"given {tuple(x.shape)}"
            )
        if not x.is_floating_point():
            raise ValueError(f"the prior takes real images in floating point, given {x.dtype}")
        level = per_image(sigma, x)
        variance = level**2 + self.sigma_data**2
        known = level.clamp(self.sigma_min, self.sigma_max)
        noise = (known.log() / 4).reshape(-1).expand(len(x))
        centred = x - self.mean
        weights = next(self.network.parameters(), x)
        prediction = self.network(
            (centred * variance.rsqrt()).to(weights.dtype), noise.to(weights.dtype)
        )
        skip = self.sigma_data**2 / variance
        out = level * self.sigma_data * variance.rsqrt()
        return self.mean + skip * centred + out * prediction.to(x.dtype)

    def loss_weight(self, sigma: Tensor) -> Tensor:
        """``1 / c_out^2``: the weight that makes the loss of F uniform over noise levels."""
        return (sigma**2 + self.sigma_data**2) / (sigma * self.sigma_data) ** 2

    def save(self, path: Path, dtype: torch.dtype = torch.float16) -> None:
        """Write the weights in ``dtype`` with all that ``load`` needs to rebuild the prior."""
        metadata = {
            **self.metadata,
            "parametrisation": {
                "name": "edm",
                "channels": self.channels,
                "mean": self.mean,
                "sigma_data": self.sigma_data,
                "sigma_min": self.sigma_min,
                "sigma_max": self.sigma_max,
            },
        }
        weights = {name: w.to(dtype) for name, w in self.network.state_dict().items()}
        save_checkpoint(path, weights, metadata)

    @classmethod
    def load(cls, path: Path) -> NetworkPrior:
        """The prior saved in ``path``, in float32, without gradients to its weights.

        Raises ``CheckpointError`` where the file does not describe such a prior.
        """
        weights, metadata = load_checkpoint(path)
        try:
            options = dict(metadata["parametrisation"])
            if (kind := options.pop("name")) != "edm":
                raise ValueError(f"unknown parametrisation {kind!r}")
            network = build_network(**metadata["architecture"])
            prior = cls(network, metadata=metadata, **options)
        except KeyError as error:
            raise CheckpointError(
                f"checkpoint {str(path)!r} is no prior: its metadata has no {error}"
            ) from error
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"checkpoint {str(path)!r} is no prior: {error}") from error
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            raise CheckpointError(
                f"checkpoint {str(path)!r} is no prior: its weights do not fit its architecture"
            ) from error
        if not all(bool(w.isfinite().all()) for w in weights.values()):
            raise CheckpointError(f"checkpoint {str(path)!r} has weights that are not finite")
        return prior.float().eval().requires_grad_(False)
