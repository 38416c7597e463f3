"""Metadata of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import (
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from invscore.networks import NETWORKS
from invscore.networks.check import check_architecture
from invscore.options.config import Section, as_section
from invscore.priors.parametrisation import find_parametrisation

FOREIGN = "foreign"
"""Key in the metadata of our own files for the recipe of an imported prior."""


class Form(Section):
    """The numbers of a ``NetworkPrior``."""

    mean: float = 0.5
    sigma_data: PositiveFloat = 0.25
    sigma_min: PositiveFloat = 0.002
    sigma_max: PositiveFloat = 20.0
    complex: bool = False
    symmetric: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.sigma_min < self.sigma_max:
            raise ValueError(
                f"`sigma_min` must be below `sigma_max`, got {self.sigma_min} and {self.sigma_max}"
            )
        return self


class StoredForm(Form):
    """The numbers of a ``NetworkPrior``, and what its network predicts for how many channels."""

    name: str | dict[str, float]
    channels: PositiveInt

    @field_validator("name")
    @classmethod
    def _known(cls, given: str | dict[str, float]) -> str | dict[str, float]:
        find_parametrisation(given)
        return given


class Architecture(Section):
    """A network by name; its options are those of its class."""

    model_config = ConfigDict(extra="allow")
    name: str
    energy: bool = False

    @model_validator(mode="after")
    def _buildable(self) -> Self:
        if self.name in NETWORKS:  # others are found, or refused, where they are made
            check_architecture(**self.model_dump())
        return self


class Stored(Section):
    """Metadata of a checkpoint that is a prior, with whatever else was noted there."""

    model_config = ConfigDict(extra="allow")
    architecture: Architecture
    parametrisation: StoredForm
    shape: tuple[PositiveInt, ...] | None = Field(default=None, min_length=2, max_length=3)

    @model_validator(mode="after")
    def _matching(self) -> Self:
        given = (self.architecture.model_extra or {}).get("channels")
        wanted = self.parametrisation.channels * (2 if self.parametrisation.complex else 1)
        if given is not None and given != wanted:
            raise ValueError(f"architecture.channels must be {wanted}, got {given}")
        return self


def read_stored(metadata: Mapping[str, Any]) -> Stored:
    """``metadata`` as they must be. Raises ``ValueError`` that names all that is wrong."""
    return as_section(metadata, Stored)
