"""Operators by name: their options, and the shape of the image behind a measurement."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from invscore.operators import MRI, Tomography
from invscore.tasks.builtin import BUILTIN, build, check_options
from invscore.tasks.shapes import image_shape

OTHERS = (
    *("blur", "blind-deblur", "ct", "multicoil-mri", "noncartesian-mri", "mosaic", "cassi"),
    *("lensless", "interferometry"),
)
"""Those of which a measurement tells no shape, or which take images of their own shapes."""

WAYS: list[tuple[str, dict[str, Any]]] = [
    *[(name, {}) for name in BUILTIN if name not in OTHERS],
    ("deblur", {"boundary": "valid"}),
    ("motion", {"boundary": "valid", "length": 9, "angle": 70}),
    ("defocus", {"boundary": "reflect", "radius": 2.5}),
    ("shake", {"size": 31, "model": "inertial", "boundary": "valid"}),
    ("nonlinear-blur", {"size": 9, "boundary": "valid"}),
    ("phase", {"oversampling": 3, "squared": True}),
    ("phase", {"oversampling": 0.7}),
    ("superres", {"factor": 2}),
    ("mri", {"pattern": "equispaced", "acceleration": 8}),
    ("box", {"size": (8, 20), "position": (1, 2)}),
]


@pytest.mark.parametrize(("name", "options"), WAYS)
@pytest.mark.parametrize("shape", [(1, 96, 64), (3, 64, 80)])
def test_measurements_tell_the_shape_of_their_image(
    name: str, options: dict[str, Any], shape: tuple[int, ...]
) -> None:
    options = {"size": 16, **options} if name == "box" else options
    operator = build(name, shape, options)
    assert operator.in_shape == shape
    assert image_shape(name, operator.out_shape, options) == shape


@pytest.mark.parametrize(
    ("name", "options", "shape"),
    [
        ("mosaic", {}, (3, 8, 6)),
        ("mosaic", {"pattern": (0, 1, 2, 3)}, (4, 8, 6)),
        ("cassi", {"channels": 5, "dispersion": 2}, (5, 8, 6)),
    ],
)
def test_mosaics_tell_their_channels(
    name: str, options: dict[str, Any], shape: tuple[int, ...]
) -> None:
    operator = build(name, shape, options)
    assert image_shape(name, operator.out_shape, options) == shape


def test_some_measurements_tell_no_shape() -> None:
    with pytest.raises(ValueError, match=r"a sinogram does not tell .*: give --shape C,H,W"):
        image_shape("ct", (1, 60, 91), {})
    with pytest.raises(ValueError, match=r"samples of k-space do not tell .*: give --shape"):
        image_shape("noncartesian-mri", (4, 640), {})
    with pytest.raises(ValueError, match="has a side of 381: no image has that"):
        image_shape("phase", (1, 381, 384), {})


def test_options_reach_the_operators() -> None:
    shape = (1, 64, 64)
    assert build("ct", shape, {"angles": 23}).out_shape == (1, 23, 91)
    assert build("ct", shape, {"detectors": 64}).out_shape == (1, 60, 64)
    wedge = build("ct", shape, {"angles": 3, "span": 90})
    assert isinstance(wedge, Tomography)
    assert wedge.angles == (0, 30, 60)
    assert int(build("cs", shape, {"ratio": 0.25}).measured.sum()) == 1024
    assert build("phase", shape, {}).out_shape == (1, 96, 96)
    x = torch.rand(1, *shape, generator=torch.Generator().manual_seed(0))
    assert build("hdr", shape, {"factor": 100})(x).unique().numel() < 100
    intensity = build("phase", shape, {"squared": True})(x)
    torch.testing.assert_close(intensity, build("phase", shape, {})(x) ** 2)
    for name, options in (
        ("shake", {"seed": 1}),
        ("shake", {"intensity": 1}),
        ("shake", {"size": 9}),
        ("shake", {"model": "inertial"}),
        ("nonlinear-blur", {"exposure": 3}),
        ("nonlinear-blur", {"seed": 1}),
        ("cs", {"seed": 1}),
    ):
        assert not torch.allclose(build(name, shape, options)(x), build(name, shape, {})(x))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("foo", {}, "unknown operator 'foo': known are deblur, motion"),
        ("deblur", {"sgima": 1}, "no option 'sgima': it has sigma, boundary"),
        ("denoise", {"a": 1}, "no option 'a': it has none"),
        ("deblur", {"sigma": "wide"}, "`sigma` must be a number, got 'wide'"),
        ("deblur", {"sigma": True}, "`sigma` must be a number, got True"),
        (
            "deblur",
            {"boundary": "same"},
            "`boundary` must be circular, reflect or valid, got 'same'",
        ),
        (
            "superres",
            {"factor": 2.5},
            r"`factor` must be a whole number or a pair \(rows, columns\), got 2.5",
        ),
        ("box", {"size": (1, 2, 3)}, "`size` must be a whole number or a pair"),
        ("mri", {"real": 1}, "`real` must be true or false, got 1"),
        ("blur", {}, "needs an option 'kernel'"),
        ("shake", {"model": "wild"}, "`model` must be polyline or inertial, got 'wild'"),
    ],
)
def test_wrong_options(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_options(name, options)


def test_right_options_pass() -> None:
    given: dict[str, Any] = {"size": (2, 3), "position": None}
    assert check_options("box", given) == given
    assert check_options("deblur", {"sigma": 3}) == {"sigma": 3}


@pytest.mark.parametrize("real", [True, False])
def test_k_space_is_measured_where_a_mask_file_is_white(tmp_path: Path, real: bool) -> None:
    mask = torch.rand(8, 6, generator=torch.Generator().manual_seed(0)) > 0.5
    file = tmp_path / "mask.png"
    Image.fromarray(mask.numpy().astype(np.uint8) * 255).save(file)
    operator = build("mri", (3, 8, 6), {"mask": str(file), "real": real})
    assert isinstance(operator, MRI)
    assert torch.equal(operator.measured, mask.expand(3, 8, 6))
    assert operator.in_complex != real
    with pytest.raises(ValueError, match=r"`mask` must have shape .*, got \(8, 6\)"):
        build("mri", (1, 6, 8), {"mask": str(file)})
