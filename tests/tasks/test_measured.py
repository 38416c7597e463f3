"""A user's own measurement: its border, its mask, what is refused and what is assumed."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image

from invscore.operators import MRI, Blur, CameraBlur, Inpainting, Interferometer, NonCartesianMRI
from invscore.operators.noncartesian import radial_trajectory
from invscore.tasks.builtin import build
from invscore.tasks.centre import require_centred, warn_of_lost_parts
from invscore.tasks.measured import known_task, task_of_measurement
from invscore.tasks.specs import parse_spec
from invscore.tasks.task import Task

Y = torch.rand(1, 24, 20, generator=torch.Generator().manual_seed(0)) * 0.9 + 0.05


def task(op: str, y: torch.Tensor = Y, shape: tuple[int, ...] | None = None) -> Task:
    return task_of_measurement(parse_spec(op), y, shape=shape, noise=0.01)


@pytest.fixture
def kernel(tmp_path: Path) -> str:
    file = tmp_path / "k.png"
    Image.fromarray(np.full((5, 3), 255, dtype=np.uint8)).save(file)
    return str(file)


@pytest.mark.parametrize(
    ("op", "margin"),
    [
        ("deblur(sigma=1.6)", (14, 14)),
        ("deblur(sigma=30)", (240, 240)),  # a kernel larger than the measurement
        ("motion(length=6, angle=0)", (6, 6)),
        ("defocus(radius=2)", (4, 4)),
        ("shake(size=9, seed=1)", (8, 8)),
        ("blur(kernel={kernel})", (4, 2)),
        ("nonlinear-blur(kernel={kernel})", (4, 2)),
        ("nonlinear-blur(size=9, seed=1)", (8, 8)),
    ],
)
def test_nothing_is_assumed_beyond_the_border(
    op: str, margin: tuple[int, int], kernel: str
) -> None:
    made = task(op.format(kernel=kernel))
    operator = made.problem.operator
    assert isinstance(operator, (Blur, CameraBlur))
    assert operator.in_shape == (1, 24 + margin[0], 20 + margin[1])
    assert operator.out_shape == operator.seen_shape == (1, 24, 20)
    assert any("boundary=valid" in sentence for sentence in made.assumed)


def test_the_border_is_ones_own_to_say() -> None:
    made = task("deblur(sigma=1, boundary=circular)")
    assert made.problem.operator.in_shape == (1, 24, 20)
    assert made.assumed == ()
    assert "deblur(sigma=1.6)" in task("deblur(boundary=valid)").assumed[0]


@pytest.mark.parametrize("shape", [(1, 24, 20), (1, 38, 34)])
def test_a_truth_of_what_is_seen_or_of_all(tmp_path: Path, shape: tuple[int, ...]) -> None:
    whole = torch.rand(1, 38, 34, generator=torch.Generator().manual_seed(1))
    y = build("deblur", (1, 38, 34), {"boundary": "valid"})(whole[None])[0]
    truth = whole if shape == (1, 38, 34) else whole[:, 7:31, 7:27]
    np.save(tmp_path / "x.npy", truth.numpy())
    np.save(tmp_path / "y.npy", y.numpy())
    made = known_task(
        parse_spec("deblur"), str(tmp_path / "y.npy"), str(tmp_path / "x.npy"),
        noise=0.01, device="cpu",
    )  # fmt: skip
    assert made.problem.operator.in_shape == (1, 38, 34)
    assert made.seen_truth is not None
    assert torch.equal(made.seen_truth[0], whole[:, 7:31, 7:27])


@pytest.mark.parametrize(
    ("op", "advice"),
    [
        ("inpaint", "mask="),
        ("inpaint(keep=0.3)", "mask="),
        ("cs", "matrix="),
        ("cs(ratio=0.25)", "matrix="),
        ("shake", "blur(kernel=FILE)"),
        ("nonlinear-blur(size=9)", "kernel="),
    ],
)
def test_what_only_the_user_knows_is_asked_for(op: str, advice: str) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 (the message is below)
        task(op)
    assert advice in str(refusal.value)
    assert "seed=" in str(refusal.value)
    name, _, rest = op.partition("(")
    given = f"{name}({rest.rstrip(')') + ', ' if rest else ''}seed=0)"
    assert task(given).problem.y.shape == (1, *Y.shape)


CODE = """
from invscore.operators import Identity

class Drawn(Identity):
    def __init__(self, in_shape, seed=0):
        super().__init__(in_shape)

class Declared(Identity):
    random = ("path",)
    def __init__(self, in_shape, path=None):
        super().__init__(in_shape)

class Harmless(Identity):
    random = ()
    def __init__(self, in_shape, seed=0):
        super().__init__(in_shape)
