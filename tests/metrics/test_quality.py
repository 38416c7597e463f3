"""PSNR against its formula, SSIM against its own."""

from __future__ import annotations

import math

import pytest
import torch
from skimage.metrics import structural_similarity

from invscore.metrics import psnr, quality, ssim


def test_psnr_of_known_errors() -> None:
    reference = torch.zeros(3, 1, 4, 4)
    x = torch.stack([torch.full((1, 4, 4), e) for e in (0.1, 0.01, 0.0)])
    found = psnr(x, reference)
    assert found[:2].tolist() == pytest.approx([20, 40], abs=1e-4)
    assert found[2] == math.inf
    assert psnr(10 * x, reference, peak=10)[0].item() == pytest.approx(20, abs=1e-4)


def test_complex_images_count_by_magnitude() -> None:
    reference = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    turned = 1j * (reference + 0.1)
    assert psnr(turned, reference).tolist() == pytest.approx([20, 20], abs=1e-4)
    assert ssim(1j * reference, reference).tolist() == pytest.approx([1, 1])


def ssim_by_its_formula(a: torch.Tensor, b: torch.Tensor, peak: float) -> float:
    """Equation 13 of Wang et al. 2004 with C1 = (0.01 peak)^2 and C2 = (0.03 peak)^2."""
    d = torch.arange(-5.0, 6.0, dtype=torch.float64)
    g = torch.exp(-0.5 * (d / 1.5) ** 2)
    window = torch.outer(g, g) / g.sum() ** 2

    def mean(t: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv2d(t[None, None], window[None, None])[0, 0]

    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    index = (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    return index.mean().item()


@pytest.mark.parametrize("peak", [1.0, 4.0])
def test_ssim_is_its_formula(peak: float) -> None:
    random = torch.Generator().manual_seed(0)
    a, b = torch.rand(2, 2, 1, 24, 31, generator=random).double() * peak
    b = 0.6 * a + 0.4 * b
    expected = [ssim_by_its_formula(a[i, 0], b[i, 0], peak) for i in range(2)]
    assert ssim(b, a, peak).tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("rows", [1, 7, 2**20])
def test_ssim_is_that_of_scikit_image(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the paper's window and variances, in strips of any height."""
    a = torch.rand(2, 3, 40, 29, generator=torch.Generator().manual_seed(0))
    b = (a + 0.2 * a.flip(-1)).double()
    monkeypatch.setattr(quality, "TOGETHER", rows * a[:, :, 0].numel())
    expected = [
        structural_similarity(  # type: ignore[no-untyped-call]
            *(t.double().numpy() for t in pair),
            data_range=2.0,
            channel_axis=0,
            gaussian_weights=True,
            sigma=quality.SSIM_SIGMA,
            use_sample_covariance=False,
        )
        for pair in zip(b, a, strict=True)
    ]
    assert ssim(b, a.double(), 2.0).tolist() == pytest.approx(expected, abs=1e-6)


def test_channels_are_averaged() -> None:
    a, b = torch.rand(2, 1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    each = [ssim(b[:, c : c + 1], a[:, c : c + 1]).item() for c in range(3)]
    assert ssim(b, a).item() == pytest.approx(sum(each) / 3, abs=1e-6)


def test_wrong_arguments() -> None:
    image = torch.zeros(1, 1, 16, 16)
    with pytest.raises(ValueError, match="`x` and `reference` must have the same shape"):
        psnr(image, image[..., :8])
    with pytest.raises(ValueError, match="at least 11 pixels"):
        ssim(image[..., :10], image[..., :10])
    with pytest.raises(ValueError, match="`peak` must be a positive number, got 0"):
        psnr(image, image, peak=0)


def test_one_reference_for_all_is_that_of_each() -> None:
    generator = torch.Generator().manual_seed(0)
    x, reference = torch.rand(3, 2, 15, 14, generator=generator), torch.rand(2, 15, 14)
    shared = reference.expand(3, 2, 15, 14)
    torch.testing.assert_close(ssim(x, shared), ssim(x, shared.contiguous()), rtol=0, atol=1e-7)
