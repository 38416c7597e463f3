"""The table of operators, for terminal and manual: made from their builders."""

from __future__ import annotations

import inspect
import re
from typing import Any

from invscore import plugins
from invscore.options import ranges
from invscore.options.markdown import markdown_table
from invscore.options.ranges import described as described_range
from invscore.options.words import as_written
from invscore.tasks.builtin import BUILTIN, get_builder

HEAD = """\
# Operators

This page is written by `invscore operators --markdown`; the code is the source.

What `--op` may say: a name, with options in brackets where the defaults do not fit: `--op deblur`,
`--op "deblur(sigma=3)"`, `--op "blur(kernel=psf.png)"`. x is the image, y the measurement, and
noise comes upon it. `invscore operators NAME` shows one of them on the terminal;
[your own](own/instrument.md) are `--op FILE.py:NAME`, deepinv's `--op "deepinv:NAME(...)"`.

"""

SHARED = {
    "boundary": "what lies beyond the border of the image: `circular`, its periodic continuation; "
    "`reflect`, its mirror image; `valid`, anything: the measurement is smaller by the kernel's "
    "size less one. Blurs of a --measurement are `valid` by default.",
    "seed": "of what is random; of a --measurement it must be given, unless a file tells it all.",
    "invert": "the mask is white where nothing was measured.",
    "real": "images are real; false where they are complex.",
    "maps": "file of the coils' sensitivities (coils, h, w); found in the middle of k-space, or "
    "simulated, by default.",
    "noise_covariance": "file of the covariance of the noise (coils, coils), which whitens a "
    "--measurement.",
    "dimensions": "3 transforms a volume as a whole, 2 slice by slice; 3 needs a mask.",
}
"""Options that mean the same wherever they are."""

OPTION = re.compile(r"^``(\w+)``: ", re.MULTILINE)
"""Beginning of what the docstring of a builder says of an option."""

VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def described(name: str) -> dict[str, Any]:
    """All facts of the operator ``name``, for JSON; what must be given is ``FILE`` or ``NUMBER``.

    ``name``: a name, or an address of an operator of the user's own. Raises ``ValueError`` for an
    unknown one.

    >>> from invscore.tasks.operator_table import described
    >>> described("deblur")["meanings"]["sigma"]
    'standard deviation of the Gaussian in pixels.'
    """
    own = None if name in BUILTIN else plugins.find_plugin("operator", name)
    builder = get_builder(name) if own is None else own
    summary, _, text = (inspect.getdoc(builder) or "").partition("\n\n")
    model, *told = OPTION.split(text)
    meanings = SHARED if own is None else {}
    meanings |= {
        option: " ".join(words.split()) for option, words in zip(told[::2], told[1::2], strict=True)
    }
    options = _options(builder)
    return {
        "summary": " ".join(summary.split()),
        "model": model.strip() if own else " ".join(model.split()),
        "options": {option: default for option, (default, _) in options.items()},
        "ranges": {option: described_range(hint) for option, (_, hint) in options.items()},
        "meanings": {option: meanings.get(option, "") for option in options},
    }


def _options(builder: Any) -> dict[str, tuple[object, Any]]:
    """Options of a function or class that makes operators: their defaults and types."""
    if not inspect.isroutine(builder) and not inspect.isclass(builder):
        return {}
    hints = ranges.hints(builder.__init__ if inspect.isclass(builder) else builder)
    return {
        option: (_default(parameter, hints.get(option)), hints.get(option, object))
        for option, parameter in inspect.signature(builder).parameters.items()
        if option != "in_shape" and parameter.kind not in VARIADIC
    }


def _default(parameter: inspect.Parameter, hint: Any) -> object:
    if parameter.default is not inspect.Parameter.empty:
        return parameter.default
    return "FILE" if hint is str else "NUMBER"


def markdown() -> str:
    """The page of the manual: the operators in the order of ``invscore operators``."""
    facts = {name: described(name) for name in BUILTIN}
    rows = [(f"[`{name}`](#{name})", each["summary"]) for name, each in facts.items()]
    return (
        HEAD
        + markdown_table(("operator", "what it does"), rows)
        + "".join(_section(name, each) for name, each in facts.items())
    )


def _section(name: str, facts: dict[str, Any]) -> str:
    rows = [
        (
            f"`{option}`",
            f"`{as_written(value)}`",
            facts["ranges"][option],
            meaning.replace("``", "`"),
        )
        for (option, value), meaning in zip(
            facts["options"].items(), facts["meanings"].values(), strict=True
        )
    ]
    text = f"\n## {name}\n\n{facts['summary']}.\n\n{facts['model']}\n".replace("``", "`")
    return text + ("\n" + markdown_table(("option", "default", "range", ""), rows) if rows else "")
