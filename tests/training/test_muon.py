"""Muon: orthogonal updates as long as AdamW's, for the right weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from invscore.networks import UNet
from invscore.training.muon import Muon, orthogonalised
from invscore.training.optimiser import make_optimisers


def random_matrix(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", [(32, 32), (24, 96), (96, 24), (3, 16, 48)])
def test_singular_values_are_near_one(shape: tuple[int, ...]) -> None:
    matrix = random_matrix(*shape) * 1e-3
    result = orthogonalised(matrix)
    assert result.dtype == matrix.dtype
    values = torch.linalg.svdvals(result)
    assert values.min() > 0.6 if shape != (32, 32) else values.median() > 0.6
    assert values.max() < 1.25


def test_singular_vectors_are_kept() -> None:
    matrix = random_matrix(20, 60)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    along = u.T @ orthogonalised(matrix) @ v.T  # diagonal: the new singular values
    assert (along - along.diagonal().diag()).abs().max() < 0.05
    assert along.diagonal().min() > 0.6


@pytest.mark.parametrize("shape", [(24, 96), (96, 24)])
def test_a_cpu_computes_in_the_precision_of_the_matrix(shape: tuple[int, ...]) -> None:
    """The polynomial acts on each singular value by itself."""
    matrix = random_matrix(*shape)
    u, values, v = torch.linalg.svd(matrix.double(), full_matrices=False)
    s = values / values.square().sum().sqrt()
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    expected = (u @ s.diag() @ v).float()
    torch.testing.assert_close(orthogonalised(matrix), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("shape", "rank"), [((64, 64), 64), ((48, 200), 3), ((2, 200, 48), 48)])
def test_polynomials_of_the_gram_matrix_are_the_iterations(
    shape: tuple[int, ...], rank: int
) -> None:
    """``X <- a X + (b X X^T + c (X X^T)^2) X``; singular values of eight decades, or three."""
    u, s, v = torch.linalg.svd(random_matrix(*shape).double(), full_matrices=False)
    s = torch.logspace(0, -8, s.shape[-1], dtype=torch.float64) * (torch.arange(s.shape[-1]) < rank)
    matrix = (u * s) @ v
    x = matrix / matrix.norm(dim=(-2, -1), keepdim=True)
    for _ in range(5):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    torch.testing.assert_close(orthogonalised(matrix), x, rtol=0, atol=1e-6)
    torch.testing.assert_close(orthogonalised(matrix.float()), x.float(), rtol=0, atol=2e-3)


@pytest.mark.parametrize("shape", [(24, 96), (96, 24), (16, 4, 3, 3)])
def test_updates_are_as_long_as_those_of_adamw(shape: tuple[int, ...]) -> None:
    w = nn.Parameter(torch.zeros(shape))
    optimiser = Muon([w], lr=0.01)
    w.grad = random_matrix(*shape)
    optimiser.step()
    # An orthogonal (r, c) matrix has r x c entries whose squares sum to min(r, c).
    assert w.square().mean().sqrt().item() == pytest.approx(0.01 * 0.2, rel=0.2)
    assert (w * w.grad).sum() < 0


@pytest.mark.parametrize(("second", "momentum", "sign"), [(-0.05, 0.085, 1), (-0.6, 0.03, -1)])
def test_momentum_and_decay_by_hand(second: float, momentum: float, sign: int) -> None:
    """Two steps with gradients along one singular pair, whose update is known."""
    w = nn.Parameter(torch.full((2, 2), 5.0))
    optimiser = Muon([w], lr=0.1, weight_decay=0.5, momentum=0.9)
    pair = torch.diag(torch.tensor([1.0, 0.0]))
    w.grad = pair.clone()
    optimiser.step()
    one, length = orthogonalised(pair), 0.1 * 0.2 * 2**0.5
    torch.testing.assert_close(w.detach(), 5 * (1 - 0.05) - length * one, rtol=0, atol=1e-4)
    before = w.detach().clone()
    w.grad = second * pair
    optimiser.step()
    # m = 0.9 x 0.1 + 0.1 g; ahead, 0.9 m + 0.1 g, the sign is that of 0.081 + 0.19 g.
    assert optimiser.state[w]["momentum"][0, 0].item() == pytest.approx(momentum, abs=1e-7)
    expected = before * (1 - 0.05) - sign * length * one
    torch.testing.assert_close(w.detach(), expected, rtol=0, atol=1e-4)


def test_weights_of_one_shape_do_not_mix() -> None:
    weights = [nn.Parameter(torch.zeros(4, 6)) for _ in range(2)]
    for k, w in enumerate(weights):
        w.grad = random_matrix(2, 4, 6)[k]
    together = Muon(weights, lr=0.1)
    together.step()
    for k, w in enumerate(weights):
        alone = nn.Parameter(torch.zeros(4, 6))
        alone.grad = random_matrix(2, 4, 6)[k]
        Muon([alone], lr=0.1).step()
        torch.testing.assert_close(w.detach(), alone.detach(), rtol=0, atol=1e-3)


def test_which_weights_it_is_for() -> None:
    network = UNet(1, widths=(4, 8), blocks=1, embedding=8)
    adamw, muon = make_optimisers(network, "muon", learning_rate=1e-3, weight_decay=0.0)
    assert isinstance(muon, Muon)
    names = {w: name for name, w in network.named_parameters()}
    inner = {names[w] for w in muon.param_groups[0]["params"]}
    others = {names[w] for w in adamw.param_groups[0]["params"]}
    assert inner | others == set(names.values())
    assert not inner & others
    assert {"bottom.0.conv_in.weight", "bottom.0.film.weight", "down.0.weight"} <= inner
    assert {"stem.weight", "head.weight", "embed.mix.0.weight", "down.0.bias"} <= others
    assert all(w.ndim >= 2 for w in muon.param_groups[0]["params"])
    (only,) = make_optimisers(network, "adamw", learning_rate=1e-3, weight_decay=0.0)
    assert isinstance(only, torch.optim.AdamW)
    assert len(only.param_groups[0]["params"]) == len(names)
