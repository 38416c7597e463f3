"""The table of methods, for the documentation: made from the registry, and only from there."""

from __future__ import annotations

import inspect
from typing import Any

from invscore.methods.base import METHODS, NEEDS, MethodInfo
from invscore.methods.cost import cost_in_words
from invscore.options.markdown import markdown_table
from invscore.options.ranges import described as described_range

HEAD = """\
# Methods

This page is written by `invscore methods --markdown`; the code is the source.

*Law*: what the results follow. *Evaluations* of the denoiser D and *products* with its Jacobian are
those of one step for one image, at most; names are options, which are listed below, but
`measurements` are the real numbers measured, `numbers` those or the unknown ones, whichever are
fewer, `nonlinear` is 1 for an operator that is not linear, else 0, and `own` is 1 for such an
operator or a prior that is neither known at any level nor a function, as a network, else 0.
Without products, a step holds one evaluation of the denoiser in memory; with them, its graph for
automatic differentiation, several times as much for a network. Every method that samples takes
`antithetic`, true or false, beside its own options: samples in antithetic pairs, which is the
default of `exact_score` and `matched_spectrum`.

"""
COLUMNS = ("method", "name", "needs", "law", "evaluations", "products")
EXAMPLE = "After the example of ``invscore.methods``:"
"""Line that begins the example in a method's docstring; the reference in the manual shows it."""


def needs_in_words(info: MethodInfo) -> str:
    """Requirements of a method in words, or that it serves any operator and noise."""
    served = [] if {"linear", "svd"} & set(info.needs) else ["any operator"]
    served += [NEEDS[need] for need in info.needs]
    return ", ".join(served if "gaussian" in info.needs else [*served, "any noise"])


def described(info: MethodInfo) -> dict[str, Any]:
    """All facts of a method, for JSON."""
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
    infos = [METHODS[name] for name in sorted(METHODS)]
    return HEAD + markdown_table(COLUMNS, map(_row, infos)) + "".join(map(_section, infos))


def _row(info: MethodInfo) -> tuple[str, ...]:
    return (
        f"[`{info.name}`](#{info.name})",
        info.summary.rstrip("."),
        needs_in_words(info),
        info.law,
        cost_in_words(info.evaluations),
        cost_in_words(info.products),
    )


def _section(info: MethodInfo) -> str:
    """Section of the manual on a method: its docstring, its source and its options."""
    text = (inspect.getdoc(info.run) or "").partition(EXAMPLE)[0].rstrip().replace("``", "`")
    options = [
        (f"`{name}`", f"`{value}`", described_range(info.hints[name]) or "True or False")
        for name, value in info.defaults.items()
    ]
    listed = markdown_table(("option", "default", "range"), options)
    return f"\n## {info.name}\n\n{text}\n\nSource: {info.cites}.\n\n{listed}"
