"""``invscore reconstruct``: images, or measurements, in; a folder of results out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from invscore.cli.arguments import (
    DEBUG_HELP,
    JSON_HELP,
    METHOD,
    OUTPUT,
    PROBLEM,
    Axes,
    BatchSize,
    ClusterOf,
    Device,
    IndexOf,
    Key,
    Memory,
    Method,
    NoiseOrAuto,
    OperatorSpec,
    Planes,
    Precision,
    PriorName,
    Probes,
    ReaderOf,
    Scale,
    Seed,
    Set,
    Steps,
    VolumeOf,
    Workers,
    check_seed,
    parse_memory,
    parse_noise,
    parse_part,
    parse_planes,
    parse_scale,
    parse_shape,
)
from invscore.cli.errors import guarded, note, say
from invscore.cli.method_options import parse_options
from invscore.tasks.noises import Declared
from invscore.tasks.specs import parse_spec

SIMULATED = 0.01
"""Default noise level of the measurement that is simulated of an --image."""

SAMPLES = 4
"""Default number of samples: enough for a map of their spread."""


@guarded
def reconstruct(
    ctx: typer.Context,
    op: OperatorSpec,
    prior: PriorName,
    image: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE|DIR|GLOB",
            help="Simulate the measurement of this image, then compare: a file, or a sample of "
            "scikit-image such as camera. Of many: a folder, 'images/*.png', a stack.",
            rich_help_panel=PROBLEM,
        ),
    ] = None,
    measurement: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|DIR|GLOB",
            help="Restore this measurement of your own: an image, .npy or .npz. Many of them: a "
            "folder, 'scans/*.npy', or a file with a stack.",
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
    volume: VolumeOf = None,
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
    planes: Planes = None,
    scale: Scale = "auto",
    probes: Probes = 0,
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Intervals that 'invscore calibrate' has found for this operator and prior; "
            "method, options, samples and noise are those of the file where they are not given.",
            rich_help_panel=METHOD,
        ),
    ] = None,
    batch_size: BatchSize = None,
    memory: Memory = None,
    precision: Precision = "fp32",
    workers: Workers = 1,
    cluster: ClusterOf = None,
    device: Device = "auto",
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

    Writes pictures, arrays.npz, metrics.json and, with --report, report.html: all or none. Of many
    each has a folder in --out, whose index.csv has all numbers: the same command goes on with
    those that are not done.
    """
    source = _one_source(image, measurement, size, shape)
    simulated = image is not None
    check_seed(seed)
    spec = parse_spec(op)
    options = parse_options(set_, steps)
    factor = parse_scale(scale)
    part = parse_part(key, axes, index, reader, volume)
    cut = parse_planes(planes)
    if cut is not None and volume is None:
        raise ValueError(f"`planes` are those of a --volume, got {planes!r} without one")
    level = _parse_noise(noise, simulated=simulated, calibrated=calibration is not None)
    most = parse_memory(memory)

    # Heavy imports wait until the command line is understood.
    from invscore import driver
    from invscore.calibration import Calibration
    from invscore.calibration.adopted import Choices, adopted
    from invscore.calibration.setting import describe_setting
    from invscore.cli import report
    from invscore.cli.devices import device_here
    from invscore.cli.loading import open_prior
    from invscore.cli.many import INDEX, restore_many
    from invscore.cli.progress import StepBar
    from invscore.cli.restoring import Job
    from invscore.engine import open_engine
    from invscore.hardware.precision import fixed_precision
    from invscore.images import IMAGE_KEYS, MEASUREMENT_KEYS
    from invscore.methods import get_method
    from invscore.priors.volume import PLANES
    from invscore.saving import METRICS
    from invscore.tasks import measured, noncartesian, task
    from invscore.tasks.sources import Source, find_many

    computed = fixed_precision(precision)
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
    keys = IMAGE_KEYS if simulated else MEASUREMENT_KEYS
    along = not simulated and spec.name == noncartesian.NAME and Path(source).is_file()
    many = None if along else find_many(source, part, keys)  # spokes are no stack of images
    if many is None and (workers != 1 or cluster is not None):
        raise ValueError(
            f"`workers` and `cluster` share many measurements: "
            f"--{'image' if simulated else 'measurement'} must be a folder, a pattern or a file "
            f"with a stack, got {source!r}"
        )
    report.check_folder(folder, overwrite=overwrite, mark=METRICS if many is None else INDEX)
    here = device_here("cpu" if cluster is not None else device)
    device = here if cluster is None else device
    network = open_prior(prior, here)
    spec = task.fit_operator(spec, complex_valued=network.complex)

    if level is None:
        level = SIMULATED if simulated else "auto"
    if calibrated is not None:
        setting = describe_setting(
            spec if simulated else measured.as_of_a_camera(spec),
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
    job = Job(
        op=op,
        spec=spec,
        prior=prior,
        simulated=simulated,
        noise=level,
        size=size,
        shape=None if shape is None else parse_shape(shape),
        part=part,
        method=method,
        options=options,
        samples=samples,
        scale=factor,
        batch_size=batch_size,
        memory=most,
        probes=probes,
        precision=computed,
        calibration=calibrated,
        figure=many is None,
        page=page,
        planes=cut or PLANES,
    )
    if many is not None:
        with open_engine(workers, cluster, tell=note) as engine:
            restore_many(job, many, network, engine, folder, seed=seed, device=device, as_json=json)
        return
    one = Source(Path(source).stem, source)
    single = job.task(one, network, seed=seed, device=device)
    with StepBar(method) as bar:
        result = job.reconstruct(single, network, seed=seed, on_step=bar, on_tile=bar)
    metrics = job.write(folder, one, single, result, device)
    if json:
        typer.echo(report.as_json(metrics))
    else:
        report.print_summary(metrics, folder)


def _one_source(
    image: str | None, measurement: str | None, size: int | None, shape: str | None
) -> str:
    """The image or the measurement, whichever is given, with the options that go with it."""
    source = measurement if image is None else image
    if source is None or (image is not None and measurement is not None):
        given = "neither" if source is None else "both"
        raise ValueError(f"one of `--image` and `--measurement` must be given, got {given}")
    if measurement is not None and size is not None:
        raise ValueError("--size changes an --image: a measurement is taken as it is")
    if image is not None and shape is not None:
        raise ValueError("--shape goes with --measurement: an --image has its own shape")
    return source


def _parse_noise(
    noise: str | None, *, simulated: bool, calibrated: bool
) -> Declared | Literal["auto"] | None:
    """The noise that is declared, of a kind that a simulation, or a calibration, can have."""
    level = parse_noise(noise)
    if simulated and level == "auto":
        raise ValueError("`noise` must be declared for an --image, which is measured with it")
    if calibrated and not isinstance(level, float | str | None):
        raise ValueError(
            "`noise` must be a standard deviation with --calibration, whose images were measured "
            f"with one, got {level}"
        )
    return level


def _given(ctx: typer.Context, name: str) -> bool:
    """Whether an option was written, rather than left to its default."""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
