import pytest

from invscore.training.schedule import trapezoid


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
