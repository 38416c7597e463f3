"""Every operator, built in or made by the algebra, keeps the contract."""

import pytest
import torch

from invscore.operators import (
    MRI,
    Blur,
    CameraBlur,
    CoilMaps,
    CompressedSensing,
    FanBeam,
    HighDynamicRange,
    Identity,
    Inpainting,
    Lensless,
    Mosaic,
    Operator,
    PhaseRetrieval,
    RealImages,
    SeparableOperator,
    Slicewise,
    SuperResolution,
    Tomography,
    VolumeBlur,
    check_operator,
    from_function,
    from_matrix,
    from_scipy,
    jacobian,
    stack,
    to_scipy,
)
from invscore.operators.real_images import of_real_images

generator = torch.Generator().manual_seed(0)
kernel = torch.rand(5, 4, dtype=torch.float64, generator=generator)
matrix = torch.randn(4, 6, dtype=torch.float64, generator=generator)
complex_matrix = torch.randn(6, 4, dtype=torch.complex128, generator=generator)
point = torch.rand(1, 1, 4, 5, generator=generator)

coil_maps = torch.randn(3, 9, 12, dtype=torch.complex128, generator=generator)

circular = Blur(kernel, (2, 9, 12))
reflect = Blur(kernel, (1, 9, 12), boundary="reflect")
valid = Blur(kernel, (1, 9, 12), boundary="valid")
decimation = SuperResolution(3, (1, 9, 12))
holes = Inpainting.random((1, 9, 12), keep=0.5)
mri = MRI.random((1, 9, 12), acceleration=2)
real_mri = MRI.gaussian((1, 9, 12), acceleration=2, real=True)
squares = from_function(lambda x: x**2 + x, (1, 4, 5), linear=False)
phases = from_function(lambda x: torch.exp(1j * x), (1, 4, 5), linear=False, out_complex=True)
intensity = from_function(
    lambda x: torch.fft.fft2(x).abs() ** 2, (1, 4, 5), linear=False, in_complex=True
)

