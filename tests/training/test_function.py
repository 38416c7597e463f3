"""Training data from a function of the user's own, and what is said of one that does not work."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from invscore.plugins.modules import find_object
from invscore.training.data import FunctionSource

TEXT = """
import numpy as np
import torch

def ones(count, random, split, size=4):
    level = random.random() if split == "train" else 2.0
    return np.full((count, 1, size, size), level)

def phases(count, random, split):
    return torch.polar(torch.ones(count, 2, 3, 3), torch.ones(count, 2, 3, 3))

def flat(count, random, split):
    return np.zeros((count, 4))

def holed(count, random, split):
    return np.where(random.random((count, 1, 4, 4)) < 0.1, np.nan, 1.0)

def huge(count, random, split):
    return np.full((count, 1, 4, 4), 1 + 1j * np.inf)

def growing(count, random, split):
    return np.zeros((count, 1, 3 + count, 4))

def broken(count, random, split):
    raise RuntimeError("no data today")

def leaves(count, random, split):
    raise SystemExit(0)

number = 3
"""


@pytest.fixture
def module(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(TEXT)
    return str(tmp_path / "mine.py")


def source(address: str, split: str = "train", **options: Any) -> FunctionSource:
    return FunctionSource(address, split=split, options=options)


def test_arrays(module: str) -> None:
    data = source(f"{module}:ones", size=5)
    images = data.batch(3, np.random.default_rng(7))
    assert images.dtype == torch.float32
    assert data.shape == (1, 5, 5)
    np.testing.assert_allclose(images.numpy(), np.random.default_rng(7).random(), rtol=1e-6)
    assert source(f"{module}:ones", "val").batch(1, np.random.default_rng(0)).max() == 2


def test_complex_tensors(module: str) -> None:
    data = source(f"{module}:phases")
    assert data.shape == (2, 3, 3)
    image = data.batch(1, np.random.default_rng(0))
    assert image.dtype == torch.complex64
    assert image[0, 0, 0, 0].item() == pytest.approx(complex(math.cos(1), math.sin(1)))


def test_the_digest_is_of_what_it_makes(module: str) -> None:
    digests = {source(f"{module}:ones", size=size).digest() for size in (4, 4, 5)}
    assert len(digests) == 2
    assert source(f"{module}:ones", "val").digest() not in digests


def test_by_the_name_of_a_module() -> None:
    assert find_object("math:sqrt") is math.sqrt


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("flat", {}, r"mine\.py:flat' must give numbers of shape \(1, c, h"),
        ("broken", {}, r"fails: RuntimeError: no data today \(mine\.py, line 25\)"),
        ("leaves", {}, r"mine\.py:leaves' fails: SystemExit: 0 \(mine\.py, line 28\)"),
        ("ones", {"colour": 1}, r"fails: TypeError: ones\(\) got an unexpected .* 'colour'$"),
        ("huge", {}, r"mine\.py:huge' must give finite values"),
        ("number", {}, r"mine\.py:number' is of type int"),
        ("nothing", {}, r"mine\.py' defines no 'nothing'"),
    ],
)
def test_functions_that_do_not_work(
    module: str, name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        source(f"{module}:{name}", **options)


def test_images_that_only_later_do_not_fit(module: str) -> None:
    with pytest.raises(ValueError, match=r"mine\.py:holed' must give finite values"):
        source(f"{module}:holed").batch(100, np.random.default_rng(1))
    with pytest.raises(
        ValueError, match=r"must give images of one shape, got \(1, 6, 4\) after \(1, 4, 4\)"
    ):
        source(f"{module}:growing").batch(3, np.random.default_rng(1))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("mine.py", r"must be file\.py:name or package\.module:name, got 'mine\.py'"),
        (":f", "must be file.py:name"),
        ("none.py:f", r"'none\.py': no such file"),
        (
            "no.such.module:f",
            r"'no\.such\.module' cannot be imported: ModuleNotFoundError: .*'no'$",
        ),
    ],
)
def test_addresses_that_lead_nowhere(address: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find_object(address)


def test_a_file_with_a_fault(tmp_path: Path) -> None:
    (tmp_path / "faulty.py").write_text("x = 1\ny = x +\n")
    with pytest.raises(ValueError, match=r"cannot be imported: SyntaxError: .*faulty\.py, line 2"):
        find_object(f"{tmp_path / 'faulty.py'}:f")


def test_a_file_with_a_dataclass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dataclasses with postponed annotations look up their module by its name."""
    monkeypatch.setattr(sys, "path", [*sys.path])  # processes that start later find Python's json
    file = tmp_path / "json.py"
    file.write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "@dataclass\n"
        "class Size:\n"
        "    side: int\n"
    )
    assert find_object(f"{file}:Size")(4).side == 4
    assert sys.modules["json"] is json


def test_a_file_that_fails_leaves_no_module(tmp_path: Path) -> None:
    file = tmp_path / "faulty.py"
    file.write_text("raise RuntimeError('half done')\n")
    with pytest.raises(ValueError, match="half done"):
        find_object(f"{file}:anything")
    assert str(file.resolve()) not in sys.modules
