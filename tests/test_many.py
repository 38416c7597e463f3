"""Many problems from Python: results depend on a name, or a number, and on nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import count

import dask.array
import pytest
import torch
import zarr
from distributed import Client, LocalCluster
from torch import Tensor

from invscore import GaussianNoise, GaussianPrior, InverseProblem, reconstruct, reconstruct_many
from invscore.many import each_of, named_seed, split
from invscore.operators import Inpainting
from invscore.result import Result

SETTINGS = {"method": "diffpir", "steps": 3, "samples": 2}
OPERATOR = Inpainting(torch.arange(16).reshape(1, 4, 4) % 3 > 0, (1, 4, 4))
NOISE = GaussianNoise(0.1)
Y = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * OPERATOR.measured


@pytest.fixture(scope="module")
def prior() -> GaussianPrior:
    return GaussianPrior(torch.full((1, 4, 4), 0.5), 0.05 * torch.eye(16))


def problem(k: int) -> InverseProblem:
    return InverseProblem(OPERATOR, Y[k : k + 1], NOISE)


def broken() -> InverseProblem:
    raise ValueError("`y` must be there")


def drawn(found: Iterator[object]) -> list[Tensor]:
    ordered = sorted(found, key=lambda each: each.index)
    assert all(each.result is not None for each in ordered), ordered
    return [each.result.samples for each in ordered]


def test_a_result_is_that_of_its_seed(prior: GaussianPrior) -> None:
    for found in reconstruct_many(map(problem, range(3)), prior, seed=5, **SETTINGS):
        assert found.name == str(found.index)
        alone = reconstruct(problem(found.index), prior, seed=named_seed(5, found.name), **SETTINGS)
        assert torch.equal(found.result.samples, alone.samples)


def test_sources_are_taken_little_by_little(prior: GaussianPrior) -> None:
    taken = count()
    endless = (problem(k % 6) for k in taken)
    results = reconstruct_many(endless, prior, **SETTINGS)
    assert [next(results).index for _ in range(4)] == [0, 1, 2, 3]
    assert next(taken) == 4


def test_names_decide_and_order_does_not(prior: GaussianPrior) -> None:
    names = ["a", "b", "c"]
    there = reconstruct_many(map(problem, range(3)), prior, names=names, **SETTINGS)
    back = reconstruct_many(map(problem, [2, 1, 0]), prior, names=names[::-1], **SETTINGS)
    for one, other in zip(drawn(there), drawn(back)[::-1], strict=True):
        assert torch.equal(one, other)


def test_arrays_are_read_in_parts(prior: GaussianPrior) -> None:
    whole = drawn(reconstruct_many(map(problem, range(6)), prior, **SETTINGS))
    stored = zarr.create_array({}, shape=Y.shape, dtype="float32", chunks=(2, 1, 4, 4))
    stored[:] = Y.numpy()
    lazy = dask.array.from_array(Y.double().numpy(), chunks=(3, 1, 4, 4))
    for y in (Y, Y.numpy(), stored, lazy):
        for together in (1, 4):
            parts = each_of(OPERATOR, y, NOISE, together=together)
            found = torch.cat(drawn(reconstruct_many(parts, prior, **SETTINGS)), dim=1)
            torch.testing.assert_close(found.float(), torch.cat(whole, dim=1), atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="`together` must be at least 1"):
        next(each_of(OPERATOR, Y, NOISE, together=0))
    with pytest.raises(ValueError, match=r"shape \(n, 1, 4, 4\) .* Inpainting, got \(6, 4, 4\)"):
        next(each_of(OPERATOR, Y[:, 0], NOISE))


def test_what_fails_is_told(prior: GaussianPrior) -> None:
    found = list(reconstruct_many([problem(0), broken, problem(1)], prior, **SETTINGS))
    assert [each.result is None for each in found] == [False, True, False]
    assert found[1].error == "`y` must be there"
    with pytest.raises(ValueError, match="no option"):
        next(reconstruct_many([], prior, method="diffpir", strength=3))


def test_workers_do_the_same(prior: GaussianPrior) -> None:
    alone = drawn(reconstruct_many(map(problem, range(6)), prior, **SETTINGS))
    lazy = [partial(problem, k) for k in range(3)] + [problem(k) for k in range(3, 6)]
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        found = drawn(reconstruct_many(lazy, prior, client=client, **SETTINGS))
    for one, other in zip(alone, found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


def test_a_batch_is_split_into_what_each_would_be(prior: GaussianPrior) -> None:
    batch = InverseProblem(OPERATOR, Y, GaussianNoise(torch.linspace(0.02, 0.3, 6)))
    seeds = [7 * k for k in range(6)]
    for k, part in enumerate(split(reconstruct(batch, prior, seed=seeds, **SETTINGS), prior)):
        alone: Result = reconstruct(batch.select(torch.tensor([k])), prior, seed=7 * k, **SETTINGS)
        assert part.seed == 7 * k
        torch.testing.assert_close(part.samples, alone.samples, atol=1e-5, rtol=0)
        torch.testing.assert_close(part.residual, alone.residual, atol=1e-4, rtol=0)
        assert len(part.warnings) == len(alone.warnings)
    with pytest.raises(ValueError, match="one for each of 6 measurements, got 2"):
        reconstruct(batch, prior, seed=[1, 2], **SETTINGS)
