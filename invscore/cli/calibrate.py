"""``invscore calibrate``: images whose truth is known in; intervals that hold what they promise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from invscore.cli.arguments import (
    METHOD,
    OUTPUT,
    PROBLEM,
    Axes,
    BatchSize,
    ClusterOf,
    Debug,
    Device,
    IndexOf,
    Json,
    Key,
    Method,
    Noise,
    OperatorSpec,
    PriorName,
    ReaderOf,
    Scale,
    Seed,
    Set,
    Steps,
    Workers,
    check_seed,
    parse_part,
    parse_scale,
)
from invscore.cli.errors import guarded, note
from invscore.cli.method_options import parse_options
from invscore.tasks.specs import Spec, parse_spec

if TYPE_CHECKING:
    from torch import Tensor

    from invscore.calibration import Calibration
    from invscore.readers import Part
    from invscore.result import Result


@guarded
def calibrate(
    op: OperatorSpec,
    prior: PriorName,
    images: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Folder of clean images, like those to come: at least ten for a level of 0.9.",
            rich_help_panel=PROBLEM,
        ),
    ],
    measurements: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of their measurements, files of the same names before the suffix. "
            "Without it, they are simulated.",
            rich_help_panel=PROBLEM,
        ),
    ] = None,
    noise: Noise = 0.01,
    size: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Shrink and crop the images to N x N pixels.",
            rich_help_panel=PROBLEM,
        ),
    ] = None,
    key: Key = None,
    index: IndexOf = None,
    axes: Axes = None,
    reader: ReaderOf = None,
    method: Method = None,
    samples: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Samples for each image; the same number is needed later.",
            rich_help_panel=METHOD,
        ),
    ] = 8,
    steps: Steps = None,
    set_: Set = None,
    level: Annotated[
        float,
        typer.Option(
            metavar="FRACTION",
            help="Fraction of the pixels that the intervals shall hold.",
            rich_help_panel=METHOD,
        ),
    ] = 0.9,
    seed: Seed = 0,
    scale: Scale = "auto",
    batch_size: BatchSize = None,
    workers: Workers = 1,
    cluster: ClusterOf = None,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="The calibration, for 'invscore reconstruct --calibration'.",
            rich_help_panel=OUTPUT,
        ),
    ] = Path("calibration.json"),
    device: Device = "auto",
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Find how wide intervals must be to hold a stated fraction of pixels.

    Measures the images, draws samples, and compares with the truth. The factor that is found keeps
    its promise on average over new images like these, by conformal risk control.
    """
    if measurements is not None and size is not None:
        raise ValueError("--size changes images that are to be measured: --measurements are")
    if samples < 2:
        raise ValueError(f"`samples` must be at least 2, got {samples}")
    check_seed(seed)
    spec = parse_spec(op)
    options = parse_options(set_, steps)
    factor = parse_scale(scale)
    part = parse_part(key, axes, index, reader)

    # Heavy imports wait until the command line is understood.
    from invscore import calibration, driver
    from invscore.bench.versions import versions
    from invscore.calibration.setting import describe_setting
    from invscore.cli.devices import device_here
    from invscore.cli.loading import open_prior
    from invscore.cli.progress import StepBar
    from invscore.cli.tables import print_json
    from invscore.engine import in_order, open_engine
    from invscore.files import check_writable
    from invscore.methods import get_method
    from invscore.tasks import measured, task

    info = get_method(method or driver.DEFAULT_METHOD)
    info.options(options)
    if info.point_estimate:
        raise ValueError(
            f"`--method` must be one that samples, got {info.name!r}, which gives point estimates"
        )
    if out.is_dir():
        raise ValueError(f"`--out` must be a file, got the folder {str(out)!r}")
    check_writable(out.parent)
    files = _files(images, measurements)
    calibration.check_count(len(files), level)
    here = device_here("cpu" if cluster is not None else device)
    device = here if cluster is None else device
    network = open_prior(prior, here)
    spec = task.fit_operator(spec, complex_valued=network.complex)

    camera = spec if measurements is None else measured.as_of_a_camera(spec)

    each = _Each(
        spec=spec,
        prior=prior,
        size=size,
        noise=noise,
        seed=seed,
        device=device,
        part=part,
        settings={"method": info.name, "samples": samples, **options},
        batch_size=batch_size,
        scale=factor,
    )

    def told(pairs: Iterator[tuple[Result, Tensor]]) -> Iterator[tuple[Result, Tensor]]:
        for done, pair in enumerate(pairs, start=1):
            bar(done, len(files))
            yield pair

    setting = describe_setting(
        camera, prior, network, info, options, samples=samples, noise=noise, scale=factor
    )
    with open_engine(workers, cluster, tell=note) as engine, StepBar(info.name, of="images") as bar:
        found = calibration.calibrate(
            told(in_order(engine.run(each, enumerate(files)))),
            level=level,
            **setting,
            seed=seed,
            versions=versions(),
        )
    found.save(out)
    if json:
        print_json(found.content())
    else:
        _print(found, out)


