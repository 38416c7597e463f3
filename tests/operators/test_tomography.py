"""Tomography: discs, whose Radon transform is known, and filtered back-projection."""

import math
import warnings

import pytest
import torch
from discs import DISC, SIZE, disc
from torch import Tensor

from invscore.operators import Tomography, check_operator, from_function, jacobian


def chords(operator: Tomography, right: float, up: float, radius: float) -> Tensor:
    """The Radon transform of the disc: (angles, detectors)."""
    detectors = operator.out_shape[-1]
    s = (torch.arange(detectors, dtype=torch.float64) - (detectors - 1) / 2) * operator.pixel
    a = torch.deg2rad(torch.tensor(operator.angles, dtype=torch.float64))[:, None]
    distance = s - right * torch.cos(a) - up * torch.sin(a)
    return 2 * (radius**2 - distance**2).clamp_min(0).sqrt()


@pytest.fixture(scope="module")
def fine() -> Tomography:
    return Tomography(90, (1, SIZE, SIZE))


def test_a_disc_has_chords(fine: Tomography) -> None:
    sinogram, expected = fine(disc(SIZE, *DISC))[0, 0], chords(fine, *DISC)
    error = (sinogram - expected).norm() / expected.norm()
    assert float(error) < 0.012
    # Half way to the rim the chord is smooth, and nearly exact.
    smooth = expected > 0.4
    assert float((sinogram - expected)[smooth].abs().max()) < 0.02


@pytest.mark.parametrize("angle", [0.0, 30.0, 45.0, 90.0, 120.0, 180.0, -60.0, 405.0])
def test_every_direction_keeps_the_mass(angle: float) -> None:
    operator = Tomography([angle], (1, SIZE, SIZE))
    image = disc(SIZE, *DISC)
    mass = float(image.mean())
    assert float(operator(image).sum() * operator.pixel) == pytest.approx(mass, rel=2e-3)


def test_angle_0_adds_up_columns_and_90_rows() -> None:
    x = torch.rand(1, 2, 6, 8, dtype=torch.float64)
    y = Tomography([0.0, 90.0], (2, 6, 8), detectors=8)(x)
    torch.testing.assert_close(y[:, :, 0], x.sum(dim=2) / 8)
    # Detector s looks at the line v = s, and rows count downwards.
    torch.testing.assert_close(y[:, :, 1, 1:7], x.sum(dim=3).flip(2) / 8)
    assert y[:, :, 1, 0].abs().max() == 0


def test_opposite_directions_see_the_same() -> None:
    x = torch.rand(1, 1, 12, 10, dtype=torch.float64)
    y = Tomography([25.0, 205.0], (1, 12, 10))(x)[0, 0]
    torch.testing.assert_close(y[1], y[0].flip(0))


def test_the_adjoint_is_exact_to_the_last_digit() -> None:
    operator = Tomography(23, (1, 40, 30))
    generator = torch.Generator().manual_seed(0)
    x, y = (
        torch.randn(1, *shape, dtype=torch.float64, generator=generator)
        for shape in (operator.in_shape, operator.out_shape)
    )
    left, right = (operator(x) * y).sum(), (x * operator.rmatvec(y)).sum()
    assert abs(float(left - right)) < 1e-14 * float(operator(x).norm() * y.norm())


def test_the_norm_is_that_of_the_matrix() -> None:
    operator = Tomography(11, (1, 12, 9)).to(dtype=torch.float64)
    images = torch.eye(108, dtype=torch.float64).reshape(108, 1, 12, 9)
    matrix = operator(images).flatten(1)
    assert operator.norm() == pytest.approx(float(torch.linalg.matrix_norm(matrix, 2)), rel=1e-4)
    # No ray's length is negative, and none goes farther through a row than its diagonal.
    assert float(matrix.min()) >= 0
    assert float(matrix.max()) <= math.sqrt(2) * operator.pixel


def test_units_are_sides_of_the_image() -> None:
    """A white image has projections of 1, whatever the number of its pixels."""
    for size in (16, 64):
        y = Tomography([0.0], (1, size, size))(torch.ones(1, 1, size, size))
        assert float(y.max()) == pytest.approx(1)


