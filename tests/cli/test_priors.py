"""``invscore priors``: checkpoints of other codes listed, checked, imported, used and refused."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from invscore.files.checkpoint import read_metadata
from invscore.networks.foreign import build_foreign
from invscore.priors import load_prior

Run = Callable[..., Any]


class Call:
    def __reduce__(self) -> Any:
        return os.system, ("touch touched",)


@pytest.fixture
def shrinking(folder: Path) -> str:
    """Denoisers in Python: a right one, and one that is told levels of 255."""
    (folder / "my.py").write_text(
        "from invscore.priors import load_prior\n"
        "digits = load_prior('digits')\n"
        "def right(z, s):\n    return digits.denoise(z, s)\n"
        "def wrong(z, s):\n    return digits.denoise(z, 255 * s)\n"
    )
    return "channels=1, sigma_min=0.01, sigma_max=10, size=28"


def test_formats(invscore: Run) -> None:
    listed = json.loads(invscore("priors", "formats", "--json").stdout)
    assert {"diffusers", "ffdnet", "score-sde"} <= set(listed)
    assert "diffusers" in invscore("priors", "formats").stdout


def test_check(invscore: Run, shrinking: str) -> None:
    right = invscore("priors", "check", f"my.py:right({shrinking})")
    assert right.exit_code == 0, right.output
    assert "denoiser: ok, on images of its own" in right.stdout
    wrong = invscore("priors", "check", f"my.py:wrong({shrinking})", "--json")
    assert wrong.exit_code == 1
    found = json.loads(wrong.stdout)
    assert not found["ok"]
    assert found["images"].startswith("images of its own")


@pytest.mark.parametrize("kind", ["call", "module", "truncated", "empty", "unknown", "text"])
@pytest.mark.parametrize("command", ["check", "import", "reconstruct"])
def test_files_that_are_refused(invscore: Run, folder: Path, kind: str, command: str) -> None:
    """One sentence, status 2, nothing run and nothing written."""
    stream = io.BytesIO()
    thing: Any = {"call": Call(), "module": torch.nn.Linear(2, 2)}.get(kind, {"w": torch.ones(9)})
    torch.save(thing, stream)
    content = {"empty": b"", "text": b"hello", "truncated": stream.getvalue()[:300]}
    Path("a.pt").write_bytes(content.get(kind, stream.getvalue()))
    arguments = {
        "check": ("priors", "check", "a.pt"),
        "import": ("priors", "import", "a.pt", "--out", "b.safetensors"),
        "reconstruct": (
            "reconstruct", "--op", "deblur", "--prior", "a.pt", "--image", "gray.png",
        ),
    }[command]  # fmt: skip
    result = invscore(*arguments)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "'a.pt'" in result.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["a.pt", "colour.png", "gray.png"]


def test_import(invscore: Run, folder: Path) -> None:  # noqa: ARG001
    """The file opens alone, with facts, digest and test; it fails the test with random weights."""
    torch.manual_seed(0)
    network = build_foreign("drunet", channels=1, widths=[4, 8, 8, 8], blocks=1)
    torch.save(network.state_dict(), "random.pth")
    refused = invscore("priors", "import", "random.pth", "--out", "out.safetensors")
    assert refused.exit_code == 1
    assert not Path("out.safetensors").exists()
    done = invscore("priors", "import", "random.pth", "--out", "out.safetensors", "--anyway")
    assert done.exit_code == 1
    metadata = read_metadata(Path("out.safetensors"))
    assert metadata["foreign"]["facts"]["source"].startswith("sha256:")
    assert metadata["check"]["ok"] is False
    x = torch.rand(1, 1, 16, 16)
    expected = load_prior("random.pth", check=False).denoise(x, 0.1)
    torch.testing.assert_close(load_prior("out.safetensors").denoise(x, 0.1), expected)