@dataclass(frozen=True)
class _Each:
    """A function that measures and restores an image, wherever it is called: result and truth."""

    spec: Spec
    prior: str
    size: int | None
    noise: float
    seed: int
    device: str
    part: Part
    settings: Mapping[str, Any]
    batch_size: int | None
    scale: float | Literal["auto"]

    def __call__(self, item: tuple[int, tuple[Path, Path | None]]) -> tuple[Result, Tensor]:
        from invscore import driver
        from invscore.cli.loading import known_prior
        from invscore.engine import own_device
        from invscore.tasks import measured, task

        index, (image, measurement) = item
        device = own_device(self.device)
        network = known_prior(self.prior, device)
        # Sample k draws from seed + k: no image shares random numbers with another.
        first = self.seed + index * self.settings["samples"]
        if measurement is None:
            job = task.simulated_task(
                self.spec,
                str(image),
                size=self.size,
                noise=self.noise,
                seed=first,
                device=device,
                part=self.part,
            )
        else:
            job = measured.known_task(
                self.spec,
                str(measurement),
                str(image),
                noise=self.noise,
                device=device,
                part=self.part,
            )
        problem = job.problem
        result = driver.reconstruct(
            problem,
            task.fit_prior(network, problem.operator, self.prior),
            seed=first,
            batch_size=task.together(problem) if self.batch_size is None else self.batch_size,
            scale=job.scale if self.scale == "auto" else self.scale,
            **self.settings,
        )
        assert job.seen_truth is not None
        return replace(result.seen, problem=None), job.seen_truth


def _print(found: Calibration, out: Path) -> None:
    """Prints the effect of the calibration, and how it is used."""
    from invscore.cli.tables import print_table

    def percent(quantity: str) -> str:
        mean, error = found.mean(quantity)
        return f"{100 * mean:.1f} ± {100 * error:.1f} %"

    def number(quantity: str) -> str:
        return f"{found.mean(quantity)[0]:.4g}"

    print_table(
        (f"{len(found.images)} images", "before", "after"),
        [
            ("pixels held", percent("coverage_before"), percent("coverage_after")),
            ("mean width", number("width_before"), number("width_after")),
        ],
    )
    wider = "wider" if found.factor > 1 else "narrower"
    times = max(found.factor, 1 / found.factor)
    typer.echo(
        f"Intervals {times:.2f} times {wider} than those of the samples hold {found.level:.0%} of "
        "the pixels, on average over new images like these; after: each image by the others."
    )
    if price := _price_of_few(len(found.images), found.level):
        typer.echo(price)
    typer.echo(f"{out}: for 'invscore reconstruct --calibration {out}', same options otherwise")


FEW = 0.01
"""Share of the pixels beyond the level which images may be held to without a word."""


def _price_of_few(images: int, level: float) -> str:
    """Why few images are held more than the level says: a sentence, or nothing."""
    from invscore.calibration.conformal import SLACK, share_held

    others = share_held(images - 1, level)
    if others - level <= FEW + SLACK:
        return ""
    return (
        f"With {images} images the factor has to hold {share_held(images, level):.0%} of their "
        f"pixels, and {others:.0%} of the others' where it judges an image, for a new one to be "
        f"sure of {level:.0%} on average: the price of few images in conformal risk control, at "
        f"most a point from {math.ceil(level / FEW - SLACK) + 1} images on."
    )


def _files(images: Path, measurements: Path | None) -> list[tuple[Path, Path | None]]:
    """The images of a folder, each with its measurement if there are any."""
    from invscore.tasks.folder import images_in

    if measurements is None:
        return [(image, None) for image in images_in(images)]
    found = images_in(measurements)
    known = {file.stem: file for file in found}
    if len(known) < len(found):
        twice = next(file for file in found if known[file.stem] != file)
        raise ValueError(
            f"each measurement in {str(measurements)!r} must have a name of its own, got "
            f"{twice.name!r} and {known[twice.stem].name!r}"
        )
    pairs: list[tuple[Path, Path | None]] = []
    for image in images_in(images):
        if image.stem not in known:
            raise ValueError(f"image {image.name!r} has no measurement in {str(measurements)!r}")
        pairs.append((image, known[image.stem]))
    return pairs
