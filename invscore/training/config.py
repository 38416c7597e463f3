"""The training configuration: what a ``configs/train/*.yaml`` may say. Unknown keys are errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails


class ConfigError(ValueError):
    """The configuration file is missing, is no YAML or says something that is not allowed."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NetworkConfig(_Section):
    name: Literal["unet"] = "unet"
    channels: PositiveInt = 1
    widths: tuple[PositiveInt, ...] = (32, 64, 128, 256)
    blocks: PositiveInt = 2
    embedding: PositiveInt = 128


class PriorConfig(_Section):
    mean: float = 0.5
    sigma_data: PositiveFloat = 0.25
    sigma_min: PositiveFloat = 0.002
    sigma_max: PositiveFloat = 20.0

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.sigma_min < self.sigma_max:
            raise ValueError(f"sigma_min {self.sigma_min} is not below sigma_max {self.sigma_max}")
        return self


class NoiseConfig(_Section):
    log_mean: float = -2.2
    log_std: PositiveFloat = 1.3


class DataConfig(_Section):
    folder: Path
    crop: PositiveInt = 64
    longest_side: tuple[PositiveInt, PositiveInt] = (400, 1500)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = self.longest_side
        if low > high:
            raise ValueError(f"longest_side is [{low}, {high}]: the smaller number comes first")
        return self


class OptimiserConfig(_Section):
    steps: PositiveInt
    batch: PositiveInt = 16
    learning_rate: PositiveFloat = 1e-3
    warmup: int = Field(300, ge=0)
    decay_fraction: float = Field(0.3, ge=0, le=1)
    weight_decay: float = Field(1e-4, ge=0)
    clip: PositiveFloat = 1.0
    skip_above: PositiveFloat = 20.0
    ema: float = Field(0.999, ge=0, lt=1)


class TrainConfig(_Section):
    """Everything that a training run depends on, data apart."""

    name: str
    description: str = ""
    licence: str = ""
    out: Path
    init: str | None = None
    network: NetworkConfig = NetworkConfig()
    prior: PriorConfig = PriorConfig()
    noise: NoiseConfig = NoiseConfig()
    data: DataConfig
    optimiser: OptimiserConfig
    precision: Literal["fp32", "bf16"] = "bf16"
    seed: int = 0
    save_every: PositiveInt = 250


def read_config(path: Path) -> TrainConfig:
    """The configuration in the YAML file ``path``. Raises ``ConfigError`` with one sentence."""
    try:
        content: Any = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"configuration {str(path)!r}: no such file") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"configuration {str(path)!r} cannot be read: {reason}") from error
    try:
        return TrainConfig.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(map(_fault, error.errors()))
        raise ConfigError(f"configuration {str(path)!r}: {faults}") from error


def _fault(error: ErrorDetails) -> str:
    place = ".".join(map(str, error["loc"])) or "the file"
    return f"{place}: {error['msg'].removeprefix('Value error, ')}"
