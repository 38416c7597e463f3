"""Operators of ours beside the same in the library that has them, for ``operators.py``.

A function for each library yields names and two functions without arguments, whose results are the
same numbers, up to a factor for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from deepinv import physics
from scipy.signal import fftconvolve
from torch import Tensor

from invscore.operators import (
    MRI,
    Blur,
    CoilMaps,
    FanBeam,
    Inpainting,
    Interferometer,
    Lensless,
    Mosaic,
    NonCartesianMRI,
    Tomography,
    VolumeBlur,
    from_deepinv,
    from_pylops,
    from_rtk,
)
from invscore.operators.coils import birdcage_maps
from invscore.operators.kernels import gaussian_kernel
from invscore.operators.noncartesian import radial_trajectory

SIZE, VIEWS, COILS, SPOKES = 256, 90, 8, 64

Case = tuple[str, Callable[[], Tensor], Callable[[], Tensor]]


def as_channels(x: Tensor) -> Tensor:
    """Complex images as deepinv has them: real and imaginary parts before channels or coils."""
    return torch.view_as_real(x).movedim(-1, 1).contiguous() if x.is_complex() else x


def of_deepinv() -> Iterator[Case]:
    """The same operator on both sides, of one image and of eight; and what adapting one costs."""
    for batch in (1, 8):
        for name, ours, theirs in of_batches(batch):
            yield f"{name}, batch {batch}", ours, theirs
    yield from of_adapted_physics()


def of_batches(batch: int) -> list[Case]:
    """Blurs, masks, mosaics and MRI, forward and adjoint."""
    shape = (1, SIZE, SIZE)
    x = torch.rand(batch, *shape)
    z = torch.randn(batch, *shape, dtype=torch.complex64)
    channels = as_channels(z)[:, :, 0]

    kernel = gaussian_kernel(3.0, 61)
    blur = Blur(kernel, shape)
    their_blur = physics.BlurFFT(img_size=shape, filter=kernel[None, None].float())

    hole = Inpainting.random(shape)
    their_hole = physics.Inpainting(img_size=shape, mask=hole.measured.float())

    mri = MRI.random(shape)
    their_mri = physics.MRI(mask=mri.measured[0].float(), img_size=(2, SIZE, SIZE))

    valid = Blur(kernel[15:46, 15:46], shape, boundary="valid")
    small = kernel[None, None, 15:46, 15:46].float() / kernel[15:46, 15:46].sum().float()
    their_valid = physics.Blur(filter=small, padding="valid", use_fft=True)
    narrow = valid(x)

    bayer, their_bayer = (3, SIZE, SIZE), physics.Demosaicing(img_size=(3, SIZE, SIZE))
    mosaic, colours = Mosaic.bayer("BGGR", bayer), torch.rand(batch, *bayer)
    sensor = mosaic(colours)
    their_sensor = their_bayer.A(colours)

    return [
        ("blur", lambda: blur(x), lambda: their_blur.A(x)),
        ("blur, adjoint", lambda: blur.rmatvec(x), lambda: their_blur.A_adjoint(x)),
        ("inpainting", lambda: hole(x), lambda: their_hole.A(x)),
        ("inpainting, adjoint", lambda: hole.rmatvec(x), lambda: their_hole.A_adjoint(x)),
        ("mri", lambda: mri(z), lambda: their_mri.A(channels)),
        ("mri, adjoint", lambda: mri.rmatvec(z), lambda: their_mri.A_adjoint(channels)),
        ("blur, valid", lambda: valid(x), lambda: their_valid.A(x)),
        (
            "blur, valid, adjoint",
            lambda: valid.rmatvec(narrow),
            lambda: their_valid.A_adjoint(narrow),
        ),
        ("mosaic", lambda: mosaic(colours), lambda: their_bayer.A(colours).sum(1, keepdim=True)),
        (
            "mosaic, adjoint",
            lambda: mosaic.rmatvec(sensor),
            lambda: their_bayer.A_adjoint(their_sensor),
        ),
    ]


def of_adapted_physics() -> Iterator[Case]:
    """What from_deepinv adds to deepinv's own time."""
    made = {
        "from_deepinv(Tomography)": (physics.Tomography(VIEWS, SIZE, normalize=False), 1),
        "from_deepinv(SinglePixelCamera)": (
            physics.SinglePixelCamera(SIZE**2 // 4, (1, SIZE, SIZE)),
            1,
        ),
        "from_deepinv(MultiCoilMRI)": (
            physics.MultiCoilMRI(
                mask=torch.ones(1, 1, SIZE, SIZE),
                coil_maps=birdcage_maps(COILS, SIZE, SIZE)[None],
                img_size=(2, SIZE, SIZE),
            ),
            2,
        ),
    }
    for name, (theirs, channels) in made.items():
        ours, _ = from_deepinv(theirs, (channels, SIZE, SIZE))
        x = torch.rand(1, channels, SIZE, SIZE)
        image, y = ours.image.to_ours(x), theirs.A(x)
        seen = ours.measurement.to_ours(y)
        yield (
            name,
            lambda a=ours, i=image: a(i),
            lambda p=theirs, i=x: p.A(i),
        )
        yield (
            f"{name}, adjoint",
            lambda a=ours, s=seen: a.rmatvec(s),
            lambda p=theirs, s=y: p.A_adjoint(s),
        )


def of_scipy() -> Iterator[Case]:
    """Whole convolutions of which a sensor sees the middle, and stacks with nothing around."""
    image, point = torch.rand(1, 1, SIZE // 2, SIZE // 2), torch.rand(SIZE, SIZE)
    lensless = Lensless(point, (1, SIZE // 2, SIZE // 2))
    scene, kernel, edge = image[0, 0].numpy(), point.numpy(), SIZE // 4
    rows = slice(edge - 1, edge - 1 + SIZE)
    y = lensless(image)
    turned, raw = kernel[::-1, ::-1].copy(), y[0, 0].numpy()
    light = np.zeros((SIZE + SIZE // 2 - 1,) * 2, np.float32)

    def backward() -> Tensor:
        light[rows, rows] = raw
        return torch.from_numpy(fftconvolve(light, turned, mode="valid"))

    yield (
        "lensless",
        lambda: lensless(image),
        lambda: torch.from_numpy(fftconvolve(scene, kernel, mode="full")[rows, rows]),
    )
    yield "lensless, adjoint", lambda: lensless.rmatvec(y), backward

    volume, psf = torch.rand(1, 1, 32, 96, 96), torch.rand(9, 15, 15)
    blur = VolumeBlur(psf, (1, 32, 96, 96), boundary="valid")
    stack, spread = volume[0, 0].numpy(), psf.numpy()
    seen = blur(volume)
    mirrored, below = spread[::-1, ::-1, ::-1].copy(), seen[0, 0].numpy()
    yield (
        "volume blur, valid",
        lambda: blur(volume),
        lambda: torch.from_numpy(fftconvolve(stack, spread, mode="valid")),
    )
    yield (
        "volume blur, valid, adjoint",
        lambda: blur.rmatvec(seen),
        lambda: torch.from_numpy(fftconvolve(below, mirrored, mode="full")),
    )


def of_finufft() -> Iterator[Case]:
    """Visibilities: FINUFFT's plans, whose points are set once."""
    import finufft

    uv = 1e4 * torch.randn(2, 20000, dtype=torch.float64).clamp(-2, 2)
    ours = Interferometer(uv, (1, SIZE, SIZE), pixel=4.0)
    east, north = 2 * np.pi * np.deg2rad(4.0 / 3600) * uv.numpy()
    points = [np.ascontiguousarray(each, np.float32) for each in (north, -east)]
    plans = {
        kind: finufft.Plan(kind, (SIZE, SIZE), eps=1e-6, isign=sign, dtype="complex64")
        for kind, sign in ((2, -1), (1, 1))
    }
    for plan in plans.values():
        plan.setpts(*points)
    x = torch.rand(1, 1, SIZE, SIZE)
    y = ours(x)
    sky, seen = x[0, 0].numpy().astype(np.complex64), y[0, 0].numpy()
    yield (
        "interferometer, 20000 visibilities",
        lambda: torch.view_as_real(ours(x)),
        lambda: torch.view_as_real(torch.from_numpy(plans[2].execute(sky))),
    )
    yield (
        "interferometer, adjoint",
        lambda: ours.rmatvec(y),
        lambda: torch.from_numpy(plans[1].execute(seen).real),
    )


def of_rtk() -> Iterator[Case]:
    """A cone beam: RTK's projectors, what is projected an image of ITK that is made once."""
    import itk
    from itk import RTK

    side, views, detector = 48, 30, (64, 64)
    geometry = RTK.ThreeDCircularProjectionGeometry.New()
    for angle in np.linspace(0, 360, views, endpoint=False):
        geometry.AddProjection(500.0, 800.0, float(angle))
    ours = from_rtk(geometry, (1, side, side, side), detector, voxel=1.0, detector_pixel=1.6)
    x = torch.rand(1, 1, side, side, side)
    y = ours(x)

    def image(values: np.ndarray, spacing: list[float], centred: int) -> Any:
        made = itk.image_from_array(np.ascontiguousarray(values))
        made.SetSpacing(spacing)
        middle = [-(n - 1) / 2 * s for n, s in zip(values.shape[::-1], spacing, strict=True)]
        made.SetOrigin(middle[:centred] + [0.0] * (3 - centred))
        return made

    volume = image(x[0, 0].numpy().transpose(1, 0, 2), [1.0] * 3, 3)
    stack = image(y[0].numpy(), [1.6, 1.6, 1.0], 2)
    empty = {
        "Forward": lambda: image(np.zeros((views, *detector), np.float32), [1.6, 1.6, 1.0], 2),
        "Back": lambda: image(np.zeros((side,) * 3, np.float32), [1.0] * 3, 3),
    }

    def run(kind: str, given: Any) -> np.ndarray:
        kinds = itk.Image[itk.F, 3]
        made = getattr(RTK, f"Joseph{kind}ProjectionImageFilter")[kinds, kinds].New()
        made.SetGeometry(geometry)
        made.SetInput(0, empty[kind]())  # which the result takes over
        made.SetInput(1, given)
        made.Update()
        return np.asarray(itk.array_from_image(made.GetOutput()))

    yield (
        f"cone beam, {views} views of {side}^3",
        lambda: ours(x),
        lambda: torch.from_numpy(run("Forward", volume)),
    )
    yield (
        "cone beam, adjoint",
        lambda: ours.rmatvec(y),
        lambda: torch.from_numpy(run("Back", stack).transpose(1, 0, 2)),
    )


def of_pylops() -> Iterator[Case]:
    """What from_pylops adds to PyLops' own time."""
    import pylops

    theirs = pylops.signalprocessing.Convolve2D(
        (SIZE, SIZE), np.ones((9, 9), np.float32), offset=(4, 4), dtype="float32"
    )
    ours = from_pylops(theirs)
    x = torch.rand(1, 1, SIZE, SIZE)
    flat = x.numpy().ravel()
    yield "from_pylops(Convolve2D)", lambda: ours(x), lambda: torch.from_numpy(theirs.matvec(flat))
    yield (
        "from_pylops(Convolve2D), adjoint",
        lambda: ours.rmatvec(x),
        lambda: torch.from_numpy(theirs.rmatvec(flat)),
    )


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


BESIDE: dict[str, Callable[[], Iterator[Case]]] = {
    "deepinv": of_deepinv,
    "scipy": of_scipy,
    "astra": of_astra,
    "sigpy": of_sigpy,
    "mrinufft": of_mri_nufft,
    "finufft": of_finufft,
    "itk": of_rtk,
    "pylops": of_pylops,
}
