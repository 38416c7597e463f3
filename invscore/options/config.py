"""Configurations in YAML: sections whose keys are known, and faults told in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from invscore.files import plain_yaml
from invscore.options import faults


class Section(BaseModel):
    """Keys and values of a mapping in YAML: unknown keys are errors, nothing changes later.

    Numbers are finite, ``true`` is no number, and a text is empty only where that is the default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _says_something(cls, given: Any, info: ValidationInfo) -> Any:
        known = cls.model_fields[info.field_name or ""]
        if isinstance(given, str) and not given.strip() and known.default != "":
            raise ValueError(f"must not be empty, got {given!r}")
        kinds = _kinds(known.annotation)
        if isinstance(given, bool) and bool not in kinds and kinds & {int, float}:
            raise ValueError(f"must be a number, got {str(given).lower()}")
        return given


def _kinds(annotation: Any) -> set[Any]:
    """The types that an annotation is made of."""
    inner = [_kinds(each) for each in get_args(annotation)]
    return {annotation}.union(*inner) if isinstance(annotation, type) else set().union(*inner)


def _from_home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError(f"{str(path)!r}: this user has no home folder") from error


HomePath = Annotated[Path, AfterValidator(_from_home)]
"""A path in which ``~`` and ``~user`` stand for the home folder, as in a shell."""

HomeText = Annotated[
    str, AfterValidator(lambda text: str(_from_home(Path(text))) if text[:1] == "~" else text)
]
"""A text that may begin with such a path."""

AnySection = TypeVar("AnySection", bound=Section)


class ConfigError(ValueError):
    """The configuration file is missing, is no YAML or says something that is not allowed."""


def read_section(path: Path, kind: type[AnySection]) -> AnySection:
    """The configuration in the YAML file ``path``. Raises ``ConfigError`` with one sentence."""
    try:
        content = plain_yaml.read(path)
    except ValueError as error:
        raise ConfigError(f"configuration {error}") from error
    try:
        return as_section(content, kind)
    except ValueError as error:
        raise ConfigError(f"configuration {str(path)!r}: {error}") from error


def as_section(content: Any, kind: type[AnySection]) -> AnySection:
    """``content``, of a file, as a section. Raises ``ValueError`` that names all that is wrong."""
    if not isinstance(content, Mapping):
        raise ValueError(f"the file must hold keys and values, got {faults.in_words(content)}")
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise ValueError("; ".join(faults.sentences(error.errors(), content, kind))) from error
