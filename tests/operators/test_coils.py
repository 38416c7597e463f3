"""Coils: their sum, their maps, their noise."""

import pytest
import torch

from invscore.operators import MRI, CoilMaps, from_finufft
from invscore.operators.coils import (
    birdcage_maps,
    estimate_maps,
    noise_covariance,
    real_maps,
    whitening,
)
from invscore.operators.masks import equispaced_lines

generator = torch.Generator().manual_seed(0)
maps = torch.randn(3, 6, 8, dtype=torch.complex128, generator=generator)
mask = torch.rand(6, 8, generator=generator) < 0.5


@pytest.mark.parametrize("echo", ["whole", "partial"])
def test_maps_of_three_dimensions(echo: str) -> None:
    """Phase encodings along two axes: within 4 % of those that measured, phase and all."""
    pytest.importorskip("sigpy")
    sizes = (16, 24, 20)
    z, y, x = torch.meshgrid(*[torch.linspace(-1, 1, n) for n in sizes], indexing="ij")
    inside = z**2 + y**2 + x**2 < 0.8
    image = inside * (0.7 + 0.3 * torch.sin(5 * y) * torch.cos(4 * x + 2 * z))
    g = torch.Generator().manual_seed(0)
    encodings = torch.rand(*sizes[:2], generator=g) < 0.5
    encodings[3:13, 7:17] = True
    seen = encodings[..., None] & (torch.arange(20) >= (0 if echo == "whole" else 5))
    maps = birdcage_maps(5, *sizes)
    operator = MRI(seen, maps.shape, dimensions=3) @ CoilMaps(maps)
    noise = torch.view_as_complex(torch.randn(*maps.shape, 2, generator=g))
    kspace = torch.where(seen, operator(image[None, None] + 0j)[0] + 0.01 * noise, 0)
    found = real_maps(estimate_maps(kspace, seen), kspace)
    error = (found - maps).abs().square().sum(dim=0)[inside].mean().sqrt()
    assert float(error) < 0.04
    for axis in range(3):  # the axis that is read is found
        turned = [a.movedim(-1, axis - 3) for a in (kspace, seen)]
        again = estimate_maps(*turned).movedim(axis - 3, -1)
        torch.testing.assert_close(again, estimate_maps(kspace, seen), rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="`mask` must leave one axis of three read as a whole"):
        estimate_maps(kspace, torch.rand(sizes, generator=g) < 0.5)


def test_normal_is_the_sum_over_coils() -> None:
    operator = MRI(mask, (3, 6, 8)) @ CoilMaps(maps)
    single = MRI(mask)
    x = torch.randn(2, 1, 6, 8, dtype=torch.complex128)
    expected = sum(m.conj() * single.normal(m * x) for m in maps)
    torch.testing.assert_close(operator.normal(x), expected)
    assert operator.measured is not None
    assert torch.equal(operator.measured, mask.expand(3, 6, 8))


def test_one_uniform_coil_is_mri() -> None:
    operator = MRI(mask) @ CoilMaps(torch.ones(1, 6, 8, dtype=torch.complex128))
    x = torch.randn(2, 1, 6, 8, dtype=torch.complex128)
    torch.testing.assert_close(operator(x), MRI(mask)(x), rtol=0, atol=0)


def test_frames_have_masks_of_their_own() -> None:
    frames = torch.rand(3, 6, 8, generator=generator) < 0.5
    x = torch.randn(2, 3, 6, 8, dtype=torch.complex128)
    for real in (False, True):
        y = MRI(frames, real=real)(x.real if real else x)
        for k in range(3):
            one = MRI(frames[k], real=real)
            part = x[:, k : k + 1]
            torch.testing.assert_close(y[:, k : k + 1], one(part.real if real else part))


