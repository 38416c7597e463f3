"""Configurations in YAML: sections whose keys are known, and faults told in one sentence."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails


class Section(BaseModel):
    """Keys and values of a mapping in YAML: unknown keys are errors, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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


def read_section(path: Path, kind: type[AnySection], *, unions: Collection[str] = ()) -> AnySection:
    """The configuration in the YAML file ``path``. Raises ``ConfigError`` with one sentence.

    ``unions``: keys at the top whose section is one of several kinds.
    """
    try:
        content: Any = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"configuration {str(path)!r}: no such file") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"configuration {str(path)!r} cannot be read: {reason}") from error
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(_fault(each, unions) for each in _innermost(error.errors()))
        raise ConfigError(f"configuration {str(path)!r}: {faults}") from error


def _innermost(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """Without what is said of a whole because its parts have faults."""
    places = [each["loc"] for each in errors]

    def holds_another(place: tuple[int | str, ...]) -> bool:
        return any(len(p) > len(place) and p[: len(place)] == place for p in places)

    return [each for each in errors if not holds_another(each["loc"])]


def _fault(error: ErrorDetails, unions: Collection[str]) -> str:
    first, *rest = error["loc"] or ("the file",)
    # Below a union, pydantic says which kind of section it took it for.
    place = ".".join(map(str, [first, *rest[first in unions :]]))
    return f"{place}: {error['msg'].removeprefix('Value error, ')}"
