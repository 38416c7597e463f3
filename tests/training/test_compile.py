"""A compiled network trains as the plain one does, and stops and goes on like it."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import torch

from invscore.files.checkpoint import load_checkpoint
from invscore.training.config import AugmentConfig
from invscore.training.loop import Progress, train
from invscore.training.record import state_file


class Interrupted(Exception):
    pass


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a compiler")
def test_compiled_and_resumed(make_config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(progress: Progress) -> None:
        if progress.step == 2 and progress.validation:
            raise Interrupted

    states = {}
    calls = 0
    compile_ = torch.nn.Module.compile

    def counted(network: torch.nn.Module, **options: Any) -> None:
        nonlocal calls
        calls += 1
        # Inductor takes half a minute; what precedes it is what training depends on.
        compile_(network, backend="aot_eager", **options)

    monkeypatch.setattr(torch.nn.Module, "compile", counted)
    for out, compiled in (("plain", False), ("compiled", True), ("resumed", True)):
        config = make_config(out, steps=4).model_copy(
            update={"precision": "fp32", "compile": compiled, "augment": AugmentConfig(share=0.5)}
        )
        if out == "resumed":
            with pytest.raises(Interrupted):
                train(config, on_step=stop)
        train(config)
        states[out] = load_checkpoint(state_file(config))[0]
    assert calls == 3
    for name, w in states["plain"].items():
        torch.testing.assert_close(states["compiled"][name], w, rtol=0, atol=2e-4)
        assert torch.equal(states["resumed"][name], states["compiled"][name]), name
