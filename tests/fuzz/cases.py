"""Cases: command lines and files, valid but for one to three faults that chance has chosen."""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
import typer
import yaml

from invscore.cli.main import app
from tests.fuzz.sandbox import ARCHITECTURE, BENCH, CALIBRATION, FORM, RECIPE, checkpoint
from tests.fuzz.specifications import FILES, MEASUREMENTS, NUMBERS, noise_spec, operator_spec

PROBLEM = "--op deblur(sigma=1) --prior tiny.safetensors --noise 0.05"
DRAWS = "--method diffpir --steps 2 --samples 2"
LINES = {
    "reconstruct": f"{PROBLEM} --image gray.png {DRAWS} --out results/new",
    "calibrate": f"{PROBLEM} --images photos/train {DRAWS} --level 0.5 --out new.json",
    "sample": "--prior tiny.safetensors --n 2 --steps 2 --size 8 --out drawn",
    "likelihood": "gray.png --prior tiny.safetensors --size 4 --steps 2",
    "check": "ops.py:Half --shape 1,8,8",
    "train": "recipe.yaml",
    "tune": "--config bench.yaml --images photos/val --methods diffpir --size 16 --samples 1 "
    "--trials 1 --out tuned.yaml",
    "bench imaging": "--config bench.yaml --out bench",
    "bench calibrate": "--config bench.yaml --images photos/val --crops 12 --work work --out found",
    "bench posterior": "--problems gaussian --methods diffpir --evaluations 2 --instances 1 "
    "--samples 2 --workers 1 --out posterior",
    "bench denoising": "--prior tiny.safetensors --limit 1 --json rows.json",
}
WEIGHTS = {  # how often a command is chosen: those with much to say, and quick, more often
    "reconstruct": 12,
    "calibrate": 5,
    "sample": 6,
    "likelihood": 4,
    "check": 4,
    "train": 2,
    "tune": 2,
    "bench imaging": 2,
    "bench calibrate": 1,
    "bench posterior": 2,
    "bench denoising": 1,
}

WORDS = [
    *("", " ", "0", "-1", "1", "2", "0.5", "-0", "1e400", "-1e400", "nan", "inf", "-inf", "1e21"),
    *("1e-300", "99999999999999999999", "1000000000", "9223372036854775808", "0x10", "1_000", "٣"),
    *("true", "none", "null", "auto", "[]", "()", "(", ")", "=", "a=", "=b", ",", ",,,", ":", "::"),
    *("💥", "é" * 300, "x" * 5000, "(" * 3000, "[" * 3000, "'", '"', "\\", "%s", "{}", "[bold]x"),
    *("\x1b[31m", "\n", "\t", "a\nb", "--", "-", "-h", "*", "?", "~", "~nobody/x", "$HOME", "."),
    *("..", "./", "dps", "deblr", "digts", "gray.pgn", "steps=2", "../up", "a" * 260 + "/b"),
]
STOPPABLE = ["reconstruct", "calibrate", "sample", "train", "tune", "bench imaging"]
STOPPABLE += ["bench posterior"]
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


@dataclass(frozen=True)
class Case:
    """A command line, and files that are written before it runs."""

    command: str
    arguments: list[str]
    files: dict[str, bytes] = field(default_factory=dict)
    kind: str = "options"
    stop: tuple[int, float] | None = None
    """A signal, and the seconds after which it is sent."""

    def __str__(self) -> str:
        short = [
            word if len(word) < 60 else f"{word[:40]}...({len(word)})" for word in self.arguments
        ]
        line = f"[{self.kind}] invscore " + " ".join(map(repr, short))
        if self.stop is None:
            return line
        return f"{line}, {signal.Signals(self.stop[0]).name} after {self.stop[1]:.2f} s"


def cases(seed: int) -> Iterator[Case]:
    """Cases without end: the same for the same seed."""
    number = 0
    while True:
        chance = random.Random(f"{seed} {number}")
        kind = chance.choices(list(KINDS), [weight for _, weight in KINDS.values()])[0]
        yield KINDS[kind][0](chance)
        number += 1


def _options(chance: random.Random) -> Case:
    """A command with one to three options that are missing, twice or hostile."""
    command = chance.choices(list(BASES), [WEIGHTS.get(name, 1) for name in BASES])[0]
    words = list(BASES[command])
    options = [p for p in PARAMETERS[command] if p.param_type_name == "option"]
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        option = chance.choice(options)
        name = chance.choice(option.opts)
        if name in (
            "--workers",
            "--workers",
            "--debug",
            "--help",
            "-h",
            "--install-completion",
            "--show-completion",
        ):
            continue
        if option.is_flag:
            words = [*words, name]
            continue
        value = _value(chance, option)
        if name == "--problems" and value == "*":  # all of them take minutes
            continue
        if name in words:
            place = words.index(name)
            if chance.random() < 0.08:
                del words[place : place + 2]
            elif chance.random() < 0.05:
                words += [name, value]
            else:
                words[place + 1] = value
        else:
            words += [name, value]
    if command in ("likelihood", "check", "train") and chance.random() < 0.4:
        place = len(command.split())
        words[place] = operator_spec(chance) if command == "check" else chance.choice(FILES)
        if words[place].startswith("-"):
            words[place] = "x"
    if chance.random() < 0.03:
        words.insert(chance.randrange(len(words) + 1), chance.choice(WORDS))
    return Case(command, words)


