"""Denoising of noise that is not white, against dense algebra."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from invscore.priors import (
    GaussianMixturePrior,
    GaussianPrior,
    Prior,
    StationaryGaussianPrior,
    check_prior,
)
from invscore.priors.channelwise import Channelwise
from invscore.priors.counted import CountedPrior
from invscore.priors.noise_covariance import Basis, Kind, NoiseCovariance

F64 = torch.float64
SHAPE, D = (1, 3, 4), 12
GENERATOR = torch.Generator().manual_seed(1)


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=GENERATOR, dtype=F64)


FACTORS = randn(2, D, D)
DENSE = FACTORS @ FACTORS.mT / D + 0.1 * torch.eye(D, dtype=F64)
MEANS = 2 * randn(3, *SHAPE)
ROTATION = torch.linalg.qr(randn(D, D)).Q
FIELD = StationaryGaussianPrior.power_law(SHAPE, mean=0.3, dtype=F64)
X = 2 * randn(5, *SHAPE)


def noise(kind: Kind, images: int) -> NoiseCovariance:
    variances = randn(images, *SHAPE).exp()
    if kind == "frequencies":
        variances = 0.5 * (variances + variances.flip(-2, -1).roll((1, 1), dims=(-2, -1)))
    return NoiseCovariance(Basis(kind, ROTATION if kind == "matrix" else None), variances)


def by_algebra(
    means: Tensor, covariances: Tensor, weights: Tensor, noise: NoiseCovariance
) -> Tensor:
    """The textbook formula for one image after another."""
    rows = []
    for index, x in enumerate(X.flatten(1)):
        each = noise.variances[index if len(noise.variances) > 1 else 0].flatten()
        basis = torch.stack(
            [
                noise.basis.synthesise(e.reshape(1, *SHAPE)).flatten()
                for e in torch.eye(D, dtype=F64)
            ]
        )
        coloured = basis.T @ torch.diag(each) @ basis
        parts, logs = [], []
        for mean, covariance, weight in zip(means.flatten(1), covariances, weights, strict=True):
            law = torch.distributions.MultivariateNormal(mean, covariance + coloured)
            parts.append(mean + covariance @ torch.linalg.solve(covariance + coloured, x - mean))
            logs.append(weight.log() + law.log_prob(x))
        rows.append(torch.stack(logs).softmax(0) @ torch.stack(parts))
    return torch.stack(rows).reshape(X.shape)


@pytest.mark.parametrize("images", [1, 5])
@pytest.mark.parametrize("kind", ["pixels", "frequencies", "matrix"])
@pytest.mark.parametrize("law", ["isotropic", "unequal", "diagonal", "dense", "gaussian", "field"])
def test_denoise_with_is_bayes_rule(law: str, kind: Kind, images: int) -> None:
    eye, weights = torch.eye(D, dtype=F64), torch.tensor([0.2, 0.5, 0.3], dtype=F64)
    prior: Prior
    if law == "gaussian":
        prior, means = GaussianPrior(MEANS[0], DENSE[0]), MEANS[:1]
        covariances, weights = DENSE[:1], torch.ones(1, dtype=F64)
    elif law == "field":
        prior, means, weights = FIELD, FIELD.mean[None], torch.ones(1, dtype=F64)
        covariances = FIELD.dense_covariance().matrix[None]
    else:
        means = MEANS if law in {"isotropic", "unequal"} else MEANS[:2]
        weights = weights[: len(means)] / weights[: len(means)].sum()
        given = {
            "isotropic": torch.tensor(0.3, dtype=F64),
            "unequal": torch.tensor([0.1, 0.4, 1.5], dtype=F64),
            "diagonal": DENSE.diagonal(dim1=1, dim2=2),
            "dense": DENSE,
        }[law]
        prior = GaussianMixturePrior(means, given, weights)
        covariances = {
            "isotropic": 0.3 * eye.expand(3, D, D),
            "unequal": given.reshape(-1, 1, 1) * eye if law == "unequal" else eye,
            "diagonal": torch.diag_embed(DENSE.diagonal(dim1=1, dim2=2)),
            "dense": DENSE,
        }[law]
    coloured = noise(kind, images)
    found = prior.denoise_with(X, coloured)
    torch.testing.assert_close(found, by_algebra(means, covariances, weights, coloured))


@pytest.mark.parametrize("kind", ["pixels", "frequencies", "matrix"])
def test_dense_and_filter_agree(kind: Kind) -> None:
    coloured = noise(kind, 5)
    filtered = coloured.filter(X, coloured.variances).flatten(1)
    torch.testing.assert_close((coloured.dense() @ X.flatten(1)[..., None])[..., 0], filtered)


def test_the_check_notices_another_noise() -> None:
    class Wrong(GaussianPrior):
        def denoise_with(self, x: Tensor, noise: NoiseCovariance) -> Tensor:
            return super().denoise_with(x, NoiseCovariance(noise.basis, 1.01 * noise.variances))

    check_prior(GaussianPrior(MEANS[0], DENSE[0]), SHAPE, dtype=F64).raise_if_failed()
    with pytest.raises(ValueError, match="denoise_with"):
        check_prior(Wrong(MEANS[0], DENSE[0]), SHAPE, dtype=F64).raise_if_failed()


def test_who_knows_what() -> None:
    wide = torch.zeros(1, 64, 64)
    every = {"pixels", "frequencies", "matrix"}
    assert GaussianPrior(wide, 0.5).noise_kinds == every
    assert GaussianPrior(wide, torch.rand(4096)).noise_kinds == {"pixels"}
    assert StationaryGaussianPrior.power_law((1, 64, 64)).noise_kinds == {"frequencies"}
    assert CountedPrior(FIELD).noise_kinds == FIELD.noise_kinds
    assert Channelwise(GaussianPrior(wide, 0.5)).noise_kinds == {"pixels", "frequencies"}
    prior = StationaryGaussianPrior.power_law((1, 64, 64))
    with pytest.raises(ValueError, match="the noise must be white for a StationaryGaussianPrior"):
        prior.denoise_with(wide[None], NoiseCovariance(Basis("pixels"), 1 + wide[None]))


@pytest.mark.parametrize("kind", ["pixels", "frequencies"])
def test_channels_have_noise_of_their_own(kind: Kind) -> None:
    gray = GaussianPrior(MEANS[0, :1], DENSE[0])
    variances = torch.cat([noise(kind, 2).variances for _ in range(3)], dim=1)
    x = randn(2, 3, *SHAPE[1:])
    found = Channelwise(gray).denoise_with(x, NoiseCovariance(Basis(kind), variances))
    for channel in range(3):
        part = slice(channel, channel + 1)
        expected = gray.denoise_with(x[:, part], NoiseCovariance(Basis(kind), variances[:, part]))
        torch.testing.assert_close(found[:, part], expected)
