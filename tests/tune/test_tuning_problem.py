"""A method on a task: what it is scored by, and what makes it another one."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from invscore import GaussianNoise, InverseProblem, reconstruct, simulate
from invscore.bench.imaging.config import ImagingConfig
from invscore.engine import Alone, Engine, open_engine
from invscore.metrics import psnr
from invscore.networks import build_network
from invscore.operators import Inpainting
from invscore.priors import NetworkPrior
from invscore.tune.space import get_space
from invscore.tune.study import open_study, search
from invscore.tune.tuning_problem import TuningProblem, tuning_problems

SIZES: dict[str, Any] = {"channels": 1, "widths": [4, 8], "blocks": 1}
IMAGES = {
    name: torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(k))
    for k, name in enumerate("ab")
}
GRAY = {"a": IMAGES["a"].mean(dim=0, keepdim=True), "b": IMAGES["b"][:1]}


@pytest.fixture(scope="module")
def network() -> NetworkPrior:
    torch.manual_seed(0)
    metadata = {"architecture": {"name": "unet", **SIZES}}
    return NetworkPrior(build_network("unet", **SIZES), channels=1, metadata=metadata)


def made(network: NetworkPrior, **changes: Any) -> list[TuningProblem]:
    config = ImagingConfig.model_validate(
        {
            "prior": "tiny",
            "seed": 3,
            "tasks": [
                {"name": "holes", "op": "inpaint(keep=0.5)", "noise": 0.1},
                {"name": "blur", "op": "deblur"},
            ],
            "methods": [
                {"name": "diffpir", "samples": 3, "options": {"steps": 2, "lam": 2.0}},
                {"name": "tv", "options": {"iterations": 3}, "tasks": {"blur": {"weight": 9.0}}},
            ],
        }
    )
    return tuning_problems(config, {"tiny": network}, GRAY, **changes)


def test_every_method_on_every_task(network: NetworkPrior) -> None:
    found = [(c.task.name, c.method.name, c.samples) for c in made(network)]
    assert found == [
        ("holes", "diffpir", 3),
        ("holes", "tv", 1),
        ("blur", "diffpir", 3),
        ("blur", "tv", 1),
    ]
    assert [c.samples for c in made(network, samples=2)] == [2, 1, 2, 1]


def test_the_score_is_the_psnr_of_the_mean(network: NetworkPrior) -> None:
    problem = made(network)[0]
    operator = Inpainting.random((1, 16, 16), keep=0.5, seed=0)
    seed = 3 + 10**4  # of the second image
    truth = GRAY["b"][None]
    y = simulate(operator, truth, GaussianNoise(0.1), seed)
    result = reconstruct(
        InverseProblem(operator, y, GaussianNoise(0.1)),
        network,
        method="diffpir",
        samples=3,
        seed=seed,
        steps=2,
        lam=2.0,
        zeta=0.3,
    )
    assert problem.score(1, {"zeta": 0.3}) == pytest.approx(psnr(result.mean, truth).item())


def test_chosen_options_come_before_those_of_the_configuration(network: NetworkPrior) -> None:
    diffpir, _, _, tv = made(network)
    assert diffpir.options({})["lam"] == 2.0
    assert diffpir.options({"lam": 0.5}) == {**diffpir.options({}), "lam": 0.5}
    assert tv.options({}) == {"weight": 9.0, "iterations": 3}


def test_gray_priors_see_gray_images(network: NetworkPrior) -> None:
    problem = dataclasses.replace(made(network)[1], images=IMAGES)
    task, restored = problem.restored(0, {})
    assert task.problem.operator.in_shape == (1, 16, 16)
    assert restored.samples.shape == (1, 1, 1, 16, 16)


def test_the_digest_is_that_of_what_decides(network: NetworkPrior) -> None:
    problem, tv, *_ = made(network)
    torch.manual_seed(1)
    other = NetworkPrior(build_network("unet", **SIZES), channels=1, metadata=network.metadata)
    method = problem.method.model_copy(update={"options": {"steps": 3, "lam": 2.0}})
    changed = [
        dataclasses.replace(problem, **change)
        for change in (
            {"network": other},
            {"images": {**GRAY, "b": 1 - GRAY["b"]}},
            {"samples": 4},
            {"seed": 4},
            {"method": method},
            {"task": problem.task.model_copy(update={"noise": 0.2})},
            {"task": problem.task.model_copy(update={"op": "inpaint(keep=0.6)"})},
        )
    ]
    digests = {each.digest() for each in [problem, *changed]} | {problem.digest(space={"lam": 1})}
    assert len(digests) == len(changed) + 2
    assert problem.digest() == made(network)[0].digest()
    renamed = problem.task.model_copy(update={"name": "another"})
    assert problem.digest() == dataclasses.replace(problem, task=renamed).digest()
    assert tv.digest() == dataclasses.replace(tv, network=other).digest(), "it has no prior"


def test_workers_change_nothing_in_what_is_found(network: NetworkPrior, tmp_path: Path) -> None:
    """Trials that end early and defaults included: the images of a trial count in their order."""
    pytest.importorskip("optuna")
    pytest.importorskip("distributed")
    problem = made(network)[0]

    def tried(engine: Engine, name: str) -> list[tuple[Any, ...]]:
        study = open_study(name, tmp_path / name)
        space = get_space("diffpir")
        search(study, space, problem.score, images=2, trials=6, seed=1, engine=engine)
        return [
            (t.state.name, t.user_attrs["options"], t.value, t.intermediate_values)
            for t in study.trials
        ]

    alone = tried(Alone(), "alone")
    unknown = problem.method.model_copy(update={"options": {"none": 1}})
    refused = dataclasses.replace(problem, method=unknown)
    study = open_study("refused", tmp_path / "refused")
    with open_engine(2) as engine:
        assert tried(engine, "two") == alone
        with pytest.raises(ValueError, match="has no option 'none'"):
            search(study, {}, refused.score, images=2, trials=1, seed=1, engine=engine)
    assert len(alone) == 6
