"""Phase retrieval: energies, symmetries, and what happens at zero."""

import pytest
import torch

from invscore.operators import PhaseRetrieval, jacobian

X = torch.rand(2, 3, 16, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_oversampling_adds_zeros_as_the_papers_do() -> None:
    assert PhaseRetrieval((1, 256, 256)).out_shape == (1, 384, 384)
    assert PhaseRetrieval((3, 16, 8), oversampling=4).out_shape == (3, 32, 16)


def test_energy_is_kept() -> None:
    y = PhaseRetrieval((3, 16, 8))(X)
    torch.testing.assert_close(y.square().sum(dim=(2, 3)), X.square().sum(dim=(2, 3)))
    torch.testing.assert_close(PhaseRetrieval((3, 16, 8), squared=True)(X), y**2)


def test_the_zero_frequency_is_in_the_middle() -> None:
    y = PhaseRetrieval((3, 16, 8))(X)
    torch.testing.assert_close(y[..., 12, 6], X.sum(dim=(2, 3)) / (24 * 12) ** 0.5)


def test_intensity_is_the_spectrum_of_the_autocorrelation() -> None:
    """Where the zeros are as wide as the image, it is not cut off (Wiener & Khinchin)."""
    x = torch.rand(1, 1, 1, 6, dtype=torch.float64)
    intensity = PhaseRetrieval((1, 1, 6), oversampling=8, squared=True)(x)[0, 0, 1]
    values = x.flatten()
    full = torch.nn.functional.conv1d(values[None, None], values[None, None], padding=5).flatten()
    found = torch.fft.ifft(torch.fft.ifftshift(intensity)).real * 3 * 18
    expected = torch.zeros(18, dtype=torch.float64)
    expected[:6], expected[-5:] = full[5:], full[:5]
    torch.testing.assert_close(found, expected)


def test_what_no_measurement_tells() -> None:
    operator = PhaseRetrieval((3, 16, 8))
    for twin in (X.flip(2, 3), -X):
        torch.testing.assert_close(operator(twin), operator(X))
    assert not torch.allclose(operator(X.flip(2)), operator(X))


def test_derivatives_at_zero_are_zero() -> None:
    operator = PhaseRetrieval((1, 6, 6))
    zero = torch.zeros(1, 1, 6, 6, dtype=torch.float64)
    v, u = torch.rand_like(zero), torch.rand(1, *operator.out_shape, dtype=torch.float64)
    assert operator.jvp(zero, v).abs().max() == 0
    assert operator.vjp(zero, u).abs().max() == 0
    constant = zero + 1  # without zeros around, all frequencies but one vanish
    tangent = jacobian(PhaseRetrieval((1, 6, 6), oversampling=0), constant)
    assert bool(tangent.matvec(v).isfinite().all())
    assert bool(tangent.rmatvec(v).isfinite().all())
    expected = torch.zeros_like(zero)
    expected[..., 3, 3] = v.sum() / 6
    torch.testing.assert_close(tangent.matvec(v), expected)


def test_the_gradient_in_closed_form() -> None:
    """``J^T u = P^T F^H (phase u)``."""
    operator = PhaseRetrieval((3, 16, 8))
    u = torch.rand(2, *operator.out_shape, dtype=torch.float64)
    padded = torch.nn.functional.pad(X, (2, 2, 4, 4))
    spectrum = torch.fft.fft2(padded, norm="ortho")
    waves = torch.sgn(spectrum) * torch.fft.ifftshift(u, dim=(2, 3))
    expected = torch.fft.ifft2(waves, norm="ortho").real[..., 4:-4, 2:-2]
    torch.testing.assert_close(operator.vjp(X, u), expected)


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"`in_shape` must be .* \(c, h, w\), got \(8, 8\)"):
        PhaseRetrieval((8, 8))
    with pytest.raises(ValueError, match="`oversampling` must be at least 0, got -1"):
        PhaseRetrieval((1, 8, 8), oversampling=-1)
