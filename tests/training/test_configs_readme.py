"""configs/train/README.md is true: its examples parse, its tables have every key and default."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from invscore.training.config import TrainConfig, read_config
from invscore.training.data.config import ArraysConfig, CallableConfig, FolderConfig
from invscore.training.resume_check import FREE

PAGE = (Path(__file__).parents[2] / "configs" / "train" / "README.md").read_text(encoding="utf-8")
ROWS = {
    key: (default, meaning)
    for key, default, meaning in re.findall(r"^\| `([\w.]+)` \| (.*?) \| (.*) \|$", PAGE, re.M)
}
KINDS = {"folder": FolderConfig, "arrays": ArraysConfig, "callable": CallableConfig}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def keys(section: type[BaseModel], place: str = "") -> Iterator[tuple[str, Any]]:
    """Every key below ``section`` with its default."""
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from keys(field.annotation, f"{place}{name}.")
        elif place + name != "data":
            yield place + name, field.get_default(call_default_factory=True)


def test_examples_parse(tmp_path: Path) -> None:
    kinds = set()
    for number, block in enumerate(blocks("yaml")):
        file = tmp_path / f"{number}.yaml"
        file.write_text(block)
        kinds.add(read_config(file).data.kind)
    assert kinds == set(KINDS)
    assert len(blocks("yaml")) == 4


DOCUMENTED = dict(keys(TrainConfig))
for kind, section in KINDS.items():
    DOCUMENTED |= dict(keys(section, f"{kind}."))


@pytest.mark.parametrize("key", DOCUMENTED)
def test_every_key_has_its_default(key: str) -> None:
    default = DOCUMENTED[key]
    stated = ROWS[key][0]
    if default is PydanticUndefined:
        assert stated == "-"
    else:
        assert yaml.safe_load(stated) == json.loads(json.dumps(default))


def test_no_key_is_invented() -> None:
    assert set(ROWS) - set(DOCUMENTED) == {"network.size"}


def test_what_is_free_is_marked() -> None:
    marked = {key for key, (_, meaning) in ROWS.items() if meaning.endswith("*free*")}
    places = {"folder.folder": "data.folder", "arrays.path": "data.path"}
    found = {places.get(key, "samples" if key.startswith("samples.") else key) for key in marked}
    assert found == FREE


def test_the_function_gives_images() -> None:
    (block,) = blocks("python")
    namespace: dict[str, Any] = {}
    exec(block, namespace)
    images = namespace["ellipses"](3, np.random.default_rng(0), "train", size=16)
    assert images.shape == (3, 1, 16, 16)
    assert np.iscomplexobj(images)
    assert 0 < abs(images).mean() < abs(images).max() == pytest.approx(1)
