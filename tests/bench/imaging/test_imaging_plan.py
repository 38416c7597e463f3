"""Which cells there are, what tells one from another, and which images they have."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from invscore.bench.imaging import cells as cells_module
from invscore.bench.imaging.cells import Outcome, remember, remembered
from invscore.bench.imaging.plan import plan, selected
from invscore.bench.imaging.sources import find_sources
from invscore.images import save_image


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ({"name": "dsp"}, "unknown method 'dsp': known are admm, .* and the baselines .*tv"),
        ({"name": "dps", "options": {"zeta": 1}}, "has no option 'zeta'"),
        ({"name": "dps", "options": {"steps": 0.5}}, "`steps` must be a whole number, got 0.5"),
        (
            {"name": "dps", "tasks": {"hdr": {"guidance": "big"}}},
            "`guidance` must be a number, got 'big'",
        ),
        ({"name": "tv", "samples": 2}, "`samples` of method 'tv' must be 1, .*, got 2"),
        ({"name": "red_diff", "samples": 2}, "`samples` of method 'red_diff' must be 1"),
    ],
)
def test_faults_are_found_before_anything_runs(
    make_config: Any, method: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        plan(make_config(methods=[method]))


def test_methods_share_measurements_and_images_do_not_share_seeds(make_config: Any) -> None:
    cells = plan(make_config(limit=3, repeats=2, seed=5))
    assert len(cells) == len({cell.file for cell in cells}) == 2 * 3 * 2 * 2
    seeds: dict[int, set[tuple[str, int]]] = {}
    for cell in cells:
        seeds.setdefault(cell.seed, set()).add((cell.source.name, cell.repeat))
    assert all(len(places) == 1 for places in seeds.values())
    assert len(seeds) == 6
    ordered = sorted(seeds)
    assert ordered[0] == 5
    apart = [later - earlier for earlier, later in pairwise(ordered)]
    assert min(apart) >= 1000, "sample k has the seed plus k"


def test_a_limit_changes_no_cell(make_config: Any) -> None:
    few, many = (plan(make_config(limit=limit)) for limit in (1, 3))
    assert {cell.file for cell in few} < {cell.file for cell in many}


def test_only_methods_with_a_prior_depend_on_it(make_config: Any) -> None:
    by_method = {cell.method: cell for cell in plan(make_config())}
    assert by_method["diffpir"].weights
    assert by_method["diffpir"].options["lam"] == 1.0, "defaults are written out"
    assert by_method["wiener"].prior is None
    assert not by_method["wiener"].weights


def test_a_method_has_a_prior_of_its_own_where_its_task_has_none(
    make_config: Any, tiny_prior: str
) -> None:
    methods = [
        {"name": "diffpir", "label": "tiny", "prior": tiny_prior},
        {"name": "diffpir"},
        {"name": "tv", "prior": tiny_prior},
    ]
    tasks = [
        {"name": "blur", "op": "deblur(sigma=1)"},
        {"name": "own", "op": "deblur(sigma=1)", "prior": "photos-gray"},
    ]
    cells = plan(make_config(prior="photos-gray", methods=methods, tasks=tasks, limit=1))
    found = {(cell.task, cell.label): cell for cell in cells}
    assert found["blur", "tiny"].prior == tiny_prior
    assert found["blur", "diffpir"].prior == found["own", "tiny"].prior == "photos-gray"
    assert found["blur", "tiny"].weights != found["own", "tiny"].weights
    assert found["blur", "tv"].prior is None
    with pytest.raises(ValueError, match="`prior` of method 'tiny' must be one of colour images"):
        plan(make_config(prior="photos", methods=methods[:1]))


@pytest.mark.parametrize(
    "change", [{"options": {"steps": 9}}, {"weights": "0"}, {"noise": 0.1}, {"seed": 1}]
)
def test_other_work_has_another_file(make_config: Any, change: dict[str, Any]) -> None:
    cell = plan(make_config())[0]
    assert replace(cell, **change).file != cell.file


def test_other_versions_have_other_files(make_config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = plan(make_config())[0]
    before = cell.file
    monkeypatch.setattr(cells_module, "__version__", "99")
    assert cell.file != before


def test_a_part_of_a_configuration(make_config: Any) -> None:
    twice = [
        {"name": "dps", "label": "dps-5", "options": {"steps": 5}},
        {"name": "dps", "tasks": {"hdr": {"steps": 2}}, "label": "dps-9"},
        {"name": "tv"},
    ]
    config = make_config(methods=twice)
    part = selected(config, methods=["dps"], tasks=["blur"])
    assert [method.label for method in part.methods] == ["dps-5", "dps-9"]
    assert [task.name for task in part.tasks] == ["blur"]
    assert part.methods[1].tasks == {}
    assert [m.label for m in selected(config, methods=["tv", "dps-9"]).methods] == ["tv", "dps-9"]
    with pytest.raises(ValueError, match="unknown method 'ddrm': the configuration has"):
        selected(config, methods=["ddrm"])
    with pytest.raises(ValueError, match="unknown task 'sr': the configuration has blur, hdr"):
        selected(config, tasks=["sr"])


def test_images_of_ones_own(tmp_path: Path) -> None:
    for name, level in (("b", 0.2), ("a", 0.4)):
        save_image(tmp_path / f"{name}.png", torch.full((3, 20, 24), level))
    first, second = find_sources(str(tmp_path), "gray", 16)
    assert (first.name, second.name) == ("a", "b")
    assert first.load().shape == (1, 16, 16)
    assert first.load().mean().item() == pytest.approx(0.4, abs=1e-6)
    save_image(tmp_path / "a.png", torch.full((3, 20, 24), 0.6))
    assert find_sources(str(tmp_path), "gray", 16)[0].digest != first.digest
    with pytest.raises(ValueError, match="each image must have a name of its own, got 'a' 2 times"):
        find_sources((str(tmp_path / "a.png"),) * 2, "gray", 16)
    with pytest.raises(ValueError, match="no such file"):
        find_sources((str(tmp_path / "c.png"),), "gray", 16)
    with pytest.raises(ValueError, match="no such folder"):
        find_sources(str(tmp_path / "none"), "gray", 16)


def test_an_outcome_is_remembered_as_a_whole(make_config: Any, tmp_path: Path) -> None:
    first, second, *_ = plan(make_config())
    picture = torch.rand(1, 4, 4).half()
    remember(Outcome(first, {"psnr": 1.5, "ssim": None}, tensors={"truth": picture}), tmp_path)
    remember(Outcome(second, {}, refusal="no"), tmp_path)
    found = remembered(first, tmp_path, tensors=True)
    assert found is not None
    assert found.figures == {"psnr": 1.5, "ssim": None}
    assert torch.equal(found.tensors["truth"], picture)
    refused = remembered(second, tmp_path)
    assert refused is not None
    assert refused.refusal == "no"
    file = tmp_path / first.file
    file.write_bytes(file.read_bytes()[:-10])
    assert remembered(first, tmp_path) is None, "a torn file is no outcome"
