"""The page of results of the documentation, from the rows and from nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from invscore.bench.posterior import tables
from invscore.bench.posterior.figures import calibration_figure, error_figure
from invscore.bench.posterior.problem import PROBLEMS
from invscore.bench.posterior.rank_figure import rank_figure
from invscore.bench.posterior.rows import Row
from invscore.files import atomic_file
from invscore.options.markdown import markdown_table

HEAD = """\
# How far from the true posterior?

This page is written by `invscore bench posterior --page`; `{command}` repeats it.

Each method draws samples for measurements whose posterior is known, with the exact denoiser of the
prior. Its error is compared with the *floor*, the error of as many samples from the true posterior:
1 is the best ratio there is (but for chance, and for point estimates, which can have a better mean
than independent samples). Errors are means over {instances}.
Where modes are far apart chance is large: of three mixtures in 8 dimensions, one set of 1,000 exact
draws in ten comes to 2 floors or more (40 sets of each; their weights are off by 0.03 to 0.045).
{versions}.
"""


def write(content: dict[str, Any], path: Path) -> None:
    """Write the page to ``path`` and its figures beside it.

    ``content``: what the command writes as JSON, with ``rows``, ``command``, ``instances``,
    ``versions`` and ``ranks``, the histograms of ``rank_figure``.
    """
    rows = content["rows"]
    pictures = {
        "Error over floor, against evaluations": (error_figure, f"{path.stem}-error.png"),
        "Calibration": (calibration_figure, f"{path.stem}-calibration.png"),
    }
    lines = []
    for title, (draw, name) in pictures.items():
        draw(rows, path.with_name(name))
        lines += [f"![{title}]({name})", ""]
    if content["ranks"]:
        name = f"{path.stem}-ranks.png"
        rank_figure(content["ranks"], path.with_name(name))
        lines += [f"![Ranks of the truth]({name})", ""]
    with atomic_file(path) as partial:
        partial.write_text("\n".join([_head(content), *_summary(rows), *lines, *_body(rows)]))


def _head(content: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in content["versions"].items())
    count = content["instances"]
    return HEAD.format(
        command=content["command"],
        instances="one instance" if count == 1 else f"{count} instances",
        versions=f"Made with {versions}, seed {content['seed']}",
    )


SUMMARY = """\
Geometric means over the problems of each family. *Evals* are evaluations of the denoiser and *J*
products with its Jacobian, for each sample; *seconds* are for all samples of an instance, on one
core; *said so*: of the instances in which a method was more than two floors off, those in which it
gave a warning. A dash: the method refuses a problem of that family.
"""


def _summary(rows: Sequence[Row]) -> Iterator[str]:
    yield "## Error over floor"
    yield ""
    yield SUMMARY
    yield markdown_table(*tables.summary(rows))


def _body(rows: Sequence[Row]) -> Iterator[str]:
    problems = [PROBLEMS[name] for name in dict.fromkeys(row["problem"] for row in rows)]
    for family in dict.fromkeys(problem.family for problem in problems):
        members = [problem for problem in problems if problem.family == family]
        first = members[0].metrics[0]
        yield f"## {family.capitalize()}"
        yield ""
        yield from (f"- `{problem.name}`: {problem.what}." for problem in members)
        yield ""
        yield f"Error over floor; the error: {first.what}{_target(first.target)}."
        yield ""
        yield markdown_table(*tables.family(rows, family))
    found = tables.by_reason(rows)
    if found:
        yield "## Refusals"
        yield ""
        yield markdown_table(["methods", "reason", "problems"], found)


def _target(target: float) -> str:
    return "" if target == 0 else f", as its distance from {target:g}"
