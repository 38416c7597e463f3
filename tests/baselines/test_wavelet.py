"""Wavelet sparsity against PyWavelets, and the shared algorithm against soft thresholding."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from invscore.baselines.primal_dual import Penalty, minimise
from invscore.baselines.wavelet import WaveletPenalty, wavelet_sparsity
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.operators import Blur, Identity, Inpainting
from invscore.operators.cg import inner

pywt = pytest.importorskip("pywt")

Measure = Callable[..., InverseProblem]


class Orthogonal(Penalty):
    """``weight |Q x|_1`` with the orthogonal Haar transform of PyWavelets, all levels."""

    norm = 1.0

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def analyse(self, x: Tensor) -> Tensor:
        array, self.slices = pywt.coeffs_to_array(pywt.wavedec2(x[0, 0].numpy(), "haar"))
        return torch.from_numpy(array)[None, None]

    def synthesise(self, p: Tensor) -> Tensor:
        parts = pywt.array_to_coeffs(p[0, 0].numpy(), self.slices, "wavedec2")
        return torch.from_numpy(pywt.waverec2(parts, "haar"))[None, None]

    def project(self, p: Tensor) -> Tensor:
        return p.clamp(-self.weight, self.weight)


def test_orthogonal_denoising_is_soft_thresholding(image: Tensor, measure: Measure) -> None:
    problem = measure(Identity((1, 32, 32)), image, 0.1)
    penalty = Orthogonal(7.0)
    found = minimise(problem, penalty, torch.zeros_like(image), iterations=400)
    c = penalty.analyse(problem.y)
    soft = c.sign() * (c.abs() - 7.0 * 0.1**2).clamp_min(0)
    assert 0.2 < float((soft == 0).double().mean()) < 0.98
    torch.testing.assert_close(found, penalty.synthesise(soft), atol=1e-6, rtol=0)


@pytest.mark.filterwarnings("ignore:Level value")
@pytest.mark.parametrize("wavelet", ["haar", "db3", "sym8"])
def test_the_average_over_all_shifts(wavelet: str) -> None:
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(1, 1, 8, 16, dtype=torch.float64, generator=generator)
    weight, decay, depth = 3.0, 0.7, 2
    penalty = WaveletPenalty(x, weight, wavelet, depth, decay)
    ours = float((penalty.weights * penalty.analyse(x).abs()).sum())
    total = 0.0
    for shift in itertools.product(range(4), range(4)):
        moved = x[0, 0].roll(shift, dims=(0, 1)).numpy()
        _, *details = pywt.wavedec2(moved, wavelet, mode="periodization", level=depth)
        for level, bands in zip((2, 1), details, strict=True):
            rate = weight * 2 ** (-decay * (level - 1))
            total += rate * sum(abs(band).sum() for band in bands) / 16
    assert ours == pytest.approx(total, rel=1e-10)


@pytest.mark.parametrize(("shape", "dtype"), [((1, 9, 12), "real"), ((2, 8, 8), "complex")])
def test_the_frame_and_its_adjoint(shape: tuple[int, ...], dtype: str) -> None:
    kind = torch.complex128 if dtype == "complex" else torch.float64
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, *shape, dtype=kind, generator=generator)
    penalty = WaveletPenalty(x, 1.0, "sym4", 3, 1.0)
    frame = penalty.analyse(x)
    p = torch.randn(frame.shape, dtype=kind, generator=generator)
    assert frame.shape == (2, 9, *shape)
    torch.testing.assert_close(inner(frame, p).flatten(), inner(x, penalty.synthesise(p)).flatten())
    # With the low-pass the frame is tight: what details lack of the energy is not negative.
    lost = 1 - penalty.bands.abs().square().sum(dim=1)
    assert float(lost.min()) > -1e-10
    assert float(lost[..., 0, 0]) == pytest.approx(1)
    assert float(lost.max()) == pytest.approx(1)


@pytest.mark.parametrize("kind", ["blur", "holes", "complex"])
def test_no_direction_leads_downhill(kind: str, measure: Measure) -> None:
    generator = torch.Generator().manual_seed(7)
    shape, dtype = (1, 8, 8), torch.complex128 if kind == "complex" else torch.float64
    operator = {
        "blur": Blur.gaussian(0.6, shape),
        "holes": Inpainting.random(shape, keep=0.5),
        "complex": Identity(shape, complex=True),
    }[kind]
    problem = measure(operator, torch.rand(1, *shape, dtype=dtype, generator=generator), 0.2)
    found = wavelet_sparsity(problem, weight=3.0, wavelet="db2", depth=2, iterations=1500)
    penalty = WaveletPenalty(found, 3.0, "db2", 2, 1.0)

    def objective(x: Tensor) -> float:
        misfit = float(problem.residual(x).abs().square().sum()) / (2 * 0.2**2)
        return misfit + float((penalty.weights * penalty.analyse(x).abs()).sum())

    least = objective(found)
    assert float(penalty.analyse(found).abs().max()) > 0.01
    for step, _ in itertools.product((1e-3, 1e-2), range(20)):
        away = torch.randn(found.shape, dtype=dtype, generator=generator)
        assert objective(found + step * away) > least
    for factor in (0.99, 1.01):
        assert objective(factor * found) > least
        assert objective(factor * found + (1 - factor) * found.mean()) > least


@pytest.mark.parametrize("kind", ["blur", "holes"])
def test_the_default_number_of_iterations_converges(
    kind: str, image: Tensor, measure: Measure
) -> None:
    shape = (1, 32, 32)
    operator = Blur.gaussian(1.5, shape) if kind == "blur" else Inpainting.random(shape, keep=0.3)
    problem = measure(operator, image)
    default, long = wavelet_sparsity(problem), wavelet_sparsity(problem, iterations=1000)
    assert float((default - long).square().mean().sqrt()) < 1e-3


def test_wavelets_and_depths_that_do_not_fit() -> None:
    y = torch.zeros(1, 1, 8, 8)
    problem = InverseProblem(Identity((1, 8, 8)), y, GaussianNoise(0.1))
    with pytest.raises(ValueError, match=r"`wavelet` must be an orthogonal one .*, got 'bior2.2'"):
        wavelet_sparsity(problem, wavelet="bior2.2", depth=1)
    with pytest.raises(ValueError, match=r"`depth` must lie in \[1, 3\] for this image, got 4"):
        wavelet_sparsity(problem, depth=4)
