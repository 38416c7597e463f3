"""Messages for the faults that pydantic finds: the key, what it must be, what was given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, Discriminator, Tag
from pydantic_core import ErrorDetails

from invscore.options.words import meant, one_of, shown

Place = tuple[int | str, ...]

MUST_BE = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number of at most 4300 digits",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "list_type": "a list",
    "sequence_str": "a list",
    "is_instance_of": "a list",
    "iterable_type": "a list",
    "tuple_type": "a list",
    "dict_type": "keys and values",
    "mapping_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "union_tag_not_found": "keys and values",
}
LIMITS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}


def sentences(
    errors: Sequence[ErrorDetails], content: Any, kind: type[BaseModel] | None = None
) -> Iterator[str]:
    """Sentences, one for each place that has a fault, in order."""
    found: dict[Place, list[ErrorDetails]] = {}
    for error in errors:
        place = _place(error, content, kind)
        # What is said of a whole because its parts have faults is not repeated.
        if not any(len(other) > len(place) and other[: len(place)] == place for other in found):
            found = {p: e for p, e in found.items() if p == place or place[: len(p)] != p}
            found.setdefault(place, []).append(error)
    for place, said in found.items():
        yield _sentence(place, said, kind)


def must_be(error: ErrorDetails) -> str | None:
    """``a whole number``: what the value had to be, or None where there is no word for it."""
    limits = error.get("ctx", {})
    if error["type"] in LIMITS:
        name, words = LIMITS[error["type"]]
        return f"{words} {limits[name]:g}"
    if error["type"] in ("literal_error", "enum"):
        return str(limits["expected"])
    if error["type"] == "too_short":
        return f"a list of {limits['min_length']} or more"
    if error["type"] in ("too_long", "missing_argument"):
        return f"a list of at most {limits['max_length']}"
    if error["type"] == "string_pattern_mismatch":
        return "of letters, digits, _, . and - alone"
    return MUST_BE.get(error["type"])


def in_words(value: object) -> str:
    """``value`` as YAML has it."""
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "keys and values"
    return "a list" if isinstance(value, list | tuple) and len(value) > 9 else shown(value)


def _place(error: ErrorDetails, content: Any, kind: type[BaseModel] | None) -> Place:
    """Path of the fault, without what pydantic adds to tell the members of a union apart."""
    place: list[int | str] = []
    for before, step in zip(("", *error["loc"]), error["loc"], strict=False):
        if len(place) == 1 and kind is not None and _tagged(kind, str(before)):
            kind = None  # the tag of one kind of section, not a key
            continue
        inside = isinstance(content, Mapping) and step in content
        if inside or (isinstance(content, list | tuple) and isinstance(step, int)):
            place.append(step)
            content = content[step] if inside or int(step) < len(content) else None
    if error["type"] == "missing":
        place.append(error["loc"][-1])
    return tuple(place)


def _tagged(kind: type[BaseModel], key: str) -> bool:
    """Whether the section ``key`` is one of several kinds."""
    known = kind.model_fields.get(key)
    return known is not None and any(isinstance(each, Discriminator) for each in known.metadata)


def _sentence(place: Place, errors: Sequence[ErrorDetails], kind: type[BaseModel] | None) -> str:
    where, first = ".".join(map(str, place)), errors[0]
    if first["type"] == "missing":
        return f"{where} is missing"
    if first["type"] == "extra_forbidden":
        known = _keys(kind, [str(step) for step in first["loc"][:-1]])
        near = meant(str(place[-1]), known)
        return (
            f"unknown key {where}{near}"
            if near or not known
            else (f"unknown key {where}: {', '.join(known)} are known")
        )
    if first["type"] == "union_tag_invalid":
        context = first["ctx"]
        tags = one_of(context["expected_tags"].split(", "))
        return f"{where}.kind must be {tags}, got {shown(context['tag'])}"
    words = list(dict.fromkeys(word for error in errors if (word := must_be(error))))
    if words:
        return f"{where} must be {one_of(words)}, got {in_words(first['input'])}"
    said = first["msg"].removeprefix("Value error, ")
    if said.startswith("must "):
        return f"{where} {said}"
    return f"{where}: {said}" if where else said


def _keys(kind: Any, steps: list[str]) -> list[str]:
    """The keys of the section of ``kind`` at the end of ``steps``."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if not steps:
            return list(kind.model_fields)
        if steps[0] in kind.model_fields:
            return _keys(kind.model_fields[steps[0]].annotation, steps[1:])
        return _keys(kind, steps[1:])
    members = get_args(kind)
    tagged = {tag.tag: of for of in members for tag in get_args(of)[1:] if isinstance(tag, Tag)}
    if steps and steps[0] in tagged:
        return _keys(get_args(tagged[steps[0]])[0], steps[1:])
    inner = [_keys(each, steps) for each in members]
    return list(dict.fromkeys(key for keys in inner for key in keys))
