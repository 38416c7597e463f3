"""The time of our operators against the libraries that have them, on the same input.

    python examples/benchmarks/operators.py

Beside deepinv, and ASTRA, SigPy and mri-nufft where they are installed; forward and adjoint. Each
time is the least processor time of interleaved repeats on one thread; a ratio below one means that
ours is faster. Differences are relative to the largest number, up to a factor for all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import numpy as np
import torch
from deepinv import physics
from torch import Tensor

from invscore.operators import MRI, Blur, CoilMaps, FanBeam, Inpainting, NonCartesianMRI, Tomography
from invscore.operators.coils import birdcage_maps
from invscore.operators.kernels import gaussian_kernel
from invscore.operators.noncartesian import radial_trajectory

SIZE = 256
REPEATS, SECONDS = 200, 4.0
"""Of each pair of calls, whichever is reached first, but three times at least."""

VIEWS, COILS, SPOKES = 90, 8, 64

Case = tuple[str, Callable[[], Tensor], Callable[[], Tensor]]


def main() -> None:
    torch.set_num_threads(1)
    print("| operator | beside | ours, ms | theirs, ms | ratio | difference |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    pairs = [(library, case) for batch in (1, 8) for library, case in of_deepinv(batch)]
    for library, cases in (("astra", of_astra), ("sigpy", of_sigpy), ("mrinufft", of_mri_nufft)):
        if find_spec(library) is not None:
            pairs += [(library, case) for case in cases()]
    for library, (name, ours, theirs) in pairs:
        own, other = least(ours, theirs)
        found, expected = as_channels(ours()).flatten(), as_channels(theirs()).flatten()
        factor = (found @ expected) / (expected @ expected)
        error = float((found - factor * expected).abs().max() / found.abs().max())
        cells = (f"{own:.2f}", f"{other:.2f}", f"{own / other:.2f}", f"{error:.0e}")
        print(f"| {name} | {library} | {' | '.join(cells)} |", flush=True)


def as_channels(x: Tensor) -> Tensor:
    """A complex image as deepinv has it: two real channels."""
    if not x.is_complex():
        return x
    return torch.view_as_real(x[:, 0]).movedim(-1, 1).contiguous()


@torch.no_grad()
def least(ours: Callable[[], Tensor], theirs: Callable[[], Tensor]) -> tuple[float, float]:
    """Milliseconds of processor time a call, the least of several."""
    best = [float("inf"), float("inf")]
    began = time.process_time()
    for repeat in range(REPEATS):
        for place, function in enumerate((ours, theirs)):
            start = time.process_time()
            function()
            best[place] = min(best[place], 1e3 * (time.process_time() - start))
        if repeat >= 2 and time.process_time() - began > SECONDS:
            break
    return best[0], best[1]


def of_deepinv(batch: int) -> list[tuple[str, Case]]:
    """The same operator on both sides, forward and adjoint."""
    shape = (1, SIZE, SIZE)
    x = torch.rand(batch, *shape)
    z = torch.randn(batch, *shape, dtype=torch.complex64)
    channels = as_channels(z)

    kernel = gaussian_kernel(3.0, 61)
    blur = Blur(kernel, shape)
    their_blur = physics.BlurFFT(img_size=shape, filter=kernel[None, None].float())

    hole = Inpainting.random(shape)
    their_hole = physics.Inpainting(img_size=shape, mask=hole.measured.float())

    mri = MRI.random(shape)
    their_mri = physics.MRI(mask=mri.measured[0].float(), img_size=(2, SIZE, SIZE))

    pairs: list[Case] = [
        ("blur", lambda: blur(x), lambda: their_blur.A(x)),
        ("blur, adjoint", lambda: blur.rmatvec(x), lambda: their_blur.A_adjoint(x)),
        ("inpainting", lambda: hole(x), lambda: their_hole.A(x)),
        ("inpainting, adjoint", lambda: hole.rmatvec(x), lambda: their_hole.A_adjoint(x)),
        ("mri", lambda: mri(z), lambda: their_mri.A(channels)),
        ("mri, adjoint", lambda: mri.rmatvec(z), lambda: their_mri.A_adjoint(channels)),
    ]
    return [("deepinv", (f"{name}, batch {batch}", *both)) for name, *both in pairs]


def of_astra() -> Iterator[Case]:
    """Projections and back-projections of one image, parallel rays and a fan."""
    import astra

    side = 1.0 / SIZE
    shape, angles = (1, SIZE, SIZE), np.linspace(0, np.pi, VIEWS, endpoint=False)
    x = torch.rand(1, *shape)
    volume = astra.create_vol_geom(SIZE, SIZE, -0.5, 0.5, -0.5, 0.5)
    parallel = Tomography(VIEWS, shape)
    fan = FanBeam(VIEWS, shape, source_distance=2.0, detector_distance=1.0)
    beams = (
        (
            "parallel beam",
            "linear",
            parallel,
            astra.create_proj_geom("parallel", side, parallel.out_shape[-1], angles),
        ),
        (
            "fan beam",
            "line_fanflat",
            fan,
            astra.create_proj_geom("fanflat", 1.5 * side, fan.out_shape[-1], 2 * angles, 2.0, 1.0),
        ),
    )
    for name, kind, ours, geometry in beams:
        theirs = astra.OpTomo(astra.create_projector(kind, geometry, volume))
        image, y = x.numpy().ravel(), ours(x)
        rays = y.numpy().ravel()
        yield (
            f"{name}, {VIEWS} views",
            lambda a=ours: a(x),
            lambda a=theirs, i=image: torch.from_numpy(a.FP(i.reshape(SIZE, SIZE))),
        )
        yield (
            f"{name}, adjoint",
            lambda a=ours, y=y: a.rmatvec(y),
            lambda a=theirs, r=rays, s=y.shape[-2:]: torch.from_numpy(a.BP(r.reshape(s))),
        )


def of_sigpy() -> Iterator[Case]:
    """Coils on a grid."""
    from sigpy.mri.linop import Sense

    maps = birdcage_maps(COILS, SIZE, SIZE)
    mask = MRI.random((1, SIZE, SIZE)).measured[0]
    ours = MRI(mask, (COILS, SIZE, SIZE)) @ CoilMaps(maps)
    theirs = Sense(maps.numpy(), weights=mask.float().numpy())
    x = torch.randn(1, 1, SIZE, SIZE, dtype=torch.complex64)
    y = ours(x)
    yield (
        f"mri of {COILS} coils",
        lambda: torch.view_as_real(ours(x)),
        lambda: torch.view_as_real(torch.from_numpy(theirs(x[0, 0].numpy()))),
    )
    yield (
        f"mri of {COILS} coils, adjoint",
        lambda: torch.view_as_real(ours.rmatvec(y)),
        lambda: torch.view_as_real(torch.from_numpy(theirs.H(y[0].numpy()))),
    )


def of_mri_nufft() -> Iterator[Case]:
    """Coils along spokes."""
    import mrinufft

    maps, omega = birdcage_maps(COILS, SIZE, SIZE), radial_trajectory(SPOKES, SIZE)
    ours = NonCartesianMRI(omega, maps)
    theirs = mrinufft.get_operator("finufft")(
        (omega.T / (2 * np.pi)).float().numpy(), (SIZE, SIZE), n_coils=COILS, smaps=maps.numpy()
    )
    x = torch.randn(1, 1, SIZE, SIZE, dtype=torch.complex64)
    y = ours(x)
    yield (
        f"{SPOKES} spokes, {COILS} coils",
        lambda: torch.view_as_real(ours(x)),
        lambda: torch.view_as_real(torch.from_numpy(theirs.op(x[0, 0].numpy()))),
    )
    yield (
        f"{SPOKES} spokes, {COILS} coils, adjoint",
        lambda: torch.view_as_real(ours.rmatvec(y)),
        lambda: torch.view_as_real(torch.from_numpy(np.asarray(theirs.adj_op(y[0].numpy())))),
    )


if __name__ == "__main__":
    main()
