"""Wheel and sdist: built, checked, and installed apart from this folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*words: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        words, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist of the files that git tracks, and the wheel that is made from it."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    tracked = run("git", "ls-files", "-z", cwd=ROOT).split("\0")
    names = [name for name in tracked if name and (ROOT / name).exists()]
    for name in names:
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target, follow_symlinks=False)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), cwd=source)
    return out


def test_both_are_sound(built: Path) -> None:
    wheel, sdist = next(built.glob("*.whl")), next(built.glob("*.tar.gz"))
    said = run(sys.executable, "-m", "twine", "check", "--strict", *map(str, (wheel, sdist)),
               cwd=built)  # fmt: skip
    assert said.count("PASSED") == 2
    with zipfile.ZipFile(wheel) as packed:
        inside = packed.namelist()
    for name in ("invscore/operators/base.py", "invscore/priors/shipped/photos-gray.safetensors"):
        assert inside.count(name) == 1
    assert not [name for name in inside if name.startswith(("operators/", "tests/"))]
    with tarfile.open(sdist) as archive:
        assert any(name.endswith("/LICENSE") for name in archive.getnames())


def test_the_wheel_works_alone(built: Path, tmp_path: Path) -> None:
    """What its dependencies are is here already; the package itself comes from the wheel."""
    target = tmp_path / "site"
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target),
        str(next(built.glob("*.whl"))), cwd=tmp_path)  # fmt: skip
    alone = {"PYTHONPATH": str(target)}
    code = (
        "import invscore, invscore.operators; from invscore import load_prior;"
        "print(invscore.__file__, invscore.operators.__file__, load_prior('digits').sigma_min > 0)"
    )
    said = run(sys.executable, "-c", code, cwd=tmp_path, **alone).split()
    assert all(Path(file).is_relative_to(target) for file in said[:2])
    assert said[2] == "True"
    assert "--prior" in run(
        sys.executable, "-m", "invscore", "reconstruct", "--help", cwd=tmp_path, **alone
    )
