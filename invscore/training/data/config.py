"""Section ``data:`` of a training configuration, one class for each kind of data."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, PositiveFloat, PositiveInt, Tag, model_validator

from invscore.options.config import HomePath, HomeText, Section


class FolderConfig(Section):
    """Crops of photographs in ``folder/train`` and ``folder/val``."""

    kind: Literal["folder"] = "folder"
    folder: HomePath
    crop: PositiveInt = 64
    longest_side: tuple[PositiveInt, PositiveInt] = (400, 1500)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = self.longest_side
        if low > high:
            raise ValueError(
                f"`longest_side` must have the smaller number first, got [{low}, {high}]"
            )
        return self


class ArraysConfig(Section):
    """Slices of the arrays in a file, or in the files of a folder."""

    kind: Literal["arrays"]
    path: HomePath
    key: str | None = None
    along: tuple[int | tuple[int, ...], ...] = (0,)
    channel_axis: int | None = None
    peak: PositiveFloat | Literal["file"] = "file"
    darkest: float = Field(default=0.0, ge=0)
    crop: PositiveInt | None = None
    flip: bool = True
    rotate: bool = True
    validation: float = Field(default=0.1, gt=0, lt=1)
    contiguous: bool = False
    seed: int = Field(default=0, ge=0)


class CallableConfig(Section):
    """Data that a Python function makes."""

    kind: Literal["callable"]
    callable: HomeText
    options: dict[str, Any] = Field(default_factory=dict)
    together: PositiveInt = 1


def _kind(data: Any) -> Any:
    return data.get("kind", "folder") if isinstance(data, dict) else getattr(data, "kind", None)


DataConfig = Annotated[
    Annotated[FolderConfig, Tag("folder")]
    | Annotated[ArraysConfig, Tag("arrays")]
    | Annotated[CallableConfig, Tag("callable")],
    Discriminator(_kind),
]
