"""The physics of deepinv that can be built without a network or a GPU, small."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch

Built = tuple[Any, Any]
"""A physics and the size of its images."""


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _kernel(*shape: int) -> torch.Tensor:
    kernel = torch.rand(1, 1, *shape, generator=_generator())
    return kernel / kernel.sum()


def _maps(*shape: int) -> torch.Tensor:
    return torch.randn(1, *shape, dtype=torch.complex64, generator=_generator())


def _mask(*shape: int) -> torch.Tensor:
    return (torch.rand(shape, generator=_generator()) < 0.5).float()


def _shots() -> torch.Tensor:
    return torch.pi * (2 * torch.rand(40, 2, generator=_generator()) - 1)


def physics() -> dict[str, Callable[[], Built]]:
    """Builders by name: the class, and what is particular after a comma."""
    from deepinv import physics as p
    from deepinv.transform import Rotate

    def virtual() -> Built:
        base = p.Inpainting((1, 8, 8), mask=0.5, rng=_generator())
        rotate = Rotate(n_trans=4, multiples=90, positive=True)
        parameters = rotate.get_params(torch.zeros(1, 1, 8, 8))
        first = next(iter(rotate.iterate_params(parameters)))
        return p.VirtualLinearPhysics(physics=base, transform=rotate, g_params=first), (1, 8, 8)

    def ultrasound() -> Built:
        elements = torch.stack([(torch.arange(8) - 3.5) * 3e-4, torch.zeros(8)], dim=-1)
        return p.UltrasoundPlaneWave(
            img_size=(8, 8),
            angles=torch.deg2rad(torch.linspace(-16.0, 16.0, 3)),
            element_positions=elements,
            n_samples=64,
            sampling_frequency=20e6,
            pixel_size=(1540.0 / 5e6 / 2, 1540.0 / 5e6 / 2),
        ), (1, 8, 8)

    def scattering() -> Built:
        angles = torch.linspace(0, 2 * torch.pi, 7)[:-1]
        circle = torch.stack([torch.cos(angles), torch.sin(angles)])
        return p.Scattering(
            img_width=8,
            receivers=circle[:, None].expand(2, 6, 6),
            transmitters=circle,
            solver_config=p.Scattering.SolverConfig(tol=1e-12, adjoint_state=False),
        ), (1, 8, 8)

    def linear(x: torch.Tensor, **_: Any) -> torch.Tensor:
        return x.cumsum(-1)[..., ::2]

    return {
        "Blur, valid": lambda: (p.Blur(_kernel(3, 4), padding="valid"), (3, 9, 8)),
        "Blur, circular": lambda: (p.Blur(_kernel(3, 4), padding="circular"), (3, 9, 8)),
        "Blur, reflect": lambda: (p.Blur(_kernel(3, 4), padding="reflect"), (1, 9, 8)),
        "Blur, replicate": lambda: (p.Blur(_kernel(3, 3), padding="replicate"), (1, 9, 8)),
        "Blur, constant": lambda: (p.Blur(_kernel(3, 3), padding="constant"), (1, 9, 8)),
        "Blur, volumes": lambda: (p.Blur(_kernel(3, 3, 2), padding="valid"), (1, 6, 5, 7)),
        "BlurFFT": lambda: (p.BlurFFT((2, 9, 8), filter=_kernel(3, 4)), None),
        "BlurFFT, odd width": lambda: (p.BlurFFT((1, 8, 9), filter=_kernel(3, 4)), None),
        "SpaceVaryingBlur": lambda: (
            p.SpaceVaryingBlur(
                filters=torch.stack([_kernel(3, 3), _kernel(3, 3).flip(-1)], dim=2),
                multipliers=torch.rand(1, 1, 2, 8, 9, generator=_generator()),
                padding="reflect",
            ),
            (1, 8, 9),
        ),
        "TiledSpaceVaryingBlur": lambda: (
            p.TiledSpaceVaryingBlur(
                filters=torch.rand(1, 1, 9, 3, 3, generator=_generator()),
                patch_size=(8, 8),
                stride=(4, 4),
            ),
            (1, 16, 16),
        ),
        "Downsampling, circular": lambda: (
            p.Downsampling((1, 12, 8), filter="gaussian"),
            (1, 12, 8),
        ),
        "Downsampling, valid": lambda: (
            p.Downsampling((1, 12, 8), filter="bilinear", padding="valid"),
            (1, 12, 8),
        ),
        "Downsampling, reflect": lambda: (
            p.Downsampling((3, 12, 8), filter="bicubic", padding="reflect"),
            (3, 12, 8),
        ),
        "Downsampling, no filter": lambda: (p.Downsampling((1, 12, 8), filter=None), (1, 12, 8)),
        "DownsamplingMatlab": lambda: (p.DownsamplingMatlab(factor=2), (1, 12, 8)),
        "Upsampling": lambda: (p.Upsampling((1, 12, 8), filter="bilinear"), (1, 6, 4)),
        "Decolorize": lambda: (p.Decolorize(), (3, 6, 5)),
        "Denoising": lambda: (p.Denoising(p.GaussianNoise(0.1)), (1, 6, 5)),
        "Demosaicing": lambda: (p.Demosaicing((3, 8, 6)), None),
        "Inpainting": lambda: (p.Inpainting((3, 8, 6), mask=0.5, rng=_generator()), None),
        "Inpainting, weights": lambda: (p.Inpainting((1, 4, 3), mask=torch.rand(1, 4, 3)), None),
        "CompressedSensing": lambda: (p.CompressedSensing(9, (1, 5, 4), rng=_generator()), None),
        "CompressedSensing, complex": lambda: (
            p.CompressedSensing(9, (1, 5, 4), dtype=torch.complex64, rng=_generator()),
            None,
        ),
        "StructuredRandom": lambda: (p.StructuredRandom((1, 8, 8), (1, 6, 6)), None),
        "SinglePixelCamera": lambda: (
            p.SinglePixelCamera(9, (1, 8, 8), rng=_generator()),
            None,
        ),
        "SinglePixelCamera, random": lambda: (
            p.SinglePixelCamera(9, (1, 8, 8), fast=False, rng=_generator()),
            None,
        ),
        "CompressiveSpectralImaging, ss": lambda: (
            p.CompressiveSpectralImaging((5, 9, 8), mode="ss", rng=_generator()),
            None,
        ),
        "CompressiveSpectralImaging, sd": lambda: (
            p.CompressiveSpectralImaging((5, 9, 8), mode="sd", rng=_generator()),
            None,
        ),
        "HyperSpectralUnmixing": lambda: (p.HyperSpectralUnmixing(E=3, C=5), (3, 6, 5)),
        "Pansharpen": lambda: (p.Pansharpen((3, 12, 8), use_brovey=False), (3, 12, 8)),
        "MRI": lambda: (p.MRI(mask=_mask(9, 8)), None),
        "MRI, volumes": lambda: (p.MRI(mask=_mask(1, 1, 4, 6, 5), three_d=True), (2, 4, 6, 5)),
        "MultiCoilMRI": lambda: (
            p.MultiCoilMRI(mask=_mask(9, 8), coil_maps=_maps(3, 9, 8)),
            (2, 9, 8),
        ),
        "MultiCoilMRI, volumes": lambda: (
            p.MultiCoilMRI(mask=_mask(4, 6, 5), coil_maps=_maps(3, 4, 6, 5), three_d=True),
            (2, 4, 6, 5),
        ),
        "DynamicMRI": lambda: (p.DynamicMRI(mask=_mask(1, 1, 3, 6, 5)), (2, 3, 6, 5)),
        "SequentialMRI": lambda: (p.SequentialMRI(mask=_mask(1, 1, 3, 6, 5)), (2, 6, 5)),
        "NonCartesianMRI": lambda: (
            p.NonCartesianMRI((2, 8, 8), num_shots=5, num_samples_per_shot=16),
            (2, 8, 8),
        ),
        "RadioInterferometry": lambda: (
            p.RadioInterferometry((8, 8), samples_loc=_shots().T),
            (1, 8, 8),
        ),
        "Tomography": lambda: (p.Tomography(angles=7, img_width=8), (1, 8, 8)),
        "Tomography, fan beam": lambda: (
            p.Tomography(angles=7, img_width=8, fan_beam=True),
            (1, 8, 8),
        ),
        "UltrasoundPlaneWave": ultrasound,
        "PtychographyLinearOperator": lambda: (
            p.PtychographyLinearOperator((1, 12, 12), shifts=torch.tensor([[0, 0], [2, 1]])),
            None,
        ),
        "VirtualLinearPhysics": virtual,
        "PhysicsCropper": lambda: (
            p.PhysicsCropper(p.Inpainting((1, 8, 8), mask=0.5, rng=_generator()), (2, 2)),
            (1, 10, 10),
        ),
        "LinearPhysicsMultiScaler": lambda: (
            p.LinearPhysicsMultiScaler(
                p.Inpainting((1, 16, 16), mask=0.5, rng=_generator()), (1, 16, 16), factors=(2,)
            ),
            None,
        ),
        "InpaintingMultiScaler": lambda: (
            p.InpaintingMultiScaler(
                p.Inpainting((1, 16, 16), mask=0.5, rng=_generator()), (1, 16, 16), factors=(2,)
            ),
            None,
        ),
        "BlurMultiScaler": lambda: (
            p.BlurMultiScaler(
                p.Blur(filter=_kernel(3, 3), padding="circular"), (1, 16, 16), factors=(2,)
            ),
            None,
        ),
        "BlurFFTMultiScaler": lambda: (
            p.BlurFFTMultiScaler(
                p.BlurFFT((1, 16, 16), filter=_kernel(3, 3)), (1, 16, 16), factors=(2,)
            ),
            None,
        ),
        "ComposedLinearPhysics": lambda: (
            p.compose(
                p.BlurFFT((1, 12, 8), filter=_kernel(3, 3)), p.Downsampling((1, 12, 8), filter=None)
            ),
            (1, 12, 8),
        ),
        "StackedLinearPhysics": lambda: (
            p.stack(
                p.BlurFFT((1, 12, 8), filter=_kernel(3, 3)), p.Downsampling((1, 12, 8), filter=None)
            ),
            None,
        ),
        "LinearPhysics": lambda: (p.LinearPhysics(A=linear, img_size=(1, 6, 8)), (1, 6, 8)),
        "Physics": lambda: (p.Physics(A=torch.tanh), (1, 6, 8)),
        "Haze": lambda: (p.Haze(), ((3, 5, 4), (1, 5, 4), (1, 1, 1))),
        "SinglePhotonLidar": lambda: (p.SinglePhotonLidar(bins=9), (3, 4, 5)),
        "SpatialUnwrapping": lambda: (p.SpatialUnwrapping(threshold=3.0), (1, 4, 5)),
        "Scattering": scattering,
        "PhaseRetrieval": lambda: (
            p.PhaseRetrieval(
                p.CompressedSensing(9, (1, 5, 4), dtype=torch.complex64, rng=_generator())
            ),
            (1, 5, 4),
        ),
        "RandomPhaseRetrieval": lambda: (
            p.RandomPhaseRetrieval(30, (1, 5, 4), rng=_generator()),
            (1, 5, 4),
        ),
        "StructuredRandomPhaseRetrieval": lambda: (
            p.StructuredRandomPhaseRetrieval((1, 6, 6), (1, 8, 8), n_layers=2),
            None,
        ),
        "Ptychography": lambda: (
            p.Ptychography((1, 12, 12), shifts=torch.tensor([[0, 0], [2, 1]])),
            (1, 12, 12),
        ),
        "StackedPhysics": lambda: (
            p.stack(p.SpatialUnwrapping(threshold=3.0), p.Physics(A=torch.tanh)),
            (1, 4, 5),
        ),
    }


def build(name: str) -> Built:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return physics()[name]()
