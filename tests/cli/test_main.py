"""The commands apart from reconstruct, and what all have in common."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import Result

import invscore
from invscore.bench.held_out import HELD_OUT
from invscore.cli import progress
from invscore.cli.errors import sentence
from invscore.cli.tables import Output, as_options
from invscore.images import crop_and_shrink, load_image, sample_names, save_image
from invscore.methods import METHODS
from invscore.options.ranges import described
from invscore.priors import load_prior
from invscore.tasks.builtin import BUILTIN

EXAMPLES = Path(__file__).parents[2] / "examples"

Run = Callable[..., Result]

HELP = """
import sys
from invscore.cli.main import app
try:
    app(["reconstruct", "--help"])
except SystemExit as stopped:
    assert not stopped.code
heavy = {"torch", "numpy", "matplotlib", "skimage", "scipy"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else 0)
"""


def test_help_imports_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    assert "--measurement" in done.stdout


def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-m", "invscore", "--version"]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.stdout == f"invscore {invscore.__version__}\n"


WARNS = """
import warnings
from invscore.cli import main
main.app = lambda **options: warnings.warn("two\\nlines", stacklevel=1)
main.main()
"""


def test_warnings_are_sentences_without_lines_of_code() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WARNS], capture_output=True, check=False, text=True
    )
    assert (done.returncode, done.stderr) == (0, "invscore: warning: two lines\n")


def test_every_command_is_described(invscore: Run) -> None:
    shown = invscore("--help").stdout
    for command in ("reconstruct", "operators", "priors", "methods", "check", "train"):
        assert command in shown
        assert invscore(command, "--help").exit_code == 0


def test_help_has_whole_paragraphs_and_brackets(invscore: Run) -> None:
    shown = " ".join(invscore("calibrate", "--help").stdout.replace("│", "").split())
    assert "'invscore[cluster]'" in shown
    lines = invscore("likelihood", "--help").stdout.splitlines()
    assert " bound from above what a code without loss needs." in [line.rstrip() for line in lines]


def test_unknown_commands_are_usage_errors(invscore: Run) -> None:
    assert invscore("restore").exit_code == 2
    assert invscore("methods", "--nonsense").exit_code == 2


def test_operators_are_listed(invscore: Run) -> None:
    listed = json.loads(invscore("operators", "--json").stdout)
    assert list(listed) == list(BUILTIN)
    assert listed["deblur"]["options"] == {"sigma": 1.6, "boundary": "circular"}
    assert all(operator["summary"] for operator in listed.values())
    assert all(name in invscore("operators").stdout for name in BUILTIN)


def test_an_operator_is_told_with_what_its_options_mean(invscore: Run) -> None:
    told = " ".join(invscore("operators", "ct").stdout.split())
    assert "y(angle, detector) = the integral of x along a ray" in told
    assert "angles 60 their number, evenly over the span, or a list or file of them" in told
    assert "In (0, 360]." in told
    assert "``" not in told
    assert list(json.loads(invscore("operators", "ct", "--json").stdout)) == ["ct"]
    unknown = invscore("operators", "ctt")
    assert unknown.exit_code == 2
    assert "unknown operator 'ctt'" in unknown.stderr


def test_methods_are_listed(invscore: Run) -> None:
    listed = json.loads(invscore("methods", "--json").stdout)
    in_order = ["auto", *sorted(set(METHODS) - {"auto"})]
    assert list(listed) == in_order
    assert listed["diffpir"]["options"] == METHODS["diffpir"].defaults
    lines = invscore("methods").stdout.splitlines()
    assert [line.split()[0] for line in lines[: len(METHODS)]] == in_order
    assert max(map(len, lines)) <= 80
    assert not any("..." in line for line in lines)


def test_priors_are_listed(invscore: Run) -> None:
    listed = json.loads(invscore("priors", "--json").stdout)
    lines = invscore("priors").stdout.splitlines()
    kinds = {
        "brain-mri": "complex",
        "digits": "gray",
        "digits-early": "gray",
        "digits-energy": "gray",
        "photos": "colour",
        "photos-gray": "gray",
        "photos-gray-small": "gray",
        "photos-small": "colour",
    }
    assert set(listed) == set(kinds)
    for name, kind in kinds.items():
        assert any(line.split()[:2] == [name, kind] for line in lines)


def test_pytorch_does_not_warn_of_itself() -> None:
    operator = f"{EXAMPLES / 'my_operators.py'}:Saturating"
    command = [sys.executable, "-m", "invscore", "check", operator, "--shape", "1,4,4"]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == 0
    assert done.stderr == ""


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    command = [sys.executable, "-m", "invscore", "operators", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        assert process.stderr.read() == b""
    process.wait()


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("none/rows.json", "the folder none does not exist"),
        ("photos", "`--json` must be a file, got the folder photos"),
    ],
)
def test_bench_tries_its_file_before_the_measurement(
    invscore: Run, folder: Path, file: str, message: str
) -> None:
    (folder / "photos").mkdir()
    done = invscore("bench", "denoising", "--prior", "photos-gray", "--json", file)
    assert done.exit_code == 2
    assert message in done.stderr


def test_every_photograph_of_the_benchmark_is_a_sample() -> None:
    assert set(HELD_OUT) <= set(sample_names())


def test_defaults_are_shown_as_one_would_write_them() -> None:
    defaults = {"a": 1, "b": 0.5, "c": None, "d": True, "e": "x"}
    assert as_options(defaults) == "a=1, b=0.5, c=none, d=true, e=x"


CONFIG = """
name: tiny
out: out
network: {widths: [4, 8], blocks: 1}
data: {folder: photos, crop: 16, longest_side: [64, 80]}
optimiser: {steps: 3, batch: 2}
precision: fp32
"""


def test_train_makes_a_prior(invscore: Run, folder: Path) -> None:
    for split in ("train", "val"):
        save_image(folder / "photos" / split / "a.png", crop_and_shrink(load_image("coffee"), 96))
    (folder / "tiny.yaml").write_text(CONFIG)
    done = invscore("train", "tiny.yaml", "--device", "cpu")
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{Path('out/tiny.safetensors')}\n"
    assert load_prior("out/tiny.safetensors").channels == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file"),
        ("name: [", "cannot be read"),
        (CONFIG + "colour: red", "unknown key colour: name, description,"),
        (CONFIG, "no images in"),
    ],
)
def test_train_with_a_wrong_configuration(
    invscore: Run, folder: Path, text: str | None, message: str
) -> None:
    if text is not None:
        (folder / "tiny.yaml").write_text(text)
    done = invscore("train", "tiny.yaml")
    assert done.exit_code == 2
    assert done.stderr.startswith("invscore: error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def run_bar(monkeypatch: pytest.MonkeyPatch, *, seconds: float, terminal: bool) -> str:
    """What a bar writes while ten steps take ``seconds`` together."""
    clock = iter([0.0, *(seconds * step / 10 for step in range(1, 11))])
    monkeypatch.setattr(progress, "now", lambda: next(clock))
    console = Console(force_terminal=terminal, width=80, record=True)
    with console.capture() as written, progress.StepBar("dps", console) as on_step:
        for done in range(1, 11):
            on_step(done, 10)
    return written.get()


def test_the_bar_is_for_what_lasts_and_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "10/10 steps" in run_bar(monkeypatch, seconds=20, terminal=True)
    assert run_bar(monkeypatch, seconds=1.9, terminal=True) == ""
    assert run_bar(monkeypatch, seconds=9, terminal=False) == ""


def test_a_log_has_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = run_bar(monkeypatch, seconds=200, terminal=False).splitlines()
    assert lines == [
        "invscore: dps: 1 of 10 steps, about 3.0 min left",
        "invscore: dps: 2 of 10 steps, about 2.7 min left",
        "invscore: dps: 4 of 10 steps, about 2.0 min left",
        "invscore: dps: 8 of 10 steps, about 40 s left",
    ]


def test_parts_of_a_step_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 30.0])
    monkeypatch.setattr(progress, "now", lambda: next(clock))
    console = Console(force_terminal=False, width=80, record=True)
    with console.capture() as written, progress.StepBar("dps", console) as bar:
        bar(0.25, 2)
    assert written.get() == "invscore: dps: 0.2 of 2 steps, about 3.5 min left\n"


def test_quiet_is_quiet(monkeypatch: pytest.MonkeyPatch, invscore: Run) -> None:
    assert invscore("operators", "--json", "--quiet").exit_code == 0
    assert run_bar(monkeypatch, seconds=200, terminal=False) == ""
    assert run_bar(monkeypatch, seconds=200, terminal=True) == ""
    assert invscore("operators", "--json").exit_code == 0
    assert run_bar(monkeypatch, seconds=200, terminal=False) != ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3.4, "3 s"), (100, "1.7 min"), (3000, "50 min"), (9000, "2.5 h"), (1e6, "12 days")],
)
def test_durations(seconds: float, words: str) -> None:
    assert progress.duration(seconds) == words


@pytest.mark.parametrize("name", METHODS)
def test_all_about_a_method(invscore: Run, name: str) -> None:
    """Its documentation, and each option with its default and its range."""
    shown = invscore("methods", name).stdout
    lines, info = shown.splitlines(), METHODS[name]
    assert max(map(len, lines)) <= 80
    assert lines[0] == name
    assert not any(">>>" in line and line.endswith((" True", " False")) for line in lines)
    text = " ".join(shown.split())
    ranges = shown.partition("ranges:\n")[2].partition("\n\n")[0]
    for option, hint in info.hints.items():
        row = re.search(rf"^  {option} +\S+(.*(\n {{4}}.*)*)", ranges, re.MULTILINE)
        assert row is not None
        assert " ".join(row[1].split()) == described(hint)
    for fact in ("needs: ", "law: ", "evaluations a step: ", "products a step: ", "source: "):
        assert fact in text
    listed = json.loads(invscore("methods", name, "--json").stdout)
    assert list(listed) == [name]
    assert listed[name]["ranges"]["steps"] == "[1, 1000000]"


def test_a_method_that_is_none(invscore: Run) -> None:
    done = invscore("methods", "dsp")
    assert done.exit_code == 2
    assert "unknown method 'dsp': known are admm" in done.stderr
    assert "did you mean 'dps'?" in done.stderr


def test_shells_complete(invscore: Run) -> None:
    assert "--install-completion" in invscore("--help").stdout


def test_what_torch_says_of_its_own_code_is_left_out() -> None:
    error = ValueError("sizes differ\nException raised from x at y.cpp:1:\nframe #0: <unknown>")
    assert sentence(error) == "sizes differ"


def test_tables_end_with_the_pipe() -> None:
    """As any other output does: rich would end the program by ``SystemExit``."""

    class Closed(io.StringIO):
        def write(self, text: str) -> int:  # noqa: ARG002
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        Output(file=Closed()).print("text")
