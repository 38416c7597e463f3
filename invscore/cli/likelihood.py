"""``invscore likelihood``: how likely images are under a prior."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from invscore.cli.arguments import Debug, Device, Json
from invscore.cli.errors import guarded
from invscore.cli.sample import PRIOR

if TYPE_CHECKING:
    from torch import Tensor

    from invscore.priors import Prior


@guarded
def likelihood(
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGES", help="Files, or samples of scikit-image."),
    ],
    prior: Annotated[str, typer.Option(metavar="NAME|FILE", help=PRIOR)],
    size: Annotated[
        int | None, typer.Option(metavar="N", help="Shrink and crop the images to N x N pixels.")
    ] = None,
    probes: Annotated[
        int,
        typer.Option(metavar="N", help="Random vectors for the trace: more are more precise."),
    ] = 4,
    exact: Annotated[
        bool,
        typer.Option(
            "--exact", metavar="", help="The exact trace: as many products as an image has pixels."
        ),
    ] = False,
    steps: Annotated[
        int | None,
        typer.Option(metavar="N", help="Equal steps instead of those that a tolerance needs."),
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option(metavar="TOL", help="Error of a step, in noise levels and in nats a number."),
    ] = 1e-3,
    seed: Annotated[int, typer.Option(metavar="K", help="Seed of all randomness.")] = 0,
    device: Device = "auto",
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Log-likelihood of images under a prior, in nats and in bits a number.

    Images of 8 bits are spread over the cells of their values first: their bits bound from above
    what a code without loss needs.
    """
    if seed < 0:
        raise ValueError(f"`seed` must be a whole number of at least 0, got {seed}")

    # Heavy imports wait until the command line is understood.
    from invscore.cli.devices import device_here
    from invscore.cli.loading import open_prior
    from invscore.cli.progress import StepBar
    from invscore.cli.tables import print_json, print_table
    from invscore.sampling import log_likelihood

    device = device_here(device)
    network = open_prior(prior, device)
    loaded = {name: _load(name, size, network, prior, seed) for name in images}
    rows: list[dict[str, Any]] = []

    def on_step(index: int, done: int, total: int) -> None:
        bar(index * total + done, len(loaded) * total)

    with StepBar("likelihood") as bar:
        for index, (name, image) in enumerate(loaded.items()):
            found = log_likelihood(
                network,
                image[None].to(device),
                probes=None if exact else probes,
                steps=steps,
                tolerance=tolerance,
                rng=seed,
                on_step=partial(on_step, index),
            )
            stderr = float(found.stderr)
            rows.append(
                {
                    "image": name,
                    "shape": list(image.shape),
                    "nats": float(found.nats),
                    "stderr": None if stderr != stderr else stderr,
                    "bits_per_dimension": float(found.bits_per_dimension),
                    "evaluations": int(found.evaluations),
                }
            )
    if json:
        print_json(
            {"prior": prior, "exact": exact, "probes": None if exact else probes, "rows": rows}
        )
        return
    print_table(
        ("image", "nats", "standard error", "bits/dim", "evaluations"),
        [
            (
                row["image"],
                f"{row['nats']:.1f}",
                "" if row["stderr"] is None else f"{row['stderr']:.1f}",
                f"{row['bits_per_dimension']:.3f}",
                f"{row['evaluations']}",
            )
            for row in rows
        ],
    )


def _load(name: str, size: int | None, network: Prior, prior: str, seed: int) -> Tensor:
    """An image (c, h, w) that the prior takes, dequantised where it has 8 bits."""
    import torch

    from invscore.images import crop_and_shrink, load_image
    from invscore.sampling import dequantise
    from invscore.sampling.density import CELLS

    image = load_image(name)
    if size is not None:
        image = crop_and_shrink(image, size)
    if len(image) != network.channels or image.is_complex() != network.complex:
        kinds = ["complex" if c else "real" for c in (network.complex, image.is_complex())]
        raise ValueError(
            f"prior {prior!r} takes {kinds[0]} images of {network.channels} channels: {name!r} is "
            f"{kinds[1]} and has {len(image)}"
        )
    if image.is_complex() or not torch.allclose(CELLS * image, (CELLS * image).round(), atol=1e-3):
        return image
    return dequantise(image[None], seed)[0]
