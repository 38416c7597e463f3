"""The work of ``invscore reconstruct`` on a measurement, for one of them and for thousands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from invscore import driver
from invscore.calibration import Calibration
from invscore.cli import native, report
from invscore.hardware.precision import FixedPrecision
from invscore.images import load_image, load_measurement
from invscore.operators import Operator
from invscore.priors.base import Prior
from invscore.priors.volume import PLANES
from invscore.readers import Part
from invscore.result import Result, joined
from invscore.tasks import measured, task
from invscore.tasks.noises import Declared, Transmission
from invscore.tasks.sources import Source
from invscore.tasks.specs import Spec
from invscore.tasks.task import Draws, Task

FEW = 3
"""Most samples that get an operator each where the operator is drawn at random: so few pairs of
samples tell no spread."""


@dataclass(frozen=True)
class Job:
    """How measurements are restored: what the command line says, of all of them alike.

    ``op`` and ``prior`` as they were written, ``spec`` what the former means for this prior.
    ``simulated``: the sources are images, whose measurement is made first. ``figure`` and ``page``:
    the files that are drawn beside the pictures. ``planes``: in which the prior sees volumes.
    ``probes``: samples from another start, and ``precision`` that of the network, see
    ``driver.reconstruct``.
    """

    op: str
    spec: Spec
    prior: str
    simulated: bool
    noise: Declared | Literal["auto"]
    size: int | None
    shape: tuple[int, ...] | None
    part: Part
    method: str
    options: Mapping[str, Any]
    samples: int
    scale: float | Literal["auto"]
    batch_size: int | None
    memory: float | None
    calibration: Calibration | None
    figure: bool
    page: bool
    planes: tuple[str, ...] = PLANES
    probes: int = 0
    precision: FixedPrecision = "fp32"

    def task(self, source: Source, network: Prior, *, seed: int, device: str) -> Task:
        """The problem of a source. Raises ``ValueError`` where there is none."""
        part = source.part(self.part)
        if self.simulated:
            assert not isinstance(self.noise, str)
            return task.simulated_task(
                self.spec,
                source.file,
                size=self.size,
                noise=self.noise,
                seed=seed,
                device=device,
                part=part,
            )

        def fit(operator: Operator) -> Prior:
            return self.fit(network, operator)

        return measured.measured_task(
            self.spec,
            source.file,
            shape=self.shape,
            noise=self.noise,
            device=device,
            fit_prior=fit,
            part=part,
        )

    def pixels(self, source: Source) -> int:
        """About how many pixels the image of a source has. Raises ``ValueError`` for no file."""
        part = source.part(self.part)
        if self.simulated and self.size is not None:
            return self.size**2
        if self.simulated:
            return load_image(source.file, **part).numel()
        return load_measurement(source.file, **part).numel()

    def fit(self, network: Prior, operator: Operator) -> Prior:
        """The prior for the images of an operator."""
        return task.fit_prior(network, operator, self.prior, self.planes)

    def factor(self, job: Task) -> float | Literal["auto"]:
        """The scale of this task."""
        return job.scale if self.scale == "auto" else self.scale

    def reconstruct(self, job: Task, network: Prior, **more: Any) -> Result:
        """The result for a task; ``more`` are other arguments of ``driver.reconstruct``."""
        problem = job.problem
        settings: dict[str, Any] = {
            "method": self.method,
            "batch_size": task.together(problem) if self.batch_size is None else self.batch_size,
            "scale": self.factor(job),
            "most_memory": self.memory,
            "probes": self.probes,
            "precision": self.precision,
            **self.options,
        }
        prior = self.fit(network, problem.operator)
        if job.draws is None or self.samples == 1:
            return driver.reconstruct(problem, prior, samples=self.samples, **more, **settings)
        return self._of_draws(job.draws, prior, more, settings)

    def _of_draws(
        self, draws: Draws, prior: Prior, more: dict[str, Any], settings: dict[str, Any]
    ) -> Result:
        """Samples of problems that are drawn: a pair of each, one of each where there are few."""
        parts, on_step = [], more.pop("on_step", lambda done, total: None)
        more.pop("on_tile", None)
        groups = self._groups()
        for number, (first, count) in enumerate(groups):

            def step(done: int, total: int, before: int = number) -> None:
                on_step(done + before * total, len(groups) * total)

            own = {**settings, "probes": 0 if number else self.probes}
            seeds = [seed + first for seed in _as_list(more["seed"])]
            part = driver.reconstruct(
                draws.problem(seeds[0]),
                prior,
                samples=count,
                antithetic=None if self.samples > FEW else False,
                on_step=step,
                **{**more, "seed": seeds},
                **own,
            )
            parts.append(part)
        return replace(joined(parts), seed=more["seed"])

    def _groups(self) -> list[tuple[int, int]]:
        """The first sample of each operator that is drawn, and how many it has."""
        size = 2 if self.samples > FEW else 1
        return [(k, min(size, self.samples - k)) for k in range(0, self.samples, size)]

    def write(
        self, folder: Path, source: Source, job: Task, result: Result, device: str, **more: Any
    ) -> dict[str, Any]:
        """Write what ``reconstruct`` has made to ``folder``, and return its ``metrics.json``.

        ``more`` goes into it. All files are written, or none.
        """
        if job.draws is not None and self.samples > 1:
            seeds = [_as_list(result.seed)[0] + first for first, _ in self._groups()]
            job = replace(job, found={**job.found, **job.draws.arrays(seeds)})
        metrics = report.measure(job, result)
        interval = None
        if self.calibration is not None:
            interval = self.calibration.interval(result.seen)
            metrics["interval"] = report.measure_interval(job, self.calibration, interval)
        metrics |= {
            "op": self.op,
            "prior": self.prior,
            "image" if self.simulated else "measurement": source.file,
            "shape": list(job.problem.operator.in_shape),
            "noise": job.noise if isinstance(self.noise, float | str) else str(self.noise),
            "noise_estimated": self.noise == "auto",
            "assumed": list(job.assumed),
            "probes": self.probes,
            "precision": self.precision,
            **report.describe(result, device),
            **more,
        }
        like = None if self.simulated else native.origin_of(source.file, source.part(self.part))
        if like is not None and isinstance(self.noise, Transmission):
            # Attenuation is not in the units of counts.
            like = replace(like, recording=replace(like.recording, white=None))
        report.write_results(
            folder, job, result, metrics, interval, page=self.page, figure=self.figure, like=like
        )
        return metrics


def _as_list(seed: int | Sequence[int]) -> list[int]:
    return [seed] if isinstance(seed, int) else list(seed)
