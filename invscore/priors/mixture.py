"""Gaussian mixture priors: denoiser, score, Jacobian, density and samples in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from invscore.batches import Numbers, PerImage, as_tensor, per_image
from invscore.hardware.doubles import doubled
from invscore.priors.base import Prior, require_images
from invscore.priors.coloured import Coloured, kinds_of
from invscore.priors.covariance import Covariance, precision, shrinkage
from invscore.priors.gaussian import finite
from invscore.priors.noise_covariance import NoiseCovariance
from invscore.rng import SampleRNG, sample_rng

RANK_TOLERANCE = 1e-9
MOST_ROOM = 16
"""Largest number of components times the rank of their means, in units of the size of an image, for
which distances are taken in the span of the means."""


@dataclass(frozen=True)
class Cluster:
    """Components that share a covariance; ``centres`` (m, d): their means in its eigenbasis.

    ``axes`` (d, r), orthonormal, span the differences of the centres from their average. Where the
    covariance is isotropic, components are told apart in this subspace alone; ``None`` elsewhere,
    and where it would save nothing.
    """

    covariance: Covariance
    centres: Tensor
    axes: Tensor | None

    @classmethod
    def of(cls, covariance: Covariance, means: Tensor) -> Cluster:
        """The cluster of ``means``, (m, d)."""
        centres = covariance.analyse(means)
        if not covariance.isotropic:
            return cls(covariance, centres, None)
        spread = doubled(centres - centres.mean(dim=0))
        _, lengths, axes = torch.linalg.svd(spread, full_matrices=False)
        rank = int((lengths > RANK_TOLERANCE * lengths.max()).sum())
        saves = len(means) * rank <= MOST_ROOM * means.shape[1]
        return cls(covariance, centres, axes[:rank].T.to(means) if saves else None)

    def distances(self, coefficients: Tensor, inverse: Tensor) -> Tensor:
        """``sum_i inverse_i (coefficients_i - centre_i)^2`` of each component: (b, d) -> (b, m).

        Differences are taken before they are squared, so that no digits are lost.
        """
        if self.axes is None:
            # One component at a time: memory stays that of the coefficients.
            root = inverse.sqrt()
            each = [(root * (coefficients - c)).square().sum(dim=1) for c in self.centres]
            return torch.stack(each, dim=1)
        origin = self.centres.mean(dim=0)
        away = coefficients - origin
        seen = away @ self.axes
        unseen = (away - seen @ self.axes.T).square().sum(1, True)
        apart = seen[:, None] - (self.centres - origin) @ self.axes
        return inverse[:, :1] * (unseen + apart.square().sum(dim=2))


class GaussianMixturePrior(Prior):
    """``p(x0) = sum_k weights_k N(means_k, C_k)`` on real images, flattened to d pixels.

    ``means``: (k, \\*shape). ``covariances``: a number (isotropic, shared by all components), (k,)
    numbers, (k, d) variances, (k, d, d) positive semi-definite matrices, or a sequence of
    ``Covariance``; one entry in place of k is shared by all components, and computing with it
    costs little more than with one Gaussian. ``weights``: (k,), not negative, divided by their
    sum; equal if not given.

    Raises ``ValueError`` where one of them has another shape or forbidden values.

        >>> import torch
        >>> from invscore import GaussianMixturePrior
        >>> mixture = GaussianMixturePrior(torch.tensor([[-1.0], [1.0]]), [0.01 * torch.eye(1)] * 2)
        >>> mixture.denoise(torch.tensor([[0.0]]), 1.0).item()
        0.0
    """

    has_density = True

    def __init__(
        self,
        means: Numbers,
        covariances: float | Tensor | Sequence[Covariance],
        weights: Numbers | None = None,
    ) -> None:
        means = finite("means", means)
        if means.ndim < 2:
            raise ValueError(f"`means` must have shape (k, *shape), got {tuple(means.shape)}")
        self.means = means
        self.covariances = _covariances(covariances, means)
        self.weights = _weights(weights, means)
        self.mean: Tensor = torch.tensordot(self.weights, means, dims=1)
        self.variance = float(self.std.square().mean())
        kinds = [kinds_of(covariance, means[0].numel()) for covariance in self.covariances]
        self.noise_kinds = frozenset.intersection(*kinds)
        flat = torch.split(means.flatten(1), len(means) // len(self.covariances))
        self._clusters = [
            Cluster.of(covariance, means)
            for covariance, means in zip(self.covariances, flat, strict=True)
        ]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one image."""
        return tuple(self.means.shape[1:])

    @property
    def std(self) -> Tensor:
        """The standard deviation of each pixel of the mixture, of the shape of an image."""
        within = torch.stack([covariance.diagonal for covariance in self.covariances])
        spread = (self.means - self.mean).flatten(1).square()
        return (self.weights @ (within + spread)).sqrt().reshape(self.shape)

    def responsibilities(self, x: Tensor, sigma: PerImage) -> Tensor:
        """The probability of each component given ``x0 + sigma n = x``: (b, k)."""
        return self._log_joint(x, sigma).softmax(dim=1)

    def log_prob(self, x: Tensor, sigma: PerImage = 0.0) -> Tensor:
        """Log-density of ``x0 + sigma n`` at ``x`` in nats, (b,)."""
        return self._log_joint(x, sigma).logsumexp(dim=1)

    def log_density(self, x: Tensor, sigma: PerImage) -> Tensor:
        return self.log_prob(x, sigma)

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        return self._denoise(x, self.responsibilities(x, sigma), sigma)

    def score(self, x: Tensor, sigma: PerImage) -> Tensor:
        """The scores of the components, averaged by responsibility; also at ``sigma`` = 0."""
        level, flat = _column(sigma, x), x.flatten(1)
        result = torch.zeros_like(flat)
        for cluster, share in self._shared(self.responsibilities(x, sigma)):
            c = cluster.covariance
            pull = share @ cluster.centres - share.sum(1, True) * c.analyse(flat)
            result = result + c.synthesise(precision(c.values, level) * pull)
        return result.reshape(x.shape)

    def pullback(self, x: Tensor, sigma: PerImage) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """J is ``Cov(x0 | x) / sigma^2``, symmetric; products with it, sigma > 0.

        That covariance is the average of those of the components, plus that of their denoisers
        D_k. As D_k = x + sigma^2 s_k with s_k the component's score, the second part of J u is
        sigma^2 Cov(s_k, s_k . u) over the components.
        """
        level, flat = _column(sigma, x), x.flatten(1)
        responsibilities = self.responsibilities(x, sigma)
        shares = self._shared(responsibilities)
        coefficients = [cluster.covariance.analyse(flat) for cluster, _ in shares]
        inverses = [precision(cluster.covariance.values, level) for cluster, _ in shares]

        def pull(u: Tensor) -> Tensor:
            direction = [cluster.covariance.analyse(u.flatten(1)) for cluster, _ in shares]
            projections = [
                (p * v) @ cluster.centres.T - (p * v * z).sum(1, True)
                for (cluster, _), z, p, v in zip(
                    shares, coefficients, inverses, direction, strict=True
                )
            ]
            projection = torch.cat(projections, dim=1)
            average = (responsibilities * projection).sum(1, True)
            tilts = self._shared(responsibilities * (projection - average))

            result = torch.zeros_like(flat)
            for (cluster, share), (_, tilt), z, p, v in zip(
                shares, tilts, coefficients, inverses, direction, strict=True
            ):
                within = shrinkage(cluster.covariance.values, level) * share.sum(1, True) * v
                between = level**2 * p * (tilt @ cluster.centres - tilt.sum(1, True) * z)
                result = result + cluster.covariance.synthesise(within + between)
            return result.reshape(u.shape)

        return self._denoise(x, responsibilities, sigma), pull

    def denoise_with(self, x: Tensor, noise: NoiseCovariance) -> Tensor:
        if noise.basis.kind not in self.noise_kinds:
            return super().denoise_with(x, noise)
        require_images(x, self.means[0])
        groups = torch.split(self.means, len(self.means) // len(self.covariances))
        parts = [
            Coloured.of(x, means, covariance, noise)
            for means, covariance in zip(groups, self.covariances, strict=True)
        ]
        evidence = torch.cat([part.log_evidence() for part in parts], dim=1)
        shares = (self.weights.log() + evidence).softmax(dim=1)
        split = torch.split(shares, len(groups[0]), dim=1)
        each = [part.denoised(share) for part, share in zip(parts, split, strict=True)]
        return torch.stack(each).sum(dim=0)

    def sample(self, n: int, rng: SampleRNG | int = 0) -> Tensor:
        """``n`` images, (n, \\*shape), from a generator of ``n`` streams or from a seed."""
        rng = sample_rng(rng, n, "prior", self.means.device)
        like = self.means[0].expand(n, *self.shape)
        edges = self.weights.cumsum(0)
        chosen = torch.searchsorted(edges, rng.uniform(like) * edges[-1], right=True)
        chosen = chosen.clamp_max(len(edges) - 1)
        white = rng.normal_like(like).flatten(1)
        result = self.means[chosen].flatten(1)
        for index, covariance in enumerate(self.covariances):
            mine = slice(None) if len(self.covariances) == 1 else chosen == index
            result[mine] += covariance.synthesise(covariance.values.sqrt() * white[mine])
        return result.reshape(like.shape)

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Self:
        """A copy on ``device`` and in ``dtype``."""
        covariances = [covariance.to(device, dtype) for covariance in self.covariances]
        return type(self)(self.means.to(device, dtype), covariances, self.weights.to(device, dtype))

    def _log_joint(self, x: Tensor, sigma: PerImage) -> Tensor:
        """``log weights_k + log N(x; means_k, C_k + sigma^2 I)``: (b, k)."""
        require_images(x, self.means[0])
        level = _column(sigma, x)
        columns = []
        for cluster in self._clusters:
            coefficients = cluster.covariance.analyse(x.flatten(1))
            inverse = precision(cluster.covariance.values, level)
            log_volume = inverse.log().sum(1, True)
            columns.append(0.5 * (log_volume - cluster.distances(coefficients, inverse)))
        constant = 0.5 * x[0].numel() * math.log(2 * math.pi)
        return self.weights.log() + torch.cat(columns, dim=1) - constant

    def _denoise(self, x: Tensor, responsibilities: Tensor, sigma: PerImage) -> Tensor:
        level, flat = _column(sigma, x), x.flatten(1)
        result = torch.zeros_like(flat)
        for cluster, share in self._shared(responsibilities):
            c = cluster.covariance
            gain = shrinkage(c.values, level)
            kept = gain * share.sum(1, True) * c.analyse(flat)
            result = result + c.synthesise(kept + (1 - gain) * (share @ cluster.centres))
        return result.reshape(x.shape)

    def _shared(self, columns: Tensor) -> list[tuple[Cluster, Tensor]]:
        """Each cluster with its columns of a (b, k) tensor."""
        sizes = [len(cluster.centres) for cluster in self._clusters]
        return list(zip(self._clusters, torch.split(columns, sizes, dim=1), strict=True))


def _column(sigma: PerImage, x: Tensor) -> Tensor:
    """The noise level as a column: (1, 1) or (b, 1)."""
    return per_image(sigma, x).reshape(-1, 1)


def _covariances(given: float | Tensor | Sequence[Covariance], means: Tensor) -> list[Covariance]:
    k, d = len(means), means[0].numel()
    if isinstance(given, float | int):
        given = means.new_tensor(given)
    each = list(given) if not isinstance(given, Tensor) or given.ndim else [given]
    if len(each) not in {1, k}:
        raise ValueError(f"`covariances` must have 1 or {k} entries for {k} means, got {len(each)}")
    if isinstance(given, Tensor) and bool((given == each[0]).all()):
        each = each[:1]
    return [Covariance.of(c, d, means.dtype, means.device) for c in each]


def _weights(given: Numbers | None, means: Tensor) -> Tensor:
    weights = means.new_ones(len(means)) if given is None else as_tensor("weights", given).to(means)
    if weights.shape != means.shape[:1]:
        raise ValueError(
            f"`weights` must have shape ({len(means)},), one for each mean, got "
            f"{tuple(weights.shape)}"
        )
    if not bool((weights.isfinite() & (weights >= 0)).all()) or not bool(weights.sum() > 0):
        raise ValueError(
            f"`weights` must be finite, not negative and not all 0, got {weights.tolist()}"
        )
    return weights / weights.sum()
