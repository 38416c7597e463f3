"""The manual: it builds without a warning, its tutorials run, and its pages do what they say."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from typer.testing import CliRunner

from invscore.cli.main import app
from invscore.methods import METHODS

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs"
TUTORIALS = sorted(page.stem for page in (PAGES / "tutorials").glob("*.md") if page.stem != "index")

RUN = (
    *("files.md", "own/network.md", "own/instrument.md", "own/uncertainty.md"),
    *(f"concepts/{name}.md" for name in ("score_matching", "processes", "posteriors")),
)
"""Pages beside the tutorials whose blocks of Python run as they stand."""


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hooks", PAGES / "hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_builds_without_a_warning(tmp_path: Path) -> None:
    """Every link leads to a page and to a heading of it; tutorials are shown and not run."""
    built = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(built)],
        cwd=ROOT,
        env={**os.environ, "INVSCORE_TUTORIALS": "shown", "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    page = (built / "reference" / "invscore.html").read_text(encoding="utf-8")
    assert "samples 2 m and 2 m + 1" in page, "the docstring of reconstruct"
    assert '<span class="gp">&gt;&gt;&gt; </span>' in page, "its example"
    derivation = (built / "concepts" / "default.html").read_text(encoding="utf-8")
    assert '<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">' in derivation
    for file in built.rglob("*.html"):
        text = file.read_text(encoding="utf-8")
        assert "arithmatex" not in text, f"{file.name}: TeX that is left"
        assert not re.search(r'<(script|link)[^>]*(src|href)="https?://(?!localhost)', text), (
            file.name
        )


@pytest.mark.parametrize("name", TUTORIALS)
def test_tutorials_run(
    name: str, hooks: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each as it stands, at the tiny sizes that it names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.mkdtemp", lambda: str(tmp_path))
    monkeypatch.setitem(METHODS, "tutorial", METHODS["dps"])  # so that it is taken out again
    page = (PAGES / "tutorials" / f"{name}.md").read_text(encoding="utf-8")
    namespace: dict[str, object] = {"__name__": name}
    printed, drawn = "", 0
    for block in hooks.tiny(page):
        text, figures = hooks.run_block(block, namespace, name)
        printed, drawn = printed + text, drawn + len(figures)
    assert printed.strip()
    assert drawn == page.count("figure = "), "every figure is shown"


def test_an_unknown_size_is_told(hooks: ModuleType) -> None:
    with pytest.raises(ValueError, match="no block sets width"):
        hooks.tiny("<!-- tiny: width = 3 -->\n```python\nsize = 4\n```\n")


@pytest.mark.parametrize("place", RUN)
def test_other_pages_run(place: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (PAGES / place).read_text("utf-8"), re.DOTALL)
    assert blocks
    namespace: dict[str, object] = {"__name__": place}
    for number, block in enumerate(blocks):
        exec(compile(block, f"{place}, example {number}", "exec"), namespace)


def test_every_command_is_there(hooks: ModuleType) -> None:
    page = hooks.commands()
    for command in ("reconstruct", "calibrate", "train", "bench imaging", "bench posterior"):
        assert f"\n## invscore {command}\n" in page
    assert r"| `--measurement` `FILE\|DIR\|GLOB` |" in page


def test_links_out_of_the_manual_are_words(hooks: ModuleType) -> None:
    """But those to files that are pages of it lead there."""
    text = hooks.linked("[a](../configs/bench/imaging.yaml) [b](../CONTRIBUTING.md)", "imaging.md")
    assert text == "a [b](contributing.md)"
    missing = "[c](../no-such-file.md)"
    assert hooks.linked(missing, "imaging.md") == missing, "which the build then refuses"


def test_a_stranger_adds_one_file_each(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The page on extending, as written: a file for each of five things, one command."""
    page = (PAGES / "reference" / "extending.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(METHODS, "damped", METHODS["dps"])
    files = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", page, re.DOTALL)
    assert len(files) == 5
    for name, text in files:
        Path(name).write_text(text)
    np.savetxt("y.txt", np.random.default_rng(0).integers(0, 3, (4, 8)))
    command = re.search(r"```sh\ninvscore (.*?)```", page, re.DOTALL)
    assert command is not None
    words = command[1].replace("\\\n", " ").split()
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    arrays = np.load("out/arrays.npz")
    assert arrays["samples"].shape == (2, 1, 8, 8)
    assert np.isfinite(arrays["samples"]).all()
    names = [word for word in words if ".py:" in word]
    assert [name.split(":")[0] for name in names] == [name for name, _ in files]
