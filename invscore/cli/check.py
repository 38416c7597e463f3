"""``invscore check``: does an operator, or a law of noise, keep the contract?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from invscore.cli.arguments import Debug, parse_noise, parse_shape
from invscore.cli.errors import guarded
from invscore.tasks.specs import parse_spec

if TYPE_CHECKING:
    from invscore.report import Report


@guarded
def check(
    op: Annotated[
        str | None,
        typer.Argument(metavar="OPERATOR", help="my_operators.py:MyOperator, or deblur, ..."),
    ] = None,
    noise: Annotated[
        str | None,
        typer.Option(metavar="LAW", help="A law of noise instead: my_noise.py:MyNoise(scale=0.1)."),
    ] = None,
    shape: Annotated[
        str,
        typer.Option(metavar="C,H,W", help="Shape of the image, for operators that take any."),
    ] = "1,64,64",
    seed: Annotated[int, typer.Option(metavar="K", help="Seed of what is random.")] = 0,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Test an operator (shapes, linearity, adjoint, derivatives) or a law of noise (density, score,
    moments of its draws). Exit status 1 if it fails."""
    if (op is None) == (noise is None):
        raise ValueError("give one of OPERATOR and --noise")
    report = _of_noise(noise, seed) if op is None else _of_operator(op, parse_shape(shape), seed)
    typer.echo(str(report))
    if not report.ok:
        raise typer.Exit(1)


def _of_operator(op: str, in_shape: tuple[int, ...], seed: int) -> Report:
    spec = parse_spec(op)

    from invscore.operators import check_operator
    from invscore.tasks.task import make_operator

    return check_operator(make_operator(spec, in_shape), seed=seed)


def _of_noise(text: str | None, seed: int) -> Report:
    declared = parse_noise(text)

    from invscore.noise import Noise, check_noise
    from invscore.operators import Identity
    from invscore.tasks.noise_laws import law_of

    if declared is None or declared == "auto":
        raise ValueError(f"`noise` must be a law of noise, got {text!r}")
    law = law_of(declared, Identity((1, 1, 8)))
    if not isinstance(law, Noise):
        raise ValueError(f"`noise` must be a law of noise, got the map {text!r}")
    return check_noise(law, seed=seed)
