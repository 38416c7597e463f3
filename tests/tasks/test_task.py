"""From words to problems: back-projections, peaks and layouts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.operators import (
    MRI,
    Blur,
    CompressedSensing,
    Identity,
    Inpainting,
    LinearOperator,
    SuperResolution,
    Tomography,
    from_matrix,
)
from invscore.tasks.measured import measured_task
from invscore.tasks.specs import Spec
from invscore.tasks.task import Task, backprojection, make_operator, together

SHAPE = (1, 32, 48)
X = torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(0))


def back(operator: LinearOperator) -> torch.Tensor:
    image = backprojection(InverseProblem(operator, operator(X), GaussianNoise(0.1)))
    assert image is not None
    assert image.shape == X.shape
    return image


def test_a_measurement_that_is_an_image_is_its_own_back_projection() -> None:
    operator = Inpainting.random(SHAPE, keep=0.3)
    assert torch.equal(back(operator), operator(X))


def test_a_smaller_image_is_enlarged() -> None:
    operator = SuperResolution(4, SHAPE)
    y = operator(X)
    expected = torch.nn.functional.interpolate(y, scale_factor=4, mode="bicubic")
    torch.testing.assert_close(back(operator), expected)


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_k_space_is_filled_with_zeros_whatever_its_unit(factor: float) -> None:
    mri = MRI.random(SHAPE, acceleration=2.0, real=True)
    torch.testing.assert_close(back(factor * mri), mri.rmatvec(mri(X)))


def test_other_measurements_go_back_by_the_adjoint() -> None:
    matrix = torch.randn(40, 32 * 48, generator=torch.Generator().manual_seed(1))
    operator = from_matrix(matrix, SHAPE)
    expected = operator.rmatvec(operator(X)) / operator.norm() ** 2
    torch.testing.assert_close(back(4 * operator), expected / 4 * 4, rtol=1e-3, atol=1e-3)


def test_the_window_of_a_valid_blur_is_its_measurement() -> None:
    operator = Blur.gaussian(1.0, SHAPE, boundary="valid")
    y = operator(X)
    plain = backprojection(InverseProblem(operator, y, GaussianNoise(0.1)))
    assert plain is not None
    assert torch.equal(plain, y)


def test_a_sinogram_goes_back_filtered() -> None:
    tomography = Tomography(30, SHAPE)
    torch.testing.assert_close(back(tomography), tomography.fbp(tomography(X)))


def test_mixtures_of_pixels_are_no_image() -> None:
    operator = CompressedSensing(SHAPE, ratio=0.5)
    torch.testing.assert_close(back(operator), operator.rmatvec(operator(X)))


@pytest.mark.parametrize(
    ("truth", "peak"),
    [
        (X / X.max(), 1.0),
        (0.7 * X / X.max(), 1.0),
        (7 * X / X.max(), 7.0),
        (1e-3 * X / X.max(), 1e-3),
        (-4 * X / X.max(), 4.0),
        (0.7j * X / X.max(), 0.7),
        (0 * X, 1.0),
    ],
)
def test_peaks(truth: torch.Tensor, peak: float) -> None:
    operator = MRI.random(SHAPE)
    y = operator(truth.to(torch.complex64))
    task = Task(InverseProblem(operator, y, GaussianNoise(0.1)), truth)
    assert task.peak == pytest.approx(peak)


CODE = """
from invscore.operators import Identity

def make(in_shape):
    return Identity(in_shape)
"""


@pytest.mark.parametrize("custom", [True, False])
@pytest.mark.parametrize("layout", ["chw", "hwc", "1chw"])
def test_layouts_of_a_colour_measurement(tmp_path: Path, custom: bool, layout: str) -> None:
    y = np.random.default_rng(0).random((3, 8, 16), dtype=np.float32)
    given = {"chw": y, "hwc": y.transpose(1, 2, 0), "1chw": y[None]}[layout]
    np.save(tmp_path / "y.npy", given)
    (tmp_path / "ops.py").write_text(CODE)
    spec = Spec("make", file=tmp_path / "ops.py") if custom else Spec("denoise")
    shape = (3, 8, 16) if custom else None
    task = measured_task(spec, str(tmp_path / "y.npy"), shape=shape, noise=0.1, device="cpu")
    assert torch.equal(task.problem.y, torch.from_numpy(y)[None])


def test_a_gray_measurement_needs_no_channel_axis(tmp_path: Path) -> None:
    np.save(tmp_path / "y.npy", np.ones((8, 16), dtype=np.float32))
    for shape in ((1, 8, 16), None):
        task = measured_task(
            Spec("denoise"), str(tmp_path / "y.npy"), shape=shape, noise=0.1, device="cpu"
        )
        assert task.problem.y.shape == (1, 1, 8, 16)


@pytest.mark.parametrize(
    ("shape", "count"), [((1, 256, 256), 16), ((3, 256, 256), 5), ((3, 768, 1024), 1)]
)
def test_many_samples_need_no_more_memory_than_few(shape: tuple[int, ...], count: int) -> None:
    problem = InverseProblem(Identity(shape), torch.zeros(1, *shape), GaussianNoise(0.1))
    assert together(problem) == count


def test_the_operator_of_one_measurement_is_that_of_the_next() -> None:
    spec = Spec("deblur", {"sigma": 2.0})
    first = make_operator(spec, SHAPE)
    assert make_operator(Spec("deblur", {"sigma": 2.0}), SHAPE) is first
    for other, shape in ((spec, (1, 32, 32)), (Spec("deblur", {"sigma": 1.0}), SHAPE)):
        assert make_operator(other, shape) is not first
    with pytest.raises(ValueError, match="`sigma` must lie in"):
        make_operator(Spec("deblur", {"sigma": -2.0}), SHAPE)


def test_files_are_read_anew_for_each_operator(tmp_path: Path) -> None:
    spec = Spec("blur", {"kernel": str(tmp_path / "kernel.npy")})
    for side in (3, 5):
        np.save(tmp_path / "kernel.npy", np.ones((side, side)))
        operator = make_operator(spec, SHAPE)
        assert isinstance(operator, Blur)
        assert operator.kernel_shape == (side, side)