"""


def test_operators_of_ones_own_that_draw(tmp_path: Path) -> None:
    (tmp_path / "ops.py").write_text(CODE)
    for name, needed in (("Drawn", "seed"), ("Declared", "path")):
        with pytest.raises(ValueError, match=f"would draw at random.*{needed}="):
            task(f"{tmp_path}/ops.py:{name}", shape=(1, 24, 20))
        task(f"{tmp_path}/ops.py:{name}({needed}=1)", shape=(1, 24, 20))
    task(f"{tmp_path}/ops.py:Harmless", shape=(1, 24, 20))


@pytest.mark.parametrize("shapes", ["'many'", "(1, 24.5)", "()", "(1, 0, 4)", "None"])
def test_operators_of_ones_own_without_shapes(shapes: str, tmp_path: Path) -> None:
    code = "class Odd(Identity):\n    def __init__(self):\n        self.in_shape = (1, 24, 20)\n"
    code += f"        self.out_shape = {shapes}\n"
    (tmp_path / "odd.py").write_text("from invscore.operators import Identity\n" + code)
    with pytest.raises(ValueError, match=r"'Odd' .* must set out_shape to a tuple of sizes"):
        task(f"{tmp_path}/odd.py:Odd", shape=(1, 24, 20))


@pytest.mark.parametrize(("axes", "told"), [((0, 1), "rows and columns"), ((1,), "the columns")])
def test_kspace_with_its_middle_at_the_border(axes: tuple[int, ...], told: str) -> None:
    """Transforms that do not shift, along both axes or one."""
    whole = torch.rand(1, 40, 36, generator=torch.Generator().manual_seed(1))
    centred = MRI(torch.ones(36) > 0, (1, 40, 36))(whole[None].to(torch.complex64))[0]
    shifted = torch.fft.ifftshift(centred, dim=tuple(axis - 2 for axis in axes))
    require_centred(MRI(torch.ones(36) > 0, (1, 40, 36)), centred[None], "y")
    with pytest.raises(ValueError, match=rf"fftshift moves them, along the .*{told[-7:]}"):
        require_centred(MRI(torch.ones(36) > 0, (1, 40, 36)), shifted[None], "y")
    noise = torch.randn(1, 1, 40, 36, dtype=torch.complex64)
    require_centred(MRI(torch.ones(36) > 0, (1, 40, 36)), noise, "y")


def test_a_mask_of_exact_zeros() -> None:
    y = Y.clone()
    y[:, 5:9, 3:7] = 0
    made = task("inpaint", y)
    assert isinstance(made.problem.operator, Inpainting)
    assert torch.equal(made.problem.operator.measured, y != 0)
    assert "16 of 480 entries (3%) are exactly 0" in made.assumed[-1]


def test_zeros_that_may_be_black() -> None:
    y = Y.clone()
    y[:, 5:9, 3:7] = 0
    y[:, 10, 3:7] = 1 / 255
    with pytest.raises(ValueError, match=r"16 pixels that are exactly 0 and 4 .* mask=FILE"):
        task("inpaint", y)
    with pytest.raises(ValueError, match="zero everywhere"):
        task("inpaint", 0 * y)


def test_k_space_tells_what_was_measured() -> None:
    mask = torch.arange(20) % 3 == 0
    image = torch.rand(1, 1, 24, 20, generator=torch.Generator().manual_seed(2))
    operator = MRI(mask, (1, 24, 20), real=True)
    made = task("mri", operator(image)[0])
    assert isinstance(made.problem.operator, MRI)
    assert not made.problem.operator.in_complex
    assert torch.equal(made.problem.operator.measured, operator.measured)
    full = task("mri(real=false)", torch.complex(Y, Y)).problem.operator
    assert full.in_complex
    assert bool(full.measured.all())  # type: ignore[union-attr]
    assert "0 of 480" in task("mri", torch.complex(Y, Y)).assumed[-1]


def test_a_matrix_of_ones_own(tmp_path: Path) -> None:
    matrix = np.random.default_rng(0).standard_normal((7, 48))
    np.save(tmp_path / "m.npy", matrix)
    image = torch.rand(1, 6, 8)
    y = torch.from_numpy(matrix).float() @ image.flatten()
    made = task(f"cs(matrix={tmp_path}/m.npy)", y, (1, 6, 8))
    torch.testing.assert_close(made.problem.operator(image[None]), y[None])
    with pytest.raises(ValueError, match="--shape"):
        task(f"cs(matrix={tmp_path}/m.npy)", y)
    with pytest.raises(ValueError, match=r"must be real, of shape \(m, 64\)"):
        task(f"cs(matrix={tmp_path}/m.npy)", y, (1, 8, 8))


@pytest.mark.parametrize(
    ("op", "declared"),
    [("deblur(sigma=1.3)", 0.05), ("denoise", "auto"), ("inpaint(mask={mask})", 0.05)],
)
def test_numbers_that_are_none_are_not_measured(
    op: str, declared: float | Literal["auto"], tmp_path: Path
) -> None:
    """As telescopes mark dead pixels."""
    mask = np.full((32, 32), 255, dtype=np.uint8)
    mask[:8, :8] = 0
    Image.fromarray(mask).save(tmp_path / "mask.png")
    generator = torch.Generator().manual_seed(0)
    y = 0.5 + 0.05 * torch.randn(1, 32, 32, generator=generator)
    lost = torch.zeros_like(y, dtype=torch.bool)
    lost[:, :12, 12] = lost[:, 20:22, 20:24] = True
    plain = task_of_measurement(
        parse_spec(op.format(mask=tmp_path / "mask.png")), y, noise=declared
    )
    y = y.masked_fill(lost, torch.nan)
    y[:, 3, 12] = torch.inf
    made = task_of_measurement(parse_spec(op.format(mask=tmp_path / "mask.png")), y, noise=declared)
    measured = made.problem.operator.measured
    assert measured is not None
    whole = plain.problem.operator.measured
    assert torch.equal(measured, ~lost if whole is None else ~lost & whole)
    assert "20 of 1024 numbers are NaN or infinite: not measured" in made.assumed
    assert made.noise == pytest.approx(0.05, rel=0.15)
    assert bool(made.problem.y.isfinite().all())


def test_too_many_numbers_that_are_none_tell_no_noise() -> None:
    y = torch.rand(1, 32, 32)
    y[:, :16] = torch.nan
    with pytest.raises(ValueError, match=r"`noise` must be given .* 1024 numbers 512 are NaN"):
        task_of_measurement(parse_spec("denoise"), y)


@pytest.mark.parametrize(
    ("op", "noise", "count"), [("denoise", 0.0, 16), ("hdr", 0.05, 16), ("denoise", 0.05, 1024)]
)
def test_numbers_that_are_none_are_counted_where_they_are_refused(
    op: str, noise: float, count: int
) -> None:
    y = torch.rand(1, 32, 32)
    y.view(-1)[:count] = torch.nan
    with pytest.raises(ValueError, match=f"must be finite, got {count} of 1024 numbers"):
        task_of_measurement(parse_spec(op), y, noise=noise)


def test_a_mask_that_is_turned_round_shows(tmp_path: Path) -> None:
    mask = np.zeros((24, 20), dtype=np.uint8)
    mask[:6] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    told = task(f"inpaint(mask={tmp_path / 'mask.png'})").assumed
    assert told == ("mask: 25.0% of the numbers are measured; invert=true for the other part",)
    told = task(f"inpaint(mask={tmp_path / 'mask.png'}, invert=true)").assumed
    assert told == ("mask: 75.0% of the numbers are measured",)


@pytest.mark.parametrize("op", ["mri", "multicoil-mri"])
def test_kspace_without_imaginary_parts_is_told(op: str) -> None:
    image = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(1)) + 0j
    operator = MRI(torch.ones(32) > 0, (1, 32, 32))
    whole = operator(image)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_lost_parts(operator, whole[None], "y")
    with pytest.warns(UserWarning, match="has imaginary parts of zero throughout"):
        task(op, whole.real + 0j)


def test_samples_along_a_trajectory_without_imaginary_parts_are_told() -> None:
    pytest.importorskip("pytorch_finufft")
    omega = radial_trajectory(spokes=5, samples=16)
    image = torch.rand(1, 1, 12, 16, generator=torch.Generator().manual_seed(1))
    scan = NonCartesianMRI(omega, (12, 16))
    sky = Interferometer(1e4 * omega / omega.max(), (1, 12, 16), pixel=4.0)
    for operator, x, kind in ((scan, image + 0j, "k-space of a scan has"), (sky, image, "vis")):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warn_of_lost_parts(operator, operator(x), "y")
        with pytest.warns(UserWarning, match=f"parts of zero throughout, which {kind}"):
            warn_of_lost_parts(operator, operator(x).real + 0j, "y")


def test_a_kernel_larger_than_the_measurement_is_told(tmp_path: Path) -> None:
    np.save(tmp_path / "wide.npy", np.ones((3, 21)))
    with pytest.warns(UserWarning, match=r"has 3 x 21 pixels, more than the measurement, 24 x 20"):
        assert task(f"blur(kernel={tmp_path}/wide.npy)").problem.operator.in_shape == (1, 26, 40)
    np.save(tmp_path / "fits.npy", np.ones((3, 20)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        task(f"blur(kernel={tmp_path}/fits.npy)")
