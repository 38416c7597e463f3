"""The Frechet distance between two sets of images, of which neither need know the other's."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from invscore.hardware.doubles import doubled
from invscore.metrics.pretrained import as_photographs, unavailable

Features = Callable[[Tensor], Tensor]
SIDE = 299
"""Side in pixels of the images that Inception takes."""
TOGETHER = 32
"""Images that are evaluated together."""


def frechet_distance(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> float:
    """The squared Frechet distance, that is Wasserstein-2, of two Gaussian laws.

    ``|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a^1/2 C_b C_a^1/2)^1/2)`` (Dowson & Landau 1982), means
    (d,) and covariances (d, d), which may be singular; computed in float64.

    >>> import torch
    >>> from invscore.metrics import frechet_distance
    >>> mean, covariance = torch.zeros(2), torch.eye(2)
    >>> round(frechet_distance(mean, covariance, mean + 1, 4 * covariance), 4)
    4.0
    """
    mean_a, cov_a, mean_b, cov_b = (doubled(t) for t in (mean_a, cov_a, mean_b, cov_b))
    # The trace of the root is the sum of the singular values of C_a^1/2 C_b^1/2.
    cross = torch.linalg.svdvals(_root(cov_a) @ _root(cov_b)).sum()
    shift = (mean_a - mean_b).square().sum()
    return float((shift + cov_a.trace() + cov_b.trace() - 2 * cross).clamp(min=0))


def _root(covariance: Tensor) -> Tensor:
    """The symmetric square root. What rounding leaves of zero eigenvalues is a zero again: its root
    would be ten million times as large."""
    values, vectors = torch.linalg.eigh(covariance)
    rounding = 10 * len(values) * torch.finfo(values.dtype).eps * values.max()
    return (vectors * torch.where(values > rounding, values, 0).sqrt()) @ vectors.T


def fid_unavailable() -> str | None:
    """Why there are no Inception features, in a sentence, or None where there are: see ``fid``.

    >>> from invscore.metrics import fid_unavailable
    >>> why = fid_unavailable()
    >>> why is None or len(why) > 0
    True
    """
    return unavailable("FID", ("torchvision",), "Inception_V3_Weights")


@torch.no_grad()
def fid(
    samples: Tensor, references: Tensor, peak: float = 1.0, features: Features | None = None
) -> float | None:
    """The Frechet distance of the features of two sets of images (Heusel et al. 2017).

    ``samples`` (n, 1 or 3, h, w) and ``references`` (m, 1 or 3, h, w), n and m being thousands:
    the distance of fewer is too large, and sets of different size do not compare. ``features``
    maps images (k, 3, h, w) in [0, 1], clipped, to (k, d); by default the 2048 numbers before the
    last layer of torchvision's Inception v3, for images enlarged to 299 x 299. These are not the
    weights of the original FID: distances compare among themselves, not with papers.

    None where torchvision or these weights are not there (``fid_unavailable`` says which): nothing
    is downloaded. Raises ``ValueError`` for fewer than 2 images.

    >>> import torch
    >>> from invscore.metrics import fid
    >>> images = torch.rand(8, 3, 16, 16)
    >>> means = lambda x: x.mean(dim=(2, 3))
    >>> round(fid(images, images, features=means), 6)
    0.0
    """
    for name, images in (("samples", samples), ("references", references)):
        if len(images) < 2:
            raise ValueError(f"`{name}` must have at least 2 images, got {len(images)}")
    if features is None:
        if fid_unavailable():
            return None
        features = _inception
    laws = [_law(images, peak, features) for images in (samples, references)]
    return frechet_distance(*laws[0], *laws[1])


def _law(images: Tensor, peak: float, features: Features) -> tuple[Tensor, Tensor]:
    """Mean (d,) and covariance (d, d) of the features of a set."""
    shown = as_photographs(images, peak)
    parts = [features(shown[i : i + TOGETHER]) for i in range(0, len(shown), TOGETHER)]
    found = doubled(torch.cat(parts))
    return found.mean(dim=0), torch.cov(found.T).reshape(found.shape[1], -1)


def _inception(images: Tensor) -> Tensor:
    """(k, 3, h, w) in [0, 1] to (k, 2048)."""
    from torchvision.models import Inception_V3_Weights

    preset = Inception_V3_Weights.DEFAULT.transforms()
    mean, std = (torch.tensor(values)[:, None, None] for values in (preset.mean, preset.std))
    large = torch.nn.functional.interpolate(
        images, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False
    )
    return _network()((large - mean) / std)


@lru_cache(maxsize=1)
def _network() -> torch.nn.Module:
    from torchvision.models import Inception_V3_Weights, inception_v3

    network = inception_v3(weights=Inception_V3_Weights.DEFAULT)
    network.fc = torch.nn.Identity()
    return network.eval()
