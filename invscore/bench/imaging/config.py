"""Configuration of the imaging benchmark: ``configs/bench/*.yaml``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from invscore.options.config import Section, read_section
from invscore.tasks.builtin import check_options
from invscore.tasks.specs import parse_spec

HELD_OUT = "held-out"
"""Stands for a folder of images: those that no shipped prior has been trained on, of its kind."""

Images = str | tuple[str, ...]
"""``held-out``, a folder, or a list of files and names of sample images."""


class TaskConfig(Section):
    """A measurement to restore.

    ``op``: as on the command line. ``noise``: standard deviation, in the units of the measurement.
    ``prior``, ``images`` and ``size`` replace those of the whole configuration for this task.
    """

    name: str = Field(pattern=r"^[\w.-]+$")
    op: str
    noise: PositiveFloat = Field(default=0.025, allow_inf_nan=False)
    prior: str | None = None
    images: Images | None = None
    size: PositiveInt | None = None

    @field_validator("op")
    @classmethod
    def _known(cls, given: str) -> str:
        spec = parse_spec(given)
        if not spec.is_plugin:
            check_options(spec.name, spec.options)
        return given


class MethodConfig(Section):
    """A method of ``invscore methods``, or a baseline, and its options.

    ``label``: what tables call it, by default its name; the same method may come twice with two
    labels. ``samples``: how many are drawn for an image; their mean is the reconstruction.
    ``prior``: instead of the configuration's, in tasks that do not name their own.
    ``precision``: ``bf16`` has its network compute in bfloat16.
    ``options`` serve all tasks but for those that ``tasks`` gives for single ones. ``calibration``:
    a file with a factor for each task, by which intervals are widened; its path is relative to the
    file of the configuration.
    """

    name: str
    label: str = Field(pattern=r"^[\w.() =,-]+$")
    samples: PositiveInt = 1
    prior: str | None = None
    precision: Literal["fp32", "bf16"] = "fp32"
    options: dict[str, Any] = Field(default={})
    tasks: dict[str, dict[str, Any]] = Field(default={})
    calibration: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _labelled(cls, given: Any) -> Any:
        named = isinstance(given, dict) and "name" in given
        return {"label": given["name"], **given} if named else given

    def options_for(self, task: str) -> dict[str, Any]:
        """Options of the method in ``task``, those that are given."""
        return {**self.options, **self.tasks.get(task, {})}


class ImagingConfig(Section):
    """Every task with every method on every image.

    ``size``: images are shrunk and cropped to size x size pixels. ``limit``: the first few images
    of each task only. ``seed``: of all randomness; image and repetition have seeds of their own
    that follow from it. ``repeats``: how often each image is measured and restored. ``fid``: the
    Frechet distance between restored and true images of a task, for large sets of images.
    """

    prior: str
    images: Images = HELD_OUT
    size: PositiveInt = 256
    limit: PositiveInt | None = None
    seed: int = Field(default=0, ge=0)
    repeats: PositiveInt = 1
    fid: bool = False
    tasks: tuple[TaskConfig, ...] = Field(min_length=1)
    methods: tuple[MethodConfig, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [task.name for task in self.tasks]
        _distinct(names, "task")
        _distinct((method.label for method in self.methods), "method")
        for method in self.methods:
            for task in method.tasks:
                if task not in names:
                    raise ValueError(
                        f"method {method.label!r} has options for the task {task!r}, which is not "
                        f"among {', '.join(names)}"
                    )
        return self


def read_imaging_config(path: Path) -> ImagingConfig:
    """The configuration in ``path``. Raises ``ConfigError`` with one sentence."""
    config = read_section(path, ImagingConfig)
    methods = [
        method
        if method.calibration is None
        else method.model_copy(update={"calibration": path.parent / method.calibration})
        for method in config.methods
    ]
    return config.model_copy(update={"methods": tuple(methods)})


def _distinct(names: Iterable[str], kind: str) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise ValueError(f"each {kind} must have a name of its own, got {name!r} {count} times")