def _value(chance: random.Random, option: Any) -> str:
    name = option.name or ""
    if name == "op" and chance.random() < 0.8:
        return operator_spec(chance)
    if name == "noise" and chance.random() < 0.8:
        return noise_spec(chance)
    if name == "set_" and chance.random() < 0.8:
        known = ["steps", "zeta", "lam", "eta", "guidance", "snr", "particles", "order", "stesp"]
        return f"{chance.choice(known)}={chance.choice(NUMBERS)}"
    if name == "method" and chance.random() < 0.7:
        from invscore.methods import METHODS

        return chance.choice([*METHODS, "dsp", "DPS", "auto "])
    if option.metavar in ("N", "K", "STD", "TOL", "W", "FRACTION") and chance.random() < 0.7:
        return chance.choice(NUMBERS)
    files = ("image", "measurement", "images", "measurements", "prior", "calibration", "config")
    if name in (*files, "guide", "out", "work", "json", "page") and chance.random() < 0.75:
        return chance.choice(FILES)
    return chance.choice(WORDS)


def _files(chance: random.Random) -> Case:
    """A hostile file where an image, a measurement, a mask or a kernel is expected."""
    file = chance.choice(FILES)
    words = list(BASES["reconstruct"])
    role = chance.choice(["image", "measurement", "mask", "mri", "kernel", "likelihood", "images"])
    if role == "likelihood":
        words = ["likelihood", file, "--prior", "tiny.safetensors", "--steps", "2", "--size", "4"]
        return Case("likelihood", words, kind="files")
    if role == "images":
        words = list(BASES["calibrate"])
        words[words.index("--images") + 1] = file
        return Case("calibrate", words, kind="files")
    if role == "measurement":
        words[words.index("--image")] = "--measurement"
    if role in ("image", "measurement"):
        words[words.index("gray.png")] = file
    else:
        spec = {"mask": "inpaint(mask={})", "mri": "mri(mask={})", "kernel": "blur(kernel={})"}
        words[words.index("--op") + 1] = spec[role].format(file)
    return Case("reconstruct", words, kind="files")


def _measurements(chance: random.Random) -> Case:
    """A measurement of an instrument, with an operator and noise that may be another's."""
    words = list(BASES["reconstruct"])
    words[words.index("--image")] = "--measurement"
    words[words.index("gray.png")] = chance.choice(MEASUREMENTS)
    words[words.index("--op") + 1] = operator_spec(chance)
    words[words.index("--noise") + 1] = noise_spec(chance)
    more = [
        *(
            ["--volume", "z"],
            ["--volume", "z", "--axes", "zhw"],
            ["--volume", "t"],
            ["--probes", "1"],
        ),
        *(["--shape", "1,16,16"], ["--shape", "3,16,16"], ["--memory", "1MB"], ["--axes", "hw"]),
        *(["--memory", "2GB"], ["--planes", "hw"], ["--index", "1"]),
    ]
    for extra in chance.sample(more, chance.choice([0, 1, 1, 2])):
        words += extra
    return Case("reconstruct", words, kind="measurements")


def _checkpoints(chance: random.Random) -> Case:
    """A prior whose metadata, weights or bytes are not what they should be."""
    parts = {"architecture": copy.deepcopy(ARCHITECTURE), "parametrisation": copy.deepcopy(FORM)}
    how = chance.random()
    if how < 0.6:
        _spoil(chance, parts)
        content = checkpoint(parts.get("architecture", {}), parts.get("parametrisation", {}))
    elif how < 0.7:
        extra = {chance.choice(["shape", "description", "licence", "name", "training", "x"]): None}
        extra = {name: chance.choice(VALUES) for name in extra}
        content = checkpoint(extra=extra)
    elif how < 0.8:
        text = ["", "3", "[]", "null", "{", '{"a": ' * 5000, "[" * 200_000, '{"architecture": 1}']
        content = checkpoint(metadata=chance.choice(text))
    elif how < 0.9:
        weight = {"head.weight": torch.full((1, 4, 3, 3), float("nan"))}
        weights = chance.choice([{}, weight, {"a": torch.zeros(3)}, {"b": torch.zeros(2).bool()}])
        content = checkpoint(weights=weights)
    else:
        whole = checkpoint()
        place = chance.randrange(len(whole))
        length = (2 ** chance.choice([10, 24, 40, 63])).to_bytes(8, "little")
        content = chance.choice(
            [whole[:place], whole[:place] + b"\xff" + whole[place + 1 :], length + whole[8:]]
        )
    return _with_prior(chance, "bad.safetensors", content)


