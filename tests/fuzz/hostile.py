"""Hostile words, values and weights, and what spoils a valid content with them."""

from __future__ import annotations

import io
import os
import pickle
import random
from typing import Any

import torch

WORDS = [
    *("", " ", "0", "-1", "1", "2", "0.5", "-0", "1e400", "-1e400", "nan", "inf", "-inf", "1e21"),
    *("1e-300", "99999999999999999999", "1000000000", "9223372036854775808", "0x10", "1_000", "٣"),
    *("true", "none", "null", "auto", "[]", "()", "(", ")", "=", "a=", "=b", ",", ",,,", ":", "::"),
    *("💥", "é" * 300, "x" * 5000, "(" * 3000, "[" * 3000, "'", '"', "\\", "%s", "{}", "[bold]x"),
    *("\x1b[31m", "\n", "\t", "a\nb", "--", "-", "-h", "*", "?", "~", "~nobody/x", "$HOME", "."),
    *("..", "./", "dps", "deblr", "digts", "gray.pgn", "steps=2", "../up", "a" * 260 + "/b"),
]
VALUES: list[Any] = [  # in YAML and JSON
    *(None, True, False, 0, -1, 1, 2, 10**9, 10**12, 10**30, 0.0, -1.5, 1e-300, 1e300),
    *(float("nan"), float("inf"), -float("inf"), "", " ", "nan", "1e9", "x" * 3000, "💥", "\0"),
    *([], {}, [[]], [1], [0], [-1], [10**9, 10**9], {"a": 1}, [None], "missing", "/dev/zero"),
    *("ops.py:images", "ops.py:wrong_images", "ops.py:fails", "~nobody", "photos", "fifo"),
]

NAMES_FOUND = [
    *("head.weight", "conv_in.weight", "input_blocks.0.0.weight", "time_embed.0.weight", "model.0"),
    *("unet.init_conv.weight", "module.all_modules.0.weight", "sigmas", "betas", "m_head.weight"),
]
WEIGHTS_FOUND: list[Any] = [
    *(torch.zeros(4, 1, 3, 3), torch.full((4, 1, 3, 3), float("nan")), torch.zeros(0), None, 1),
    *(torch.zeros(3).bool(), torch.zeros(2, 2, dtype=torch.int64), [torch.zeros(1)], {"a": "b"}),
]


class _Touches:
    """What writes a file when a pickle of it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pickle-has-run",)


def _running() -> tuple[bytes, bytes]:
    """Pickles that run a command: bare, and in an archive of torch.save."""
    file = io.BytesIO()
    torch.save({"model": _Touches()}, file)
    return pickle.dumps({"model": _Touches()}), file.getvalue()


RUNS, RUNS_IN_ZIP = _running()


def spoil(chance: random.Random, content: Any) -> None:
    """Change one thing somewhere in nested mappings and lists, in place."""
    while True:
        places = list(content) if isinstance(content, dict) else list(range(len(content)))
        if not places:
            return
        place = chance.choice(places)
        if isinstance(content[place], dict | list) and chance.random() < 0.75:
            content = content[place]
            continue
        how = chance.random()
        if how < 0.12:
            del content[place]
        elif how < 0.22 and isinstance(content, dict):
            name = chance.choice([str(place)[:-1], f"{place}x", str(place).upper(), "", "unknown"])
            content[name] = content.pop(place)
        else:
            content[place] = chance.choice(VALUES)
        return
