"""Configurations of the imaging benchmark: what they may say, and those that are shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from invscore.bench.imaging.config import read_imaging_config
from invscore.bench.imaging.plan import plan, selected
from invscore.methods import METHODS
from invscore.options.config import ConfigError

SHIPPED = Path(__file__).parents[3] / "configs" / "bench"
BLUR = {"name": "blur", "op": "deblur"}
DPS = {"name": "dps"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, "unknown key colour: prior, images, size, "),
        ({"prior": None}, "prior is missing$"),
        ({"tasks": []}, r"tasks must be a list of 1 or more, got \[\]$"),
        ({"tasks": [{**BLUR, "sigma": 1}]}, r"unknown key tasks\.0\.sigma: name, op, "),
        ({"tasks": [{"name": "a", "op": "deblur(radius=2)"}]}, "no option 'radius'"),
        ({"tasks": [{"name": "a", "op": "debur"}]}, "unknown operator 'debur'"),
        ({"tasks": [{"name": "a b", "op": "deblur"}]}, "tasks.0.name"),
        ({"tasks": [{**BLUR, "noise": 0}]}, r"tasks\.0\.noise must be above 0, got 0$"),
        ({"tasks": [BLUR, BLUR]}, "each task must have a name of its own, got 'blur' 2 times"),
        ({"methods": [DPS, DPS]}, "each method must have a name of its own, got 'dps' 2 times"),
        ({"methods": [{**DPS, "tasks": {"blurr": {}}}]}, "'blurr', which is not among blur, hdr"),
        ({"methods": [{**DPS, "samples": 0}]}, "samples"),
        ({"seed": -1}, "seed"),
        ({"limit": 0}, "limit"),
    ],
)
def test_faults_are_told(write_config: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read_imaging_config(write_config(**changes))
    assert "\n" not in str(caught.value)


def test_what_follows_from_a_fault_is_not_told(write_config: Any) -> None:
    """A wrong task is dropped, and then there are none: that is no second fault."""
    with pytest.raises(ConfigError) as told:
        read_imaging_config(write_config(tasks=[{"name": "a", "op": "denoise", "nosie": 1}]))
    assert "tasks.0.nosie" in str(told.value)
    assert "at least 1 item" not in str(told.value)


def test_a_calibration_lies_beside_the_configuration(make_config: Any, tmp_path: Path) -> None:
    config = make_config(methods=[{**DPS, "calibration": "dps.json"}])
    assert config.methods[0].calibration == tmp_path / "dps.json"


def test_options_of_a_task_come_first(make_config: Any) -> None:
    method = {**DPS, "options": {"steps": 5, "guidance": 0.1}, "tasks": {"hdr": {"guidance": 0.7}}}
    (found,) = make_config(methods=[method]).methods
    assert found.options_for("blur") == {"steps": 5, "guidance": 0.1}
    assert found.options_for("hdr") == {"steps": 5, "guidance": 0.7}


@pytest.mark.parametrize("name", ["imaging", "quick"])
def test_shipped_configurations_can_be_planned(name: str) -> None:
    pytest.importorskip("bm3d")
    config = read_imaging_config(SHIPPED / f"{name}.yaml")
    ours = [method.label for method in config.methods if method.name in METHODS]
    assert len(config.tasks) == 18
    photographs = [task.name for task in config.tasks if task.prior is None]
    cells = plan(selected(config, tasks=photographs, methods=ours))
    images = 7 if config.limit is None else config.limit
    assert len(cells) == len(photographs) * images * len(ours)


def test_the_quick_run_has_all_tasks_and_all_our_methods() -> None:
    whole, quick = (read_imaging_config(SHIPPED / f"{name}.yaml") for name in ("imaging", "quick"))
    assert [task.name for task in quick.tasks] == [task.name for task in whole.tasks]
    assert [task.noise for task in quick.tasks] == [task.noise for task in whole.tasks]
    ours = {method.name for method in whole.methods if method.name in METHODS}
    assert {method.name for method in quick.methods} == ours


def test_the_speed_run_has_the_tasks_and_tuned_options_of_the_whole() -> None:
    whole, speed = (read_imaging_config(SHIPPED / f"{name}.yaml") for name in ("imaging", "speed"))
    tasks = {task.name: task for task in whole.tasks}
    assert list(speed.tasks) == [tasks[task.name] for task in speed.tasks]
    tuned = {m.name: m.tasks for m in whole.methods if m.label.endswith("-tuned")}
    theirs = [method for method in speed.methods if method.name != "auto"]
    assert {method.name for method in theirs} == set(tuned)
    assert all(method.tasks == tuned[method.name] for method in theirs)
