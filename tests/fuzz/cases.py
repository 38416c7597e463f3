"""Cases: command lines and files, valid but for one to three faults that chance has chosen."""

from __future__ import annotations

import copy
import io
import json
import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
import yaml

from tests.fuzz.commands import BASES, PARAMETERS, PRIORS_COMMANDS, STOPPABLE, WEIGHTS
from tests.fuzz.hostile import (
    NAMES_FOUND,
    RUNS,
    RUNS_IN_ZIP,
    VALUES,
    WEIGHTS_FOUND,
    WORDS,
    spoil,
)
from tests.fuzz.sandbox import ARCHITECTURE, BENCH, CALIBRATION, FORM, RECIPE, checkpoint
from tests.fuzz.specifications import FILES, MEASUREMENTS, NUMBERS, noise_spec, operator_spec


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
        spoil(chance, parts)
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
            spoil(chance, content)
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
        spoil(chance, content)
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
