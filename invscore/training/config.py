"""The training configuration: what a ``configs/train/*.yaml`` may say. Unknown keys are errors."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from invscore.hardware import memory
from invscore.hardware.precision import Precision
from invscore.networks import SIZES
from invscore.networks.check import check_architecture
from invscore.options.config import HomePath, HomeText, Section, read_section
from invscore.priors.parametrisation import find_parametrisation
from invscore.priors.stored import Form
from invscore.training.data.config import DataConfig

COPIES = 5
"""Arrays of the size of all weights that are held: weights, gradients, two moments and a moving
average."""


class NetworkConfig(Section):
    name: Literal["unet"] = "unet"
    channels: PositiveInt = 1
    widths: tuple[PositiveInt, ...] = (32, 64, 128, 256)
    blocks: PositiveInt | tuple[PositiveInt, ...] = 2
    embedding: PositiveInt = 128
    attention: int = Field(default=0, ge=0)
    energy: bool = False

    @model_validator(mode="before")
    @classmethod
    def _sized(cls, given: Any) -> Any:
        """``size``, of ``invscore.networks.SIZES``, stands for its widths and blocks."""
        if not isinstance(given, dict) or "size" not in given:
            return given
        size, rest = given["size"], {name: v for name, v in given.items() if name != "size"}
        if size not in SIZES:
            raise ValueError(f"`size` must be one of {', '.join(SIZES)}, got {size!r}")
        if twice := sorted({"widths", "blocks"} & set(rest)):
            raise ValueError(f"one of size and {' and '.join(twice)} may be given, got both")
        return rest | SIZES[size]

    @model_validator(mode="after")
    def _buildable(self) -> Self:
        """The architecture knows best what it cannot be: it is built, without any memory."""
        weights = check_architecture(**self.model_dump(mode="json"))
        memory.require(COPIES * memory.FLOAT * weights, f"training {weights:.3g} weights")
        return self


class PriorConfig(Form):
    parametrisation: str | dict[str, float] = "edm"

    @field_validator("parametrisation")
    @classmethod
    def _known(cls, given: str | dict[str, float]) -> str | dict[str, float]:
        find_parametrisation(given)
        return given


class NoiseConfig(Section):
    log_mean: float = -2.2
    log_std: PositiveFloat = 1.3
    overstated: float = Field(default=0.0, ge=0, le=1)
    maps: float = Field(default=0.0, ge=0, le=1)


class AugmentConfig(Section):
    share: float = Field(default=0.0, ge=0, lt=1)


class OptimiserConfig(Section):
    name: Literal["adamw", "muon"] = "adamw"
    steps: PositiveInt
    batch: PositiveInt = 16
    accumulate: PositiveInt = 1
    learning_rate: PositiveFloat = 1e-3
    schedule: Literal["trapezoid", "cosine", "constant"] = "trapezoid"
    warmup: int = Field(default=300, ge=0)
    decay_fraction: float = Field(default=0.3, ge=0, le=1)
    weight_decay: float = Field(default=1e-4, ge=0)
    clip: PositiveFloat = 1.0
    skip_above: PositiveFloat = 20.0
    ema: tuple[Annotated[float, Field(ge=0, lt=1)], ...] = (0.999,)

    @field_validator("ema", mode="before")
    @classmethod
    def _one_or_more(cls, given: Any) -> Any:
        return [given] if isinstance(given, float | int) else given

    @field_validator("ema")
    @classmethod
    def _distinct(cls, given: tuple[float, ...]) -> tuple[float, ...]:
        if not given or len(set(given)) < len(given):
            raise ValueError(
                f"`ema` must be one decay or several different ones, got {list(given)}"
            )
        return given


class SamplesConfig(Section):
    count: int = Field(default=16, ge=0)
    steps: PositiveInt = 20
    every: PositiveInt = 1000


Objective = Literal["denoising", "flow", "stable", "controlled", "implicit"]


class TrainConfig(Section):
    """Everything that a training run depends on, data apart."""

    name: str
    description: str = ""
    licence: str = ""
    out: HomePath
    init: HomeText | None = None
    network: NetworkConfig = NetworkConfig()
    prior: PriorConfig = PriorConfig()
    noise: NoiseConfig = NoiseConfig()
    objective: Objective = "denoising"
    reference: int = Field(default=0, ge=0)
    teacher: HomeText | None = None
    data: DataConfig
    augment: AugmentConfig = AugmentConfig()
    optimiser: OptimiserConfig
    samples: SamplesConfig = SamplesConfig()
    precision: Precision = "auto"
    compile: bool = False
    workers: PositiveInt = 1
    seed: int = Field(default=0, ge=0)
    save_every: PositiveInt = 250

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, given: Any) -> Any:
        """``deform`` is the former name of ``augment``."""
        if not isinstance(given, dict) or "deform" not in given:
            return given
        if "augment" in given:
            raise ValueError("`augment` must not be given with its former name `deform`, got both")
        warnings.warn("the key deform is now called augment", FutureWarning, stacklevel=2)
        return {{"deform": "augment"}.get(key, key): value for key, value in given.items()}

    @field_validator("name")
    @classmethod
    def _names_a_file(cls, given: str) -> str:
        if not given.strip() or given.lower() == "state" or "/" in given or "\\" in given:
            raise ValueError(
                "`name` must have no / and \\ and not be state (state.safetensors is what the "
                f"run goes on from), got {given!r}"
            )
        return given

    @model_validator(mode="after")
    def _teachable(self) -> Self:
        if self.objective != "denoising" and self.prior.complex:
            raise ValueError(
                f"`objective` must be denoising for complex images, got {self.objective}"
            )
        if self.objective not in {"denoising", "flow"} and self.noise.overstated:
            raise ValueError(
                f"`noise.overstated` must be 0 with the objective {self.objective}: only "
                "denoising and flow can learn from levels that are wrong"
            )
        if self.noise.maps and (self.objective != "denoising" or self.network.energy):
            raise ValueError(
                "`noise.maps` must be 0 but for the objective denoising of a network that is no "
                f"energy, got {self.noise.maps}"
            )
        if self.teacher is not None and (self.objective != "denoising" or self.noise.overstated):
            raise ValueError(
                "`teacher` must be left out but for the objective denoising without overstated "
                f"noise, got {self.teacher!r}"
            )
        if self.reference and self.objective != "stable":
            raise ValueError(
                "`reference` must be left out but for the objective stable, which averages "
                f"over images, got {self.reference}"
            )
        return self

    @model_validator(mode="after")
    def _paired(self) -> Self:
        if self.prior.complex and self.network.channels % 2:
            raise ValueError(
                "`network.channels` must be two for each channel of the images with "
                f"prior.complex, got {self.network.channels}"
            )
        return self


def read_config(path: Path) -> TrainConfig:
    """The configuration in the YAML file ``path``. Raises ``ConfigError`` with one sentence."""
    return read_section(path, TrainConfig)
