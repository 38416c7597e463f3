"""A method on a task of the imaging benchmark, with validation images in the place of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.nn import Module

from invscore import __version__
from invscore.bench.imaging.algorithms import Algorithm, find_algorithm
from invscore.bench.imaging.config import ImagingConfig, MethodConfig, TaskConfig
from invscore.bench.imaging.plan import STRIDE
from invscore.bench.imaging.restore import Restored, restore
from invscore.calibration.setting import describe_setting
from invscore.engine import own_device
from invscore.images import to_gray
from invscore.methods import MethodInfo
from invscore.metrics import psnr
from invscore.priors import Prior
from invscore.tasks.specs import parse_spec
from invscore.tasks.task import Task, fit_operator, fit_prior, task_of_image


@dataclass(frozen=True)
class TuningProblem:
    """``method`` on ``task``, with ``images`` (c, h, w) by name.

    ``prior``: its name, and ``network`` what that is. ``samples`` are drawn of each image, whose
    measurement and samples have the same seeds whatever the options: image k those from
    ``seed + 10000 k``.
    """

    task: TaskConfig
    method: MethodConfig
    prior: str
    network: Prior = field(repr=False)
    images: Mapping[str, Tensor] = field(repr=False)
    samples: int
    seed: int
    device: str

    @property
    def who(self) -> Algorithm:
        return find_algorithm(self.method.name)

    @property
    def uses_prior(self) -> bool:
        return isinstance(self.who, MethodInfo) or self.who.uses_prior

    def restored(self, index: int, options: Mapping[str, Any]) -> tuple[Task, Restored]:
        """Image number ``index`` measured, and restored with ``options``; the rest is as given."""
        seed, device = self.seed + STRIDE * index, own_device(self.device)
        network = self.network.to(device) if isinstance(self.network, Module) else self.network
        image = list(self.images.values())[index]
        spec = fit_operator(parse_spec(self.task.op), complex_valued=self.network.complex)
        task = task_of_image(
            spec,
            to_gray(image) if self.network.channels == 1 else image,
            noise=self.task.noise,
            seed=seed,
            device=device,
        )
        restored = restore(
            self.who,
            task.problem,
            fit_prior(network, task.problem.operator, self.prior),
            samples=self.samples,
            seed=seed,
            options=self.options(options),
        )
        return task, restored

    def score(self, index: int, options: Mapping[str, Any]) -> float:
        """PSNR in dB of the mean of the samples of image number ``index``."""
        task, restored = self.restored(index, options)
        assert task.truth is not None
        return psnr(restored.samples.mean(dim=0), task.truth, task.peak).item()

    def options(self, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """All options, with ``chosen`` in the place of those of the configuration."""
        return self.who.options({**self.method.options_for(self.task.name), **chosen})

    def setting(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """All settings on which a restored image depends, but for the image and the seed."""
        spec = fit_operator(parse_spec(self.task.op), complex_valued=self.network.complex)
        setting = describe_setting(
            spec,
            self.prior,
            self.network,
            self.who,
            self.options(options),
            samples=self.samples,
            noise=self.task.noise,
            scale="auto",
        )
        return setting if self.uses_prior else {**setting, "prior": None}

    def digest(self, **more: Any) -> str:
        """Twelve digits that change with everything that a score depends on, and with ``more``."""
        pixels = [
            hashlib.sha256(image.numpy().tobytes()).hexdigest() for image in self.images.values()
        ]
        content = [__version__, self.setting({}), self.seed, pixels, more]
        text = json.dumps(content, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def tuning_problems(
    config: ImagingConfig,
    priors: Mapping[str, Prior],
    images: Mapping[str, Tensor],
    *,
    samples: int | None = None,
    device: str = "cpu",
) -> list[TuningProblem]:
    """Every method of ``config`` on every task, task by task.

    ``priors``: by name, all that the tasks ask for. ``samples``: in the place of those of the
    configuration, for methods that sample.
    """
    return [
        TuningProblem(
            task,
            method,
            name := task.prior or config.prior,
            priors[name],
            images,
            method.samples if samples is None or _point(method) else samples,
            config.seed,
            device,
        )
        for task in config.tasks
        for method in config.methods
    ]


def _point(method: MethodConfig) -> bool:
    return find_algorithm(method.name).point_estimate
