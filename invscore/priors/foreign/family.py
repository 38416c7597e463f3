"""A family of foreign checkpoints: how one is recognised and read; and what several share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from invscore.priors.foreign.containers import Content
from invscore.priors.foreign.facts import Facts
from invscore.priors.foreign.recipe import Recipe


@dataclass(frozen=True)
class Family:
    """One kind of checkpoint: ``name`` for the command line, ``title`` for people.

    ``recognise(content)`` looks at the structure of the file and nothing else. ``read(content,
    facts)`` says what the checkpoint is, asking ``facts`` for what the file does not tell.
    ``facts`` names these with half a sentence each, beyond those of all families
    (``recipe.COMMON``). ``source`` is the code that writes such files.

    >>> from invscore.priors.foreign import FAMILIES
    >>> [family.title for family in FAMILIES if family.name == "diffusers"]
    ['a diffusers folder']
    """

    name: str
    title: str
    recognise: Callable[[Content], bool]
    read: Callable[[Content, Facts], Recipe]
    facts: Mapping[str, str]
    source: str


@dataclass(frozen=True)
class Refusal:
    """A kind of file that is recognised and can't be a prior of images: ``why``, a clause.

    >>> from invscore.priors.foreign import Refusal
    >>> latent = Refusal("a latent network", lambda content: True, "it needs a decoder")
    >>> latent.why
    'it needs a decoder'
    """

    title: str
    recognise: Callable[[Content], bool]
    why: str


def is_weights(found: Any) -> bool:
    """Whether it is a state dictionary: names with tensors, and at least one."""
    return (
        isinstance(found, Mapping)
        and bool(found)
        and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in found.items())
    )


def without_prefix(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those whose names begin with ``prefix``, such as ``"module."``, without it."""
    return {n[len(prefix) :]: w for n, w in weights.items() if n.startswith(prefix)}


def choose_weights(
    facts: Facts, ema: Mapping[str, Tensor] | None, raw: Mapping[str, Tensor] | None
) -> tuple[Mapping[str, Tensor], str]:
    """The averaged weights where there are any, or the plain ones with the fact ``ema=false``;
    and how they are called.

    Raises ``ValueError`` where the user wants those that the file does not have.
    """
    wanted = facts.choose("ema", ema is not None, (True, False))
    found = ema if wanted else raw
    if found is None:
        raise ValueError(f"`ema` must be {not wanted}: the file has no other weights, got {wanted}")
    return found, "EMA" if wanted else "not averaged"


def told_class(facts: Facts, classes: int | None, *, null: bool = True) -> dict[str, int]:
    """Options of ``Diffusion`` for the class that the user wants images of, of a network with as
    many ``classes``: a label, or none for the fact ``class_label=null``.

    ``null``: whether the network may be asked without a class: of a bare file the user alone knows
    whether it was trained so. Raises ``ValueError`` where nothing was said, for no file tells which
    label, or whether none at all, stands for any class.
    """
    why = "the network was trained with classes"
    why += ", null for none of them" if null else ", and never without"
    label = facts.need("class_label", why)
    if null and label in (None, "null"):
        return {}
    last = "" if classes is None else f" to {classes - 1}"
    last += ", or null" if null else ""
    if type(label) is not int or label < 0 or (classes is not None and label >= classes):
        raise ValueError(f"`class_label` must be a whole number from 0{last}, got {label!r}")
    return {"class_label": label}
