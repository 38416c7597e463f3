"""A command takes as many threads as others leave cores, or as the environment says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from invscore.cli import devices
from invscore.hardware.cores import Work


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Four threads on four cores, of which another program has taken three for two seconds."""
    readings = iter([Work(4, 0.0, 0.0, 0.0), Work(4, 8.0, 2.0, 2.0)])
    monkeypatch.setattr(Work, "until_now", lambda: next(readings, None))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield monkeypatch
    torch.set_num_threads(before)
    devices._began.clear()


@pytest.mark.usefixtures("busy")
def test_leaves_cores_to_others() -> None:
    devices.begin()
    assert devices.device_here("cpu") == "cpu"
    assert torch.get_num_threads() == 1


def test_the_environment_is_obeyed(busy: pytest.MonkeyPatch) -> None:
    busy.setenv("OMP_NUM_THREADS", "4")
    devices.begin()
    devices.device_here("cpu")
    assert torch.get_num_threads() == 4


@pytest.mark.usefixtures("busy")
def test_nothing_is_changed_where_nothing_was_seen() -> None:
    devices.device_here("cpu")
    assert torch.get_num_threads() == 4
