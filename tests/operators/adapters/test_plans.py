"""Plans of FINUFFT that are kept: the results of fresh ones, in any order of calls."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest
import torch
from torch import Tensor

from invscore.operators import from_finufft
from invscore.operators.adapters.nufft import FINUFFT
from invscore.operators.adapters.plans import KEPT, Plans

pytest.importorskip("pytorch_finufft")


@pytest.fixture
def operator() -> FINUFFT:
    torch.manual_seed(0)
    return FINUFFT(torch.rand(2, 50, dtype=torch.float64) * 6 - 3, (2, 12, 10))


def images(batch: int, dtype: torch.dtype = torch.complex128) -> Tensor:
    return torch.randn(batch, 2, 12, 10, dtype=dtype)


def fresh(operator: FINUFFT, x: Tensor) -> Tensor:
    return from_finufft(operator._omega, operator.in_shape)(x)


def test_points_are_set_once(operator: FINUFFT, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    make = Plans._made
    monkeypatch.setattr(Plans, "_made", lambda self, key: made.append(key) or make(self, key))
    for _ in range(3):
        operator.rmatvec(operator(images(1)))
    assert len(made) == 2


def test_any_order_of_sizes_and_precisions(operator: FINUFFT) -> None:
    for batch, dtype in 2 * list(product((1, 3, 2), (torch.complex64, torch.complex128))):
        x = images(batch, dtype)
        torch.testing.assert_close(operator(x), fresh(operator, x), rtol=0, atol=0)
        assert len(operator._plans._idle) <= KEPT


def test_agrees_with_pytorch_finufft(operator: FINUFFT) -> None:
    from pytorch_finufft.functional import finufft_type1, finufft_type2

    x = images(3)
    y = finufft_type2(operator._omega, x, isign=-1, modeord=0, eps=1e-12)
    torch.testing.assert_close(operator(x), operator._norm * y)
    back = finufft_type1(operator._omega, y, (12, 10), isign=1, modeord=0, eps=1e-12)
    torch.testing.assert_close(operator.rmatvec(y), operator._norm * back)


def test_threads_share_an_operator(operator: FINUFFT) -> None:
    batches = [images(2) for _ in range(40)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(operator, batches))
    for x, y in zip(batches, found, strict=True):
        torch.testing.assert_close(y, fresh(operator, x), rtol=0, atol=0)


def test_copies_begin_without_plans(operator: FINUFFT) -> None:
    x = images(1)
    y = operator(x)
    for again in (copy.deepcopy(operator), pickle.loads(pickle.dumps(operator))):
        assert not again._plans._idle
        torch.testing.assert_close(again(x), y, rtol=0, atol=0)


def test_derivatives_are_the_transform_and_its_adjoint(operator: FINUFFT) -> None:
    x, u = images(2).requires_grad_(), operator(images(2))
    (gradient,) = torch.autograd.grad(operator(x), x, u)
    torch.testing.assert_close(gradient, operator.rmatvec(u))
    v = images(2)
    tangent = torch.func.jvp(operator.matvec, (x.detach(),), (v,))[1]
    torch.testing.assert_close(tangent, operator(v))
    each = torch.func.vmap(operator.matvec, in_dims=1, out_dims=1)(torch.stack([v, 2 * v], dim=1))
    torch.testing.assert_close(each[:, 1], 2 * operator(v))