def test_radial_with_coils_is_the_fourier_sum() -> None:
    pytest.importorskip("pytorch_finufft")
    angles = torch.arange(5) * torch.pi / 5
    radius = torch.linspace(-torch.pi, torch.pi, 17)[:-1].double()
    omega = torch.stack(
        [
            torch.outer(angles.sin().double(), radius).flatten(),
            torch.outer(angles.cos().double(), radius).flatten(),
        ]
    )
    operator = from_finufft(omega, (3, 6, 8)) @ CoilMaps(maps)
    x = torch.randn(1, 1, 6, 8, dtype=torch.complex128)
    rows, columns = torch.arange(6).double() - 3, torch.arange(8).double() - 4
    angle = omega[0, :, None, None] * rows[:, None] + omega[1, :, None, None] * columns
    wave = torch.polar(torch.ones_like(angle), -angle) / 48**0.5
    expected = torch.einsum("chw,nhw->cn", maps * x[0], wave)
    torch.testing.assert_close(operator(x)[0], expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("width", "error"), [(8, 0.02), (12, 0.01), (24, 0.006)])
def test_maps_from_a_narrow_centre(width: int, error: float) -> None:
    pytest.importorskip("sigpy")
    true = birdcage_maps(4, 48, 48)
    rows, columns = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    inside = ((rows - 24) / 18) ** 2 + ((columns - 24) / 14) ** 2 < 1
    x = (inside * (1 + 0.3 * torch.sin(rows / 5) * torch.cos(columns / 4)))[None, None] + 0j
    lines = torch.zeros(48, 48, dtype=torch.bool)
    lines[:, ::4] = lines[:, 24 - width // 2 : 24 + width // 2] = True
    y = (MRI(lines, (4, 48, 48)) @ CoilMaps(true))(x)[0]
    noise = torch.randn(*y.shape, 2, generator=torch.Generator().manual_seed(0))
    found = estimate_maps(y + 0.01 * lines * torch.view_as_complex(noise), lines)
    likeness = (found.conj() * true).sum(dim=0).abs()
    assert float((2 - 2 * likeness)[inside].mean().sqrt()) < error


def test_maps_are_estimated_from_the_centre() -> None:
    pytest.importorskip("sigpy")
    true = birdcage_maps(4, 48, 48)
    torch.testing.assert_close(true.abs().square().sum(dim=0), torch.ones(48, 48))
    rows, columns = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    inside = ((rows - 24) / 18) ** 2 + ((columns - 24) / 14) ** 2 < 1
    x = (inside * (1 + 0.3 * torch.sin(rows / 5) * torch.cos(columns / 4)))[None, None] + 0j
    lines = equispaced_lines(48, 3, 0.33).expand(48, 48)
    y = (MRI(lines, (4, 48, 48)) @ CoilMaps(true))(x)
    found = estimate_maps(y[0], lines)
    # Up to a phase that all coils share.
    likeness = (found.conj() * true).sum(dim=0).abs()
    assert float(likeness[inside].median()) > 0.99
    with pytest.raises(ValueError, match="8 x 8 entries at least"):
        estimate_maps(y[0], torch.zeros(48, 48, dtype=torch.bool))


def test_whitening() -> None:
    mix = torch.randn(3, 3, dtype=torch.complex128, generator=generator)
    white = torch.randn(3, 200_000, dtype=torch.complex128, generator=generator) * 2**0.5
    covariance = noise_covariance(mix @ white)
    torch.testing.assert_close(covariance, mix @ mix.mH, rtol=0.03, atol=0.03)
    w = whitening(covariance)
    identity = torch.eye(3, dtype=torch.complex128)
    torch.testing.assert_close(w @ covariance @ w.mH, identity)
    with pytest.raises(ValueError, match="`covariance` must be Hermitian and positive definite"):
        whitening(-identity)


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"`maps` must be finite complex .*, got torch.float32"):
        CoilMaps(torch.ones(3, 4, 4))


def test_maps_of_real_images_have_their_phase() -> None:
    place = torch.linspace(-1, 1, 32, dtype=torch.float64)
    image = torch.exp(-4 * (place[:, None] ** 2 + place**2)) + 0.2
    smooth = birdcage_maps(4, 32, 32).to(torch.complex128)
    turned = smooth * torch.polar(torch.ones(32, 32).double(), 0.7 + 0.5 * place.expand(32, 32))
    whole = torch.ones(32, 32, dtype=torch.bool)
    kspace = MRI(whole, (4, 32, 32))((turned * image)[None])[0]
    found = real_maps(smooth, kspace)  # which lack the phase of the image
    inner = (..., slice(6, -6), slice(6, -6))  # what is smoothed wraps around
    assert float((found - turned)[inner].abs().max()) < 0.02
    assert float((smooth - turned)[inner].abs().max()) > 0.2