@pytest.mark.parametrize("filter", ["ramp", "hann"])
def test_filtered_back_projection_of_exact_chords(fine: Tomography, filter: str) -> None:
    image = disc(SIZE, *DISC)[0, 0]
    found = fine.fbp(chords(fine, *DISC)[None, None], filter)[0, 0]
    t = (torch.arange(SIZE) + 0.5) / SIZE - 0.5
    distance = ((t - DISC[0]) ** 2 + (-t[:, None] - DISC[1]) ** 2).sqrt()
    inner, outer = distance < 0.8 * DISC[2], distance > 1.3 * DISC[2]
    assert float(found[inner].mean()) == pytest.approx(1, abs=5e-3)
    assert float(found[outer].mean()) == pytest.approx(0, abs=5e-3)
    assert float((found - image)[inner | outer].abs().max()) < 0.1


def test_filtered_back_projection_undoes_the_operator(fine: Tomography) -> None:
    t = (torch.arange(SIZE, dtype=torch.float64) + 0.5) / SIZE - 0.5
    blobs = torch.stack(
        [torch.exp(-((t - 0.1 * k) ** 2 + (t[:, None] + 0.1) ** 2) / 0.01) for k in (1, -2)]
    ).reshape(1, 2, SIZE, SIZE)
    both = Tomography(90, (2, SIZE, SIZE))
    assert float((both.fbp(both(blobs)) - blobs).abs().max()) < 0.01
    # Hann's window takes noise away, and sharpness.
    noise = torch.randn(1, *fine.out_shape, generator=torch.Generator().manual_seed(0))
    assert fine.fbp(noise, "hann").std() < 0.6 * fine.fbp(noise, "ramp").std()


def test_a_missing_wedge_counts_as_nothing() -> None:
    """Half of the angles, an arc of 90 degrees, add up to half of the image's mean."""
    wedge, whole = (Tomography(n, (1, SIZE, SIZE), span=2 * n) for n in (45, 90))
    assert wedge.angles == whole.angles[:45]
    y = chords(whole, 0.0, 0.0, 0.3)[None, None]
    centre = slice(40, 56)
    part, full = wedge.fbp(y[:, :, :45]), whole.fbp(y)
    ratio = part[..., centre, centre].mean() / full[..., centre, centre].mean()
    assert float(ratio) == pytest.approx(0.5, abs=0.01)


def test_pseudo_inverse_and_solve() -> None:
    operator = Tomography(30, (1, 16, 16))
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, 1, 16, 16, dtype=torch.float64, generator=generator)
    rho = 0.01
    b = operator.normal(x) + rho * x
    found = operator.solve(b, rho)
    left = operator.normal(found - x) + rho * (found - x)
    assert float(left.norm()) < 1.01e-6 * float(b.norm())


def test_automatic_differentiation_goes_through() -> None:
    """Beer's law, ``exp(-A x)``: forward and reverse mode, and ``vmap`` of neither is needed."""
    operator = Tomography(5, (1, 8, 8))
    law = from_function(lambda x: torch.exp(-operator(x)), (1, 8, 8), linear=False)
    assert check_operator(law).ok
    x = torch.rand(1, 1, 8, 8, dtype=torch.float64)
    v = torch.rand_like(x)
    torch.testing.assert_close(jacobian(law, x).matvec(v), -torch.exp(-operator(x)) * operator(v))


def test_no_warning_reaches_the_user() -> None:
    torch.set_warn_always(True)  # not once a process: other tests may have been first
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            Tomography(3, (1, 8, 8))(torch.rand(1, 1, 8, 8))
    finally:
        torch.set_warn_always(False)


def test_errors() -> None:
    shape = (1, 8, 8)
    with pytest.raises(ValueError, match=r"`in_shape` must be .* \(c, h, w\), got \(8, 8\)"):
        Tomography(3, (8, 8))
    with pytest.raises(
        ValueError,
        match=r"`angles` must be finite numbers of degrees, or a positive number of .*, got 0",
    ):
        Tomography(0, shape)
    with pytest.raises(ValueError, match=r"`angles` must be finite numbers .*, got .*nan"):
        Tomography([0.0, math.nan], shape)
    with pytest.raises(ValueError, match="`detectors` must be a positive number, got 0"):
        Tomography(3, shape, detectors=0)
    with pytest.raises(ValueError, match=r"`span` must lie in \(0, 180\] degrees, got 200"):
        Tomography(3, shape, span=200)
    operator = Tomography(3, shape)
    with pytest.raises(ValueError, match="`filter` must be one of ramp, hann, got 'cosine'"):
        operator.fbp(torch.zeros(1, *operator.out_shape), "cosine")
