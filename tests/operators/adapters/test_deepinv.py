"""Forward models of deepinv, taken in by from_deepinv."""

import pickle
import sys
from pathlib import Path

import pytest
import torch

deepinv = pytest.importorskip("deepinv")
sys.path.insert(0, str(Path(__file__).parent))

from physics import build, physics  # noqa: E402

from invscore import GaussianNoise, PoissonNoise  # noqa: E402
from invscore.operators import MRI, LinearOperator, check_operator, from_deepinv  # noqa: E402

WRONG_ADJOINT = (
    "CompressiveSpectralImaging, ss",
    "CompressiveSpectralImaging, sd",
    "SequentialMRI",
)
"""Whose A_adjoint is not the adjoint in deepinv 0.5."""

NEEDED = {"NonCartesianMRI": "mrinufft", "RadioInterferometry": "torchkbnufft"}
"""Libraries that deepinv asks for, which the test extra does not have."""

UNPICKLED = ("NonCartesianMRI",)
"""Hold a plan of a C library."""


@pytest.mark.parametrize("name", physics())
def test_physics_keep_the_contract(name: str) -> None:
    if name in NEEDED:
        pytest.importorskip(NEEDED[name])
    made, size = build(name)
    operator, noise = from_deepinv(made, size)
    assert noise is not None
    report = check_operator(operator)
    if name in WRONG_ADJOINT:
        assert {row.name for row in report.rows if not row.passed} == {"adjoint", "vjp"}
        operator, _ = from_deepinv(made, size, adjoint="autograd")
        report = check_operator(operator)
    assert report.ok, str(report)
    if name not in UNPICKLED:
        again = pickle.loads(pickle.dumps(operator))
        dtype = torch.complex64 if operator.in_complex else torch.float32
        x = torch.rand(2, *operator.in_shape, dtype=dtype)
        torch.testing.assert_close(again(x), operator(x))


@pytest.mark.parametrize("name", ["MRI", "MRI, volumes", "DynamicMRI", "Inpainting", "Decolorize"])
def test_svd(name: str) -> None:
    operator, _ = from_deepinv(*build(name))
    assert isinstance(operator, LinearOperator)
    x = torch.rand(2, *operator.in_shape, dtype=torch.complex64 if operator.in_complex else None)
    f = operator.svd()
    torch.testing.assert_close(f.u(f.s * f.vh(x)), operator(x))


def test_mri_is_ours() -> None:
    mask = torch.rand(9, 8, generator=torch.Generator().manual_seed(0)) < 0.5
    theirs, _ = from_deepinv(deepinv.physics.MRI(mask=mask.float()))
    ours = MRI(mask)
    assert theirs.in_shape == ours.in_shape
    assert theirs.measured is not None
    assert torch.equal(theirs.measured, ours.measured)
    x = torch.randn(3, 1, 9, 8, dtype=torch.complex64)
    torch.testing.assert_close(theirs(x), ours(x))


def test_measurements_go_there_and_back() -> None:
    coils, _ = build("MultiCoilMRI")
    operator, _ = from_deepinv(coils, (2, 9, 8))
    x = torch.randn(2, 1, 9, 8, dtype=torch.complex64)
    there = coils.A(operator.image.to_theirs(x))
    assert there.shape == (2, 2, 3, 9, 8)
    torch.testing.assert_close(operator.measurement.to_ours(there), operator(x))
    torch.testing.assert_close(operator.measurement.to_theirs(operator(x)), there)
    stacked, size = build("StackedLinearPhysics")
    operator, _ = from_deepinv(stacked, size)
    x = torch.rand(2, *operator.in_shape)
    flat = operator.measurement.to_ours(stacked.A(x))
    torch.testing.assert_close(flat, operator(x))
    for ours, theirs in zip(operator.measurement.to_theirs(flat), stacked.A(x), strict=True):
        assert torch.equal(ours, theirs)


def test_noise() -> None:
    p = deepinv.physics
    assert from_deepinv(p.Denoising(p.GaussianNoise(0.5)), (1, 4, 4))[1] == GaussianNoise(0.5)
    gain = p.Denoising(p.PoissonNoise(0.25))
    operator, noise = from_deepinv(gain, (1, 4, 4))
    assert noise == PoissonNoise(4.0)
    counts = p.Denoising(p.PoissonNoise(0.25, normalize=False))
    operator, noise = from_deepinv(counts, (1, 4, 4))
    assert noise == PoissonNoise(1.0)
    torch.testing.assert_close(operator(torch.ones(1, 1, 4, 4)), torch.full((1, 1, 4, 4), 4.0))
    assert from_deepinv(p.Denoising(p.LaplaceNoise(0.1)), (1, 4, 4))[1] is None


def test_moving_copies_no_generator_and_no_unmoved_tensor() -> None:
    operator, _ = from_deepinv(*build("Inpainting"))
    assert operator.to("cpu").physics.mask is operator.physics.mask
    wide = operator.to(dtype=torch.float64)
    assert wide.physics.mask.dtype == torch.float64
    assert operator.physics.mask.dtype == torch.float32


def test_an_operator_may_hold_a_physics() -> None:
    """norm(), to() and check_operator of a class of one's own that has one as an attribute."""
    made, _ = build("Inpainting")

    class Own(LinearOperator):
        def __init__(self) -> None:
            self.in_shape = self.out_shape = (3, 8, 6)
            self.physics = made

        def matvec(self, x: torch.Tensor) -> torch.Tensor:
            return self.physics.A(x)

        def rmatvec(self, y: torch.Tensor) -> torch.Tensor:
            return self.physics.A_adjoint(y)

    assert Own().norm() == pytest.approx(1, rel=0.02)
    assert check_operator(Own()).ok


def test_errors() -> None:
    p = deepinv.physics
    with pytest.raises(ValueError, match=r"`physics` must be a deepinv\.physics\.Physics, got int"):
        from_deepinv(3, (1, 4, 4))
    with pytest.raises(ValueError, match="`img_size` must be given: Decolorize does not tell"):
        from_deepinv(p.Decolorize())
    with pytest.raises(ValueError, match="`img_size` must be that of images which MRI takes"):
        from_deepinv(p.MRI(mask=torch.ones(4, 4)), (2, 7, 5))
    with pytest.raises(ValueError, match="`img_size` must be a shape such as"):
        from_deepinv(p.Decolorize(), (3, 0, 4))
    with pytest.raises(ValueError, match="`adjoint` must be one of deepinv, autograd, got 'x'"):
        from_deepinv(p.Decolorize(), (3, 4, 4), adjoint="x")


@pytest.mark.parametrize("name", ["MRI", "MultiCoilMRI"])
def test_masked_numbers_become_complex_without_a_copy(name: str) -> None:
    made, size = build(name)
    operator, _ = from_deepinv(made, size)
    x = torch.rand(2, *operator.in_shape, dtype=torch.complex64)
    seen = operator.physics.A(operator.image.to_theirs(x))
    assert operator.measurement.to_ours(seen).data_ptr() == seen.data_ptr()
    assert made.mask.is_contiguous()
    torch.testing.assert_close(made.A(operator.image.to_theirs(x)), seen, rtol=0, atol=0)