OPERATORS: dict[str, Operator] = {
    "identity": Identity((2, 4, 5)),
    "complex identity": Identity((1, 4, 5), complex=True),
    "circular blur": circular,
    "circular blur, odd width": Blur(kernel, (1, 8, 11)),
    "gaussian blur": Blur.gaussian(1.2, (1, 16, 16)),
    "reflect blur": reflect,
    "reflect blur, whole kernel": Blur(kernel, (1, 5, 4), boundary="reflect"),
    "reflect blur, mirrored kernel": Blur.gaussian(1.2, (2, 12, 9), boundary="reflect"),
    "valid blur": valid,
    "lensless": Lensless(kernel, (2, 6, 7)),
    "lensless, another sensor": Lensless(kernel, (1, 6, 7), (8, 3)),
    "motion blur": Blur.motion(5, 30, (1, 9, 11), boundary="reflect"),
    "disk blur": Blur.disk(1.7, (1, 8, 8)),
    "diffraction": Blur.airy(0.7, (1, 16, 17)),
    "seeing": Blur.moffat(1.5, (1, 16, 17), 2.5, "reflect"),
    "random inpainting": Inpainting.random((3, 6, 7)),
    "box inpainting": Inpainting.box((1, 6, 7), size=3),
    "bicubic super-resolution": decimation,
    "box super-resolution": SuperResolution(2, (3, 8, 6), kernel="box"),
    "gaussian super-resolution": SuperResolution(4, (1, 8, 12), kernel="gaussian"),
    "separable": SeparableOperator(matrix, matrix[:, :3], (1, 6, 3)),
    "mri": mri,
    "mri, even": MRI.equispaced((1, 8, 12), acceleration=2),
    "mri, two-dimensional mask": MRI(torch.rand(7, 7, generator=generator) < 0.4),
    "mri of frames": MRI(torch.rand(3, 8, 7, generator=generator) < 0.4),
    "real mri of frames": MRI(torch.rand(3, 8, 7, generator=generator) < 0.4, real=True),
    "mri of a volume": MRI.random((2, 3, 8, 7), acceleration=2),
    "mri of a volume, masks of slices": MRI(
        torch.rand(3, 8, 7, generator=generator) < 0.4, (2, 3, 8, 7)
    ),
    "real mri of a volume": MRI(
        torch.rand(3, 8, 7, generator=generator) < 0.4, (2, 3, 8, 7), real=True
    ),
    "inpainting of a volume": Inpainting(
        torch.rand(3, 6, 7, generator=generator) < 0.5, (2, 3, 6, 7)
    ),
    "real images": RealImages((1, 4, 5)),
    "mri of real images": mri @ RealImages(mri.in_shape),
    "intensity of real images": of_real_images(intensity),
    "slicewise circular blur": Slicewise(circular, 3),
    "slicewise valid blur": Slicewise(valid, 2),
    "slicewise super-resolution": Slicewise(decimation, 3),
    "slicewise mri": Slicewise(MRI.random((2, 8, 12), acceleration=2), 3),
    "slicewise real mri": Slicewise(real_mri, 3),
    "slicewise inpainting": Slicewise(Inpainting.random((3, 6, 7)), 4),
    "slicewise compressed sensing": Slicewise(CompressedSensing((1, 4, 5), ratio=0.5), 3),
    "slicewise tomography": Slicewise(Tomography(4, (1, 8, 8)), 2),
    "coil maps of a volume": CoilMaps(coil_maps[:, None].expand(-1, 2, -1, -1)),
    "coil maps of frames": CoilMaps(coil_maps, real=True, depth=2),
    "coil maps": CoilMaps(coil_maps),
    "coil maps, real images": CoilMaps(coil_maps, real=True),
    "mri of several coils": MRI.random((3, 9, 12), acceleration=2) @ CoilMaps(coil_maps),
    "real mri": real_mri,
    "real mri, even": MRI.random((1, 8, 12), acceleration=3, real=True),
    "real mri, two-dimensional mask": MRI(torch.rand(8, 7, generator=generator) < 0.4, real=True),
    "shaken camera": Blur.shake((2, 9, 12), size=9),
    "camera blur": CameraBlur(kernel / kernel.sum(), (2, 9, 12), exposure=1.5),
    "valid camera blur": CameraBlur(kernel / kernel.sum(), (1, 9, 12), boundary="valid"),
    "high dynamic range": HighDynamicRange((3, 4, 5)),
    "phase retrieval": PhaseRetrieval((2, 8, 11)),
    "phase retrieval, no zeros": PhaseRetrieval((1, 6, 5), oversampling=0),
    "phase retrieval, intensity": PhaseRetrieval((1, 8, 8), squared=True),
    "phase retrieval, complex": PhaseRetrieval((1, 8, 9), complex=True),
    "tomography": Tomography(7, (2, 12, 12)),
    "limited-angle tomography": Tomography(5, (1, 9, 14), span=60),
    "tomography, few detectors": Tomography([-10.0, 45.0, 90.0], (1, 14, 9), detectors=6),
    "tomography in millimetres": Tomography(
        5, (1, 9, 12), 17, pixel=0.4, detector_pixel=0.3, center=6.3
    ),
    "fan beam": FanBeam(7, (2, 12, 9), source_distance=2.0, detector_distance=1.0),
    "fan beam, close source": FanBeam(
        [-20.0, 31.0, 200.0], (1, 9, 12), 11, source_distance=8, pixel=1.0, center=4.2
    ),
    "bayer mosaic": Mosaic.bayer("RGGB", (3, 7, 8)),
    "mosaic of responses": Mosaic(torch.rand(4, 3, 2, generator=generator), (4, 7, 5)),
    "coded aperture": Mosaic.coded_aperture(torch.rand(6, 7, generator=generator) < 0.5, 4, 2),
    "volume blur": VolumeBlur(torch.rand(3, 4, 2, generator=generator), (2, 5, 6, 7)),
    "valid volume blur": VolumeBlur(
        torch.rand(3, 4, 2, generator=generator), (1, 5, 6, 7), boundary="valid"
    ),
    "compressed sensing": CompressedSensing((3, 7, 10), ratio=0.4),
    "compressed sensing, everything": CompressedSensing((1, 8, 8), ratio=1.0),
    "jacobian of a camera": jacobian(HighDynamicRange((1, 4, 5)), point),
    "product with tomography": Tomography(4, (1, 9, 12)) @ reflect,
    "wide matrix": from_matrix(matrix, in_shape=(1, 2, 3)),
    "tall matrix": from_matrix(matrix.T, out_shape=(2, 3)),
    "complex matrix": from_matrix(complex_matrix),
    "linear function": from_function(lambda x: 2 * x.flip(-1)[..., :3], (1, 4, 5)),
    "real to complex function": from_function(torch.fft.fft2, (1, 4, 5), out_complex=True),
    "function and adjoint": from_function(
        lambda x: x.cumsum(-1), (5,), adjoint=lambda y: y.flip(-1).cumsum(-1).flip(-1)
    ),
    "scipy": from_scipy(to_scipy(circular), circular.in_shape, circular.out_shape),
    "nonlinear function": squares,
    "nonlinear function, real to complex": phases,
    "nonlinear function, complex to real": intensity,
    "nonlinear function, complex and not holomorphic": from_function(
        lambda x: x * x.abs(), (1, 4, 5), linear=False, in_complex=True, out_complex=True
    ),
    "multiple": 2 * circular,
    "multiple of a blur without svd": -0.5 * reflect,
    "adjoint": reflect.H,
    "adjoint of real to complex": real_mri.H,
    "product": decimation @ holes,
    "product of three": valid @ holes @ reflect,
    "product with a unitary": mri.H @ mri @ Identity((1, 9, 12), complex=True),
    "sum": reflect + holes,
    "negative": -decimation,
    "stack": stack([decimation, holes, valid]),
    "complex stack": stack([mri, 2 * mri]),
    "jacobian": jacobian(squares, point),
    "jacobian, real to complex": jacobian(phases, point),
    "jacobian, complex to real": jacobian(intensity, point.to(torch.complex64)),
    "jacobian of a linear operator": jacobian(valid, point),
    "multiple of a jacobian": 3 * jacobian(squares, point),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operator_keeps_the_contract(name: str) -> None:
    report = check_operator(OPERATORS[name], seed=1)
    assert report.ok, str(report)


def test_modules_are_named_after_the_package() -> None:
    assert Blur.__module__ == "invscore.operators.blur"
