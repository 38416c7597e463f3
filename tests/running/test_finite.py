"""The watch for NaN: what it tells, and when it waits."""

from __future__ import annotations

import pytest
import torch

from invscore.running import finite
from invscore.running.finite import Watch

GOOD = torch.zeros(2, 3)
BAD = torch.tensor([[0.0, torch.inf, 1.0], [0.0, 0.0, 0.0]])


def test_it_tells_at_once_where_the_host_computes() -> None:
    watch = Watch()
    assert watch.look(1, GOOD) is None
    assert watch.look(11, BAD) == 11
    assert watch.last(15, GOOD) is None
    assert Watch().last(7, BAD * torch.nan) == 7


class Marks:
    """In the place of a GPU's events: those made and those waited for, by number."""

    def __init__(self) -> None:
        self.made = 0
        self.waited: list[int] = []

    def __call__(self, device: torch.device) -> Mark:  # noqa: ARG002
        self.made += 1
        return Mark(self, self.made)


class Mark:
    def __init__(self, marks: Marks, number: int) -> None:
        self.marks, self.number = marks, number

    def synchronize(self) -> None:
        self.marks.waited.append(self.number)


@pytest.fixture
def marks(monkeypatch: pytest.MonkeyPatch) -> Marks:
    """The CPU as a device that lags behind."""
    found = Marks()
    monkeypatch.setattr(finite, "BEHIND", {"cpu"})
    monkeypatch.setattr(finite, "recorded", found)
    return found


def test_a_device_is_never_waited_for_while_it_has_no_further_work(marks: Marks) -> None:
    watch = Watch()
    assert watch.look(1, GOOD) is None
    assert (marks.made, marks.waited) == (1, [])
    assert watch.look(11, BAD) is None
    assert (marks.made, marks.waited) == (2, [1])
    assert watch.look(21, BAD) == 11
    assert marks.waited == [1, 2]


def test_the_last_look_waits(marks: Marks) -> None:
    watch = Watch()
    assert watch.look(1, GOOD) is None
    assert watch.last(8, BAD) == 8
    assert marks.waited == [1, 2]
    early = Watch()
    assert early.look(1, BAD) is None
    assert early.last(8, BAD) == 1
