"""Forward models ``y = A(x)``: the contract, its algebra and the built-in operators."""

from invscore.operators.adapters import (
    from_deepinv,
    from_finufft,
    from_mri_nufft,
    from_odl,
    from_pylops,
    from_rtk,
    from_scico,
    from_scipy,
    from_sigpy,
    from_torchkbnufft,
    to_scipy,
)
from invscore.operators.base import LinearOperator, NonlinearOperator, Operator, SpectralOperator
from invscore.operators.blur import Blur
from invscore.operators.camera import CameraBlur, HighDynamicRange
from invscore.operators.check import check_operator
from invscore.operators.coils import CoilMaps
from invscore.operators.compressed import CompressedSensing
from invscore.operators.fan_beam import FanBeam
from invscore.operators.functions import from_function
from invscore.operators.identity import Identity
from invscore.operators.inpainting import Inpainting
from invscore.operators.interferometry import Interferometer
from invscore.operators.lensless import Lensless
from invscore.operators.linearised import jacobian
from invscore.operators.matrix import from_matrix
from invscore.operators.mosaic import Mosaic
from invscore.operators.mri import MRI
from invscore.operators.noncartesian import NonCartesianMRI
from invscore.operators.phase import PhaseRetrieval
from invscore.operators.real_images import RealImages
from invscore.operators.separable import SeparableOperator
from invscore.operators.slicewise import Slicewise
from invscore.operators.stacked import stack
from invscore.operators.superresolution import SuperResolution
from invscore.operators.svd import SVD
from invscore.operators.tomography import Tomography
from invscore.operators.volume_blur import VolumeBlur

__all__ = [
    "MRI",
    "SVD",
    "Blur",
    "CameraBlur",
    "CoilMaps",
    "CompressedSensing",
    "FanBeam",
    "HighDynamicRange",
    "Identity",
    "Inpainting",
    "Interferometer",
    "Lensless",
    "LinearOperator",
    "Mosaic",
    "NonCartesianMRI",
    "NonlinearOperator",
    "Operator",
    "PhaseRetrieval",
    "RealImages",
    "SeparableOperator",
    "Slicewise",
    "SpectralOperator",
    "SuperResolution",
    "Tomography",
    "VolumeBlur",
    "check_operator",
    "from_deepinv",
    "from_finufft",
    "from_function",
    "from_matrix",
    "from_mri_nufft",
    "from_odl",
    "from_pylops",
    "from_rtk",
    "from_scico",
    "from_scipy",
    "from_sigpy",
    "from_torchkbnufft",
    "jacobian",
    "stack",
    "to_scipy",
]
