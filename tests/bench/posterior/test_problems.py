"""Every problem keeps the contract; exact samples score at the floor and wrong ones do not."""

from __future__ import annotations

import math

import pytest
import torch

from invscore.bench.posterior import PROBLEMS, Problem
from invscore.bench.posterior.cells import EXACT, Cell, run
from invscore.bench.posterior.metrics import SLICED
from invscore.bench.posterior.problem import exact_rng, select
from invscore.exact import exact_posterior
from invscore.priors import check_prior

CHOSEN = ("gaussian", "field-blur", "field-mask", "field-fourier", "nonlinear-phase")
CHOSEN += ("nonlinear-banana", "mixture-8-1-0.1", "mixture-80-4-0.01", "mixture-800-2-1")


@pytest.fixture(params=CHOSEN)
def problem(request: pytest.FixtureRequest) -> Problem:
    return PROBLEMS[request.param]


def test_an_instance_is_what_the_problem_says(problem: Problem) -> None:
    instance = problem.build(1)
    task = instance.problem
    assert math.prod(task.operator.in_shape) == problem.dim
    assert task.count == problem.measurements
    assert len(task.y) == 1
    assert task.noise.sigma == problem.noise
    other, again = problem.build(2), problem.build(1)
    torch.testing.assert_close(again.problem.y, task.y, rtol=0, atol=0)
    assert not torch.allclose(other.problem.y, task.y)
    floor = instance.floor(30)
    assert set(floor) == {metric.name for metric in problem.metrics}
    assert floor == again.floor(30)
    x = torch.zeros(30, *task.operator.in_shape)
    x = x.to(task.image_dtype) + instance.prior.mean
    far = instance.score(x + 10 * instance.prior.variance**0.5)
    assert far == instance.score(x + 10 * instance.prior.variance**0.5)
    assert far[problem.metrics[0].name] > 3 * floor[problem.metrics[0].name]


def test_instances_have_floors_of_their_own() -> None:
    """Exact samples of one instance are none of the next, and one lucky set is not the floor."""
    first, second = (exact_rng(seed, 500, "floor 0").keys for seed in (0, 1))
    assert not set(first) & set(second)
    problem = PROBLEMS["modes-blur"]
    floors = torch.tensor([problem.build(seed).floor(200)[SLICED.name] for seed in range(6)])
    # Single sets of 200, of modes far apart, differ by half of their distance.
    assert floors.std() < 0.3 * floors.mean()


def test_the_cells_of_the_mixture() -> None:
    names = [problem.name for problem in select(["mixture"])]
    assert len(names) == 27
    assert [p.name for p in select(["mixture-8-*-0.1"])] == [
        f"mixture-8-{m}-0.1" for m in (1, 2, 4)
    ]
    assert [p.family for p in select(["gaussian", "field"])] == ["field"] * 3 + ["gaussian"]
    with pytest.raises(ValueError, match="no problem is called 'mixtures'"):
        select(["mixtures"])


def test_the_operator_of_the_mixture_follows_the_protocol() -> None:
    instance = PROBLEMS["mixture-8-4-0.1"].build(7)
    values = instance.problem.operator.svd(torch.float64).s
    assert ((values > 0) & (values < 1)).all()
    assert len(values) == 4
    means = instance.prior.means
    assert means.shape == (25, 8)
    torch.testing.assert_close(means[:, ::2].unique(), 8.0 * torch.arange(-2, 3))
    torch.testing.assert_close(means[:, 2:], means[:, :-2])


def test_mode_weights_are_those_of_the_posterior() -> None:
    instance = PROBLEMS["mixture-8-1-1"].build(0)
    posterior = exact_posterior(instance.problem, instance.prior)
    n = 4000
    scores = instance.score(posterior.sample(n, 9))
    assert scores["mode weights"] < 2 * 0.5 * float((posterior.weights / n).sqrt().sum())


@pytest.mark.usefixtures("made_up")
@pytest.mark.parametrize("name", ["gaussian", "mixture-8-2-0.1", "mixture-80-4-0.1"])
def test_exact_samples_score_at_the_floor_and_wide_ones_do_not(name: str) -> None:
    metrics = PROBLEMS[name].metrics

    def errors(method: str) -> torch.Tensor:
        """The error by every metric, averaged over the instances: (metrics,)."""
        options = {} if method == EXACT else {"steps": 1}
        outcomes = [run(Cell(name, method, options, 400, k, 0)) for k in range(6)]
        scores = [[abs(o.scores[m.name] - m.target) for m in metrics] for o in outcomes]
        return torch.tensor(scores, dtype=torch.float64)

    floor, truth, wide = errors(EXACT), errors("truth"), errors("wide")
    spread = ((floor.var(dim=0) + truth.var(dim=0)) / len(floor)).sqrt()
    assert ((truth - floor).mean(dim=0).abs() < 4 * spread + 1e-6).all()
    assert wide.mean(dim=0)[0] > 1.6 * floor.mean(dim=0)[0]


@pytest.mark.parametrize("kind", ["exp", "square"])
def test_the_density_of_independent_pixels_is_that_of_their_denoiser(kind: str) -> None:
    problem = PROBLEMS[f"pixels-{kind}"].build(0)
    report = check_prior(problem.prior, (2, *problem.problem.operator.in_shape))
    assert report.ok, str(report)
    x = problem.prior.sample(5, 1)
    gaussian = torch.distributions.Normal(0.0, 1.25**0.5).log_prob(x).flatten(1).sum(dim=1)
    if kind == "exp":
        torch.testing.assert_close(problem.prior.log_density(x, 0.5), gaussian)
