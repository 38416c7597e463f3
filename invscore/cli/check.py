"""``invscore check``: does an operator keep the contract?"""

from __future__ import annotations

from typing import Annotated

import typer

from invscore.cli.arguments import Debug, parse_shape
from invscore.cli.errors import guarded
from invscore.tasks.specs import parse_spec


@guarded
def check(
    op: Annotated[
        str, typer.Argument(metavar="OPERATOR", help="my_operators.py:MyOperator, or deblur, ...")
    ],
    shape: Annotated[
        str,
        typer.Option(metavar="C,H,W", help="Shape of the image, for operators that take any."),
    ] = "1,64,64",
    seed: Annotated[int, typer.Option(metavar="K", help="Seed of the random images.")] = 0,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Test an operator: shapes, linearity, adjoint, derivatives. Exit status 1 if it fails."""
    spec = parse_spec(op)
    in_shape = parse_shape(shape)

    from invscore.operators import check_operator
    from invscore.tasks.task import make_operator

    report = check_operator(make_operator(spec, in_shape), seed=seed)
    typer.echo(str(report))
    if not report.ok:
        raise typer.Exit(1)
