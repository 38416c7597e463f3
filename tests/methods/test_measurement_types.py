"""Measurements of any floating-point type and layout, in any mode of PyTorch: every method."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from invscore import GaussianNoise, GaussianPrior, InverseProblem, reconstruct, simulate
from invscore.methods import METHODS, MethodInfo
from invscore.operators import Identity, Inpainting, from_function

SHAPE = (1, 8, 10)
PRIOR = GaussianPrior(torch.full(SHAPE, 0.5), 0.05)
OPERATOR = Inpainting.random(SHAPE, keep=0.9)
NOISE = GaussianNoise(0.05)
Y = simulate(OPERATOR, PRIOR.sample(1, 1), NOISE, 1)


@pytest.fixture(params=sorted(METHODS))
def info(request: pytest.FixtureRequest) -> MethodInfo:
    return METHODS[request.param]


def drawn(info: MethodInfo, y: Tensor) -> Tensor:
    problem = InverseProblem(OPERATOR, y, NOISE)
    options = {"particles": 4} if "particles" in info.defaults else {}
    return reconstruct(problem, PRIOR, method=info.name, steps=3, seed=3, **options).samples


def test_layouts_and_modes(info: MethodInfo) -> None:
    expected = drawn(info, Y)
    assert torch.equal(drawn(info, Y.mT.contiguous().mT), expected)
    assert torch.equal(drawn(info, torch.complex(Y, -Y).conj().imag), expected)
    with_gradient = drawn(info, Y.clone().requires_grad_())
    assert torch.equal(with_gradient, expected)
    assert not with_gradient.requires_grad
    with torch.inference_mode():
        inferred = drawn(info, Y.clone())
    assert torch.equal(inferred, expected)
    assert not inferred.is_inference()
    half = drawn(info, Y.half())
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, expected, rtol=0, atol=2e-2)


def test_other_types_are_refused_or_taken_in_sentences() -> None:
    with pytest.raises(ValueError, match=r"must be of a floating-point type, got int64"):
        InverseProblem(OPERATOR, (10 * Y).long(), NOISE)
    blind = Inpainting.random(SHAPE, keep=0.5)
    blind.measured = torch.zeros(SHAPE, dtype=torch.bool)
    with pytest.raises(ValueError, match="must measure something"):
        InverseProblem(blind, Y, NOISE)


def test_operators_that_end_in_a_lazy_conjugate() -> None:
    z = torch.randn(2, 4, dtype=torch.complex64)
    flip = from_function(
        lambda x: x.conj_physical().conj(),
        (4,),
        adjoint=lambda y: y.conj_physical().conj(),
        in_complex=True,
        out_complex=True,
    )
    plain = InverseProblem(Identity((4,), complex=True), z, NOISE)
    lazy = InverseProblem(flip, z.conj().resolve_conj().conj(), NOISE)
    assert not lazy.y.is_conj()
    torch.testing.assert_close(lazy.y, z)
    torch.testing.assert_close(lazy.discrepancy(0.5 * z).sum(), plain.discrepancy(0.5 * z).sum())