def _foreign_checkpoints(chance: random.Random) -> Case:
    """A checkpoint of another code's making, with a fault, under any suffix."""
    state = {name: chance.choice(WEIGHTS_FOUND) for name in chance.sample(NAMES_FOUND, 3)}
    content: Any = chance.choice(
        [
            state,
            {"model": state, "ema": chance.choice(WEIGHTS_FOUND), "step": chance.choice(VALUES)},
            {"state_dict": chance.choice([state, *VALUES])},
            chance.choice(VALUES),
        ]
    )
    file = io.BytesIO()
    torch.save(content, file)
    whole = file.getvalue()
    place = chance.randrange(len(whole))
    whole = chance.choice(
        [whole, whole[:place], whole[:place] + b"\xff" + whole[place + 1 :], RUNS, RUNS_IN_ZIP]
    )
    name = f"bad.{chance.choice(['pt', 'pth', 'pkl', 'ckpt', 'bin', 'safetensors'])}"
    return _with_prior(chance, name, whole)


def _with_prior(chance: random.Random, name: str, content: bytes) -> Case:
    """Any command that takes a prior, with the file ``name`` for it."""
    command = chance.choice(PRIORS_COMMANDS)
    words = list(BASES[command])
    if "--prior" in words:
        words[words.index("--prior") + 1] = name
    elif any("--prior" in parameter.opts for parameter in PARAMETERS[command]):
        words += ["--prior", name]
    else:
        words.insert(len(command.split()), name)
    return Case(command, words, {name: content}, kind="checkpoints")


def _configurations(chance: random.Random) -> Case:
    """A recipe or a configuration of the benchmark with a fault."""
    command = chance.choice(["train", "train", "train", "bench imaging", "tune", "bench calibrate"])
    content = copy.deepcopy(RECIPE if command == "train" else BENCH)
    how = chance.random()
    if how < 0.75:
        for _ in range(chance.choice([1, 1, 2])):
            _spoil(chance, content)
        text = yaml.safe_dump(content, allow_unicode=True)
    else:
        text = yaml.safe_dump(content)
        lines = text.splitlines(keepends=True)
        place = chance.randrange(len(lines))
        text = chance.choice(
            [
                "".join([*lines[: place + 1], *lines[place:]]),  # a key comes twice
                text[: chance.randrange(len(text))],
                text.replace(": ", ":", 1),
                "\t" + text,
                text + "a: [1, 2\n",
                text + "extra: &a {b: *a}\n",
                text + "prior: {mean: .nan}\n",
                "--- 1\n---\n" + text,
                "\ufeff" + text,
                text.replace("seed", "sede"),
                text + "x: " + "[" * 3000 + "\n",
                text + "x: 2001-99-99\n",
                text + "x: !!timestamp 2001-99-99\n",
                text + "? [a]\n: 1\n",
            ]
        )
    words = [
        "spoilt.yaml" if word in ("recipe.yaml", "bench.yaml") else word for word in BASES[command]
    ]
    return Case(command, words, {"spoilt.yaml": text.encode()}, kind="configurations")


def _calibrations(chance: random.Random) -> Case:
    """A calibration that no calibration has written."""
    content = copy.deepcopy(CALIBRATION)
    for _ in range(chance.choice([1, 1, 2])):
        _spoil(chance, content)
    text = json.dumps(content)
    if chance.random() < 0.15:
        text = chance.choice(
            [text[: chance.randrange(len(text))], "[" * 100_000, "\0", "{}", text * 2]
        )
    words = [*BASES["reconstruct"], "--calibration", "spoilt.json"]
    return Case("reconstruct", words, {"spoilt.json": text.encode()}, kind="calibrations")


def _signals(chance: random.Random) -> Case:
    """A valid command that is told to end, or killed, at any moment."""
    command = chance.choice(STOPPABLE)
    words = list(BASES[command])
    for option in ("--steps", "--evaluations"):  # so many that it takes about a second
        if option in words:
            words[words.index(option) + 1] = "200"
    number = chance.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
    return Case(command, words, kind="signals", stop=(number, chance.uniform(0.05, 1.5)))


def _spoil(chance: random.Random, content: Any) -> None:
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


KINDS: dict[str, tuple[Callable[[random.Random], Case], float]] = {
    "options": (_options, 5),
    "files": (_files, 2),
    "measurements": (_measurements, 4),
    "checkpoints": (_checkpoints, 2),
    "foreign checkpoints": (_foreign_checkpoints, 1),
    "signals": (_signals, 1),
    "configurations": (_configurations, 2),
    "calibrations": (_calibrations, 1),
}


def _parameters() -> dict[str, list[Any]]:
    """What each command takes, asked of the command line itself."""
    found: dict[str, list[Any]] = {}

    def walk(command: Any, path: tuple[str, ...]) -> None:
        if hasattr(command, "commands"):
            for name, inner in command.commands.items():
                walk(inner, (*path, name))
        else:
            found[" ".join(path)] = command.params

    walk(typer.main.get_command(app), ())
    return found


PARAMETERS = _parameters()
BASES = {command: f"{command} {LINES.get(command, '')}".split() for command in PARAMETERS}
PRIORS_COMMANDS = [
    command
    for command, parameters in PARAMETERS.items()
    if any(parameter.name == "prior" for parameter in parameters)
]
