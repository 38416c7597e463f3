"""Mosaics: what each pixel sees, by hand and by deepinv."""

from __future__ import annotations

import pytest
import torch

from invscore.operators import Mosaic

F64 = torch.float64


def test_a_bayer_pattern() -> None:
    x = torch.rand(2, 3, 5, 6, dtype=F64)
    y = Mosaic.bayer("GRBG", (3, 5, 6))(x)[:, 0]
    torch.testing.assert_close(y[:, ::2, ::2], x[:, 1, ::2, ::2])
    torch.testing.assert_close(y[:, ::2, 1::2], x[:, 0, ::2, 1::2])
    torch.testing.assert_close(y[:, 1::2, ::2], x[:, 2, 1::2, ::2])
    torch.testing.assert_close(y[:, 1::2, 1::2], x[:, 1, 1::2, 1::2])


def test_it_is_that_of_deepinv() -> None:
    physics = pytest.importorskip("deepinv").physics
    x = torch.rand(1, 3, 6, 8)
    theirs = physics.Demosaicing(img_size=(3, 6, 8), pattern="bayer")(x)
    torch.testing.assert_close(Mosaic.bayer("BGGR", (3, 6, 8))(x), theirs.sum(1, keepdim=True))


def test_a_spectral_mosaic() -> None:
    x = torch.rand(1, 9, 7, 6, dtype=F64)
    y = Mosaic.of_bands(list(range(9)), (9, 7, 6))(x)[0, 0]
    for row in range(7):
        for column in range(6):
            assert y[row, column] == x[0, 3 * (row % 3) + column % 3, row, column]


def test_a_coded_aperture_by_hand() -> None:
    generator = torch.Generator().manual_seed(0)
    mask = torch.rand(5, 6, generator=generator, dtype=F64) < 0.5
    x = torch.rand(1, 4, 5, 6, generator=generator, dtype=F64)
    operator = Mosaic.coded_aperture(mask, 4, dispersion=2)
    expected = torch.zeros(5, 12, dtype=F64)
    for band in range(4):
        expected[:, 2 * band : 2 * band + 6] += mask * x[0, band]
    torch.testing.assert_close(operator(x)[0, 0], expected)
    assert operator.measured is not None
    unseen = operator.normal(torch.ones_like(x)) == 0
    assert torch.equal(operator.measured[0], operator(torch.ones_like(x))[0, 0] > 0)
    assert torch.equal(unseen[0, 0], ~mask)


def test_the_pseudo_inverse_is_exact() -> None:
    weights = torch.rand(4, 2, 3, dtype=F64)
    operator = Mosaic(weights, (4, 4, 6), dispersion=1).to(dtype=F64)
    images = torch.eye(96, dtype=F64).reshape(96, 4, 4, 6)
    matrix = operator(images).flatten(1).T
    y = torch.rand(1, *operator.out_shape, dtype=F64)
    expected = torch.linalg.pinv(matrix) @ y.flatten()
    torch.testing.assert_close(operator.pinv(y).flatten(), expected)
    assert operator.norm() == pytest.approx(float(torch.linalg.matrix_norm(matrix, 2)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Mosaic.bayer("RGB", (3, 4, 4)), "must be the letters R, G and B of a square"),
        (lambda: Mosaic.bayer("RGGX", (3, 4, 4)), "must be the letters R, G and B of a square"),
        (lambda: Mosaic.of_bands([0, 1, 2, 4], (4, 4, 4)), "must be numbers from 0 to 3"),
        (lambda: Mosaic(-torch.ones(3, 2, 2), (3, 4, 4)), "must be finite numbers from 0"),
        (lambda: Mosaic(torch.ones(2, 2, 2), (3, 4, 4)), r"must have shape \(3, h, w\)"),
        (
            lambda: Mosaic(torch.ones(3, 2, 2), (3, 4, 4), dispersion=-1),
            "`dispersion` must be a whole number from 0, got -1",
        ),
    ],
)
def test_errors(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]
