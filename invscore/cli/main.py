"""The command ``invscore``: its subcommands, each in a file of its own."""

from __future__ import annotations

import warnings
from typing import Annotated

import typer

from invscore import __version__
from invscore.cli.bench import bench
from invscore.cli.calibrate import calibrate
from invscore.cli.check import check
from invscore.cli.errors import be_quiet, show_warning
from invscore.cli.group import Command, Group
from invscore.cli.likelihood import likelihood
from invscore.cli.methods import methods
from invscore.cli.operators import operators
from invscore.cli.priors import priors
from invscore.cli.reconstruct import reconstruct
from invscore.cli.sample import sample
from invscore.cli.train import train
from invscore.cli.tune import tune

app = typer.Typer(
    name="invscore",
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
NEEDS_ARGUMENTS = (reconstruct, calibrate, sample, likelihood, tune)
for command in (
    reconstruct,
    calibrate,
    sample,
    likelihood,
    operators,
    methods,
    check,
    train,
    tune,
):
    app.command(cls=Command, no_args_is_help=command in NEEDS_ARGUMENTS)(command)
app.add_typer(priors, name="priors")
app.add_typer(bench, name="bench")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"invscore {__version__}")
        raise typer.Exit


@app.callback()
def invscore(
    version: Annotated[  # noqa: ARG001
        bool,
        typer.Option(
            "--version",
            metavar="",
            callback=_print_version,
            is_eager=True,
            help="Print the version.",
        ),
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet",
            "-q",
            metavar="",
            help="No progress and no warnings on stderr: results and errors alone.",
        ),
    ] = False,
) -> None:
    """Inverse problems solved with learned score priors: posterior samples that you can trust."""
    be_quiet(quiet)


def main() -> int:
    """Run the command line of this process; its exit status."""
    # PyTorch warns of its own code where a Jacobian is taken: a user can do nothing about it.
    warnings.filterwarnings("ignore", r"`torch\.jit", FutureWarning)
    warnings.showwarning = show_warning
    status = app(standalone_mode=False)
    return status if isinstance(status, int) else 0
