"""Learning-rate schedules: how they rise, hold and fall."""

import math

import pytest

from invscore.training.config import OptimiserConfig
from invscore.training.schedule import constant, cosine, learning_rate, trapezoid


def rate(step: int, steps: int = 100, warmup: int = 10, decay_fraction: float = 0.3) -> float:
    return trapezoid(step, steps=steps, warmup=warmup, decay_fraction=decay_fraction)


def test_rise_hold_fall() -> None:
    assert [rate(step) for step in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert {rate(step) for step in range(10, 71)} == {1.0}
    assert [rate(step) for step in (85, 97, 99)] == pytest.approx([0.5, 0.1, 1 / 30])


def test_a_longer_run_begins_alike() -> None:
    assert [rate(step) for step in range(70)] == [rate(step, steps=1000) for step in range(70)]


def test_neither_warmup_nor_decay() -> None:
    assert {rate(step, warmup=0, decay_fraction=0) for step in range(100)} == {1.0}


def test_cosine() -> None:
    values = [cosine(step, steps=110, warmup=10) for step in range(110)]
    assert values[:10] == pytest.approx([k / 10 for k in range(1, 11)])
    assert [values[k] for k in (10, 35, 60, 85)] == pytest.approx(
        [1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2]
    )
    assert 0 < values[-1] < 1e-3


def test_constant() -> None:
    assert [constant(step, warmup=4) for step in (0, 3, 4, 10**6)] == [0.25, 1, 1, 1]


@pytest.mark.parametrize(
    ("schedule", "expected"), [("trapezoid", 0.004), ("cosine", 0.001), ("constant", 0.004)]
)
def test_the_configuration_chooses(schedule: str, expected: float) -> None:
    given = {"steps": 300, "warmup": 0, "learning_rate": 0.004, "decay_fraction": 1 / 3}
    options = OptimiserConfig.model_validate({**given, "schedule": schedule})
    assert learning_rate(options, 200) == pytest.approx(expected)
    assert learning_rate(options, 250) < 0.0025 or schedule == "constant"
