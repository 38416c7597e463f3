"""``invscore reconstruct``: an image, or a measurement, in; a folder of results out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from invscore.cli.arguments import (
    DEBUG_HELP,
    DEVICE_HELP,
    JSON_HELP,
    METHOD,
    OUTPUT,
    PROBLEM,
    Axes,
    BatchSize,
    IndexOf,
    Key,
    Method,
    NoiseOrAuto,
    OperatorSpec,
    PriorName,
    ReaderOf,
    Scale,
    Seed,
    Set,
    Steps,
    check_seed,
    parse_noise,
    parse_part,
    parse_scale,
    parse_shape,
)
from invscore.cli.errors import guarded, say
from invscore.cli.method_options import parse_options
from invscore.tasks.specs import parse_spec

if TYPE_CHECKING:
    from invscore.operators import Operator
    from invscore.priors import Prior

SIMULATED = 0.01
"""Noise of the measurement of an --image, unless told otherwise."""

SAMPLES = 4
"""By default: enough for a map of their spread."""


@guarded
def reconstruct(
    ctx: typer.Context,
    op: OperatorSpec,
    prior: PriorName,
    image: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Simulate the measurement of this image, then compare: a file, or a sample of "
            "scikit-image such as camera.",
            rich_help_panel=PROBLEM,
        ),
    ] = None,
    measurement: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Restore this measurement of your own: an image, .npy or .npz.",
            rich_help_panel=PROBLEM,
        ),
    ] = None,
    noise: NoiseOrAuto = None,
    size: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Shrink and crop --image to N x N pixels. Samples have 256 by default, files "
            "stay as they are.",
            rich_help_panel=PROBLEM,
        ),
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option(
            metavar="C,H,W",
            help="Shape of the image behind --measurement, where the operator cannot tell.",
            rich_help_panel=PROBLEM,
        ),
    ] = None,
    key: Key = None,
    index: IndexOf = None,
    axes: Axes = None,
    reader: ReaderOf = None,
    method: Method = None,
    samples: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Samples of the posterior: their mean is the reconstruction and their spread its "
            "uncertainty. 4 by default, 1 where the method gives a point estimate.",
            rich_help_panel=METHOD,
        ),
    ] = None,
    steps: Steps = None,
    set_: Set = None,
    seed: Seed = 0,
    scale: Scale = "auto",
    batch_size: BatchSize = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Intervals that 'invscore calibrate' has found for this operator and prior; "
            "method, options, samples and noise are those of the file where they are not given.",
            rich_help_panel=METHOD,
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(metavar="NAME", help=DEVICE_HELP, rich_help_panel=METHOD)
    ] = "auto",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder for the results: results/IMAGE-OPERATOR by default.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            metavar="",
            help="Write into --out even if it holds other files.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    page: Annotated[
        bool,
        typer.Option(
            "--report",
            metavar="",
            help="Also write report.html, a page for the browser that needs nothing else: a "
            "slider between measurement, reconstruction, truth and uncertainty, all samples, "
            "error map, figures and options.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", metavar="", help=JSON_HELP, rich_help_panel=OUTPUT)
    ] = False,
    debug: Annotated[  # noqa: ARG001
        bool, typer.Option("--debug", metavar="", help=DEBUG_HELP, rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """Reconstruct an image: simulate a measurement of --image, or restore your --measurement.

    Writes pictures, arrays.npz, metrics.json and, with --report, report.html: all or none.
    """
    source = image if image is not None else measurement
    if source is None or (image is not None and measurement is not None):
        given = "neither" if source is None else "both"
        raise ValueError(f"one of `--image` and `--measurement` must be given, got {given}")
    if measurement is not None and size is not None:
        raise ValueError("--size changes an --image: a measurement is taken as it is")
    if image is not None and shape is not None:
        raise ValueError("--shape goes with --measurement: an --image has its own shape")
    check_seed(seed)
    spec = parse_spec(op)
    options = parse_options(set_, steps)
    factor = parse_scale(scale)
    part = parse_part(key, axes, index, reader)
    level = parse_noise(noise)
    if image is not None and level == "auto":
        raise ValueError("`noise` must be a number for an --image, which is measured with it")

    # Heavy imports wait until the command line is understood.
    from invscore import driver
    from invscore.calibration import Calibration
    from invscore.calibration.adopted import Choices, adopted
    from invscore.calibration.setting import describe_setting
    from invscore.cli import native, report
    from invscore.cli.devices import choose_device
    from invscore.cli.loading import open_prior
    from invscore.cli.progress import StepBar
    from invscore.methods import get_method
    from invscore.tasks import measured, task

    calibrated = None if calibration is None else Calibration.load(calibration)
    if calibrated is not None:
        chosen, taken = adopted(
            calibrated,
            Choices(
                method=method,
                options=options,
                samples=samples,
                noise=level if isinstance(level, float) else None,
                scale=factor if _given(ctx, "scale") else None,
            ),
        )
        method, options, samples = chosen.method, dict(chosen.options), chosen.samples
        level = level if chosen.noise is None else chosen.noise
        factor = factor if chosen.scale is None else chosen.scale
    method = method or driver.DEFAULT_METHOD
    info = get_method(method)
    info.options(options)
    if samples is None:
        samples = 1 if info.point_estimate else SAMPLES
    folder = out or Path("results") / task.default_name(spec, source)
    report.check_folder(folder, overwrite=overwrite)
    device = choose_device(device)
    network = open_prior(prior, device)
    spec = task.fit_operator(spec, complex_valued=network.complex)

    def fit(operator: Operator) -> Prior:
        return task.fit_prior(network, operator, prior)

    if level is None:
        level = SIMULATED if image is not None else "auto"
    if calibrated is not None:
        setting = describe_setting(
            spec if image is not None else measured.as_of_a_camera(spec),
            prior,
            network,
            info,
            options,
            samples=samples,
            noise=level,
            scale=factor,
        )
        calibrated.require(setting)
        if taken:
            say(f"as in {calibration}: {taken}")
    if image is not None:
        assert not isinstance(level, str)
        job = task.simulated_task(
            spec, image, size=size, noise=level, seed=seed, device=device, part=part
        )
    else:
        known = None if shape is None else parse_shape(shape)
        job = measured.measured_task(
            spec, source, shape=known, noise=level, device=device, fit_prior=fit, part=part
        )

    with StepBar(method) as on_step:
        result = driver.reconstruct(
            job.problem,
            fit(job.problem.operator),
            method=method,
            samples=samples,
            seed=seed,
            batch_size=task.together(job.problem) if batch_size is None else batch_size,
            scale=job.scale if factor == "auto" else factor,
            on_step=on_step,
            **options,
        )
    metrics = report.measure(job, result)
    interval = None
    if calibrated is not None:
        interval = calibrated.interval(result.seen)
        metrics["interval"] = report.measure_interval(job, calibrated, interval)
    metrics |= {
        "op": op,
        "prior": prior,
        "image" if image is not None else "measurement": source,
        "shape": list(job.problem.operator.in_shape),
        "noise": job.noise,
        "noise_estimated": level == "auto",
        "assumed": list(job.assumed),
        **report.describe(result, device),
    }
    like = None if measurement is None else native.origin_of(measurement, part)
    report.write_results(folder, job, result, metrics, interval, page=page, like=like)
    if json:
        typer.echo(report.as_json(metrics))
    else:
        report.print_summary(metrics, folder)


def _given(ctx: typer.Context, name: str) -> bool:
    """Whether an option was written, rather than left to its default."""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
