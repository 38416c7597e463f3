"""The table of methods, for the documentation: made from the registry, and only from there."""

from __future__ import annotations

from typing import Any

from invscore.methods.base import METHODS, NEEDS, MethodInfo
from invscore.methods.cost import cost_in_words
from invscore.options.ranges import described as described_range

HEAD = """\
# Methods

This page is written by `invscore methods --markdown`; the code is the source.

*Law*: what the results follow. *Evaluations* of the denoiser D and *products* with its Jacobian are
those of one step for one image, at most; names are options, whose defaults and ranges are in the
last column, but `measurements` are the real numbers measured, `numbers` those or the unknown ones,
whichever are fewer, and `nonlinear` is 1 for an operator that is not linear, else 0. Without
products, a step holds one evaluation of the denoiser in memory; with them, its graph for automatic
differentiation, several times as much for a network. Every method that samples takes `antithetic`,
true or false, beside its own options: samples in antithetic pairs, which is the default of
`exact_score` and `matched_spectrum`.

"""
COLUMNS = ("method", "what it does", "needs", "law", "evaluations", "products", "source", "options")


def needs_in_words(info: MethodInfo) -> str:
    """What a method asks for, or that it serves any operator and noise."""
    served = [] if {"linear", "svd"} & set(info.needs) else ["any operator"]
    served += [NEEDS[need] for need in info.needs]
    return ", ".join(served if "gaussian" in info.needs else [*served, "any noise"])


def described(info: MethodInfo) -> dict[str, Any]:
    """All that is known of a method, as JSON holds it."""
    return {
        "summary": info.summary,
        "exact": info.exact,
        "law": info.law,
        "needs": list(info.needs),
        "evaluations": info.evaluations,
        "products": info.products,
        "cites": info.cites,
        "antithetic": info.antithetic,
        "options": info.defaults,
        "ranges": {name: described_range(hint) for name, hint in info.hints.items()},
    }


def markdown() -> str:
    """The page of the documentation: every method in alphabetical order."""
    rows = [COLUMNS, ("---",) * len(COLUMNS)]
    rows += [_row(METHODS[name]) for name in sorted(METHODS)]
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(info: MethodInfo) -> tuple[str, ...]:
    ranges = {name: described_range(hint) for name, hint in info.hints.items()}
    options = ", ".join(
        f"{name} = {value}{f' in {ranges[name]}' if ranges[name] else ''}"
        for name, value in info.defaults.items()
    )
    return (
        f"`{info.name}`",
        info.summary.rstrip(".").replace("|", "\\|"),
        needs_in_words(info),
        info.law,
        cost_in_words(info.evaluations),
        cost_in_words(info.products),
        info.cites,
        options,
    )
