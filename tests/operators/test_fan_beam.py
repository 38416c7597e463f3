"""Fan-beam tomography: chords of a disc, ASTRA's rays, a far source, and back-projection."""

from __future__ import annotations

import math

import pytest
import torch
from discs import DISC, SIZE, disc
from torch import Tensor

from invscore.operators import FanBeam, Tomography

FAN = {"source_distance": 2.0, "detector_distance": 1.5}


def chords(operator: Tomography, right: float, up: float, radius: float) -> Tensor:
    """How much of each ray is in the disc: (angles, detectors)."""
    found = []
    for x, y, dx, dy in operator._lines():
        x, y, radius_, size = x - right / operator.pixel, y - up / operator.pixel, radius, 1.0
        size = torch.hypot(dx, dy)
        distance = (x * dy - y * dx).abs() / size * operator.pixel
        found.append(2 * (radius_**2 - distance**2).clamp_min(0).sqrt())
    return torch.stack(found)


def by_hand(operator: FanBeam, angle: int, column: int) -> tuple[Tensor, Tensor]:
    """The source and the detector of a ray, as the docstring says: (2,) each."""
    a = math.radians(operator.angles[angle])
    along = torch.tensor([math.cos(a), math.sin(a)], dtype=torch.float64)
    ahead = torch.tensor([-math.sin(a), math.cos(a)], dtype=torch.float64)
    s = (column - operator.center) * operator.detector_pixel
    return -operator.source_distance * ahead, operator.detector_distance * ahead + s * along


def test_rays_go_from_the_source_to_the_detectors() -> None:
    operator = FanBeam([0.0, 77.0], (1, 8, 6), 5, **FAN, center=1.3)
    for angle, (x, y, dx, dy) in enumerate(operator._lines()):
        for column in range(5):
            source, detector = by_hand(operator, angle, column)
            start = operator.pixel * torch.stack([x.expand(5)[column], y.expand(5)[column]])
            ray = torch.stack([dx[column], dy[column]])
            torch.testing.assert_close(start, source)
            way = detector - source
            assert float(way @ ray / (way.norm() * ray.norm())) == pytest.approx(1)


def test_a_disc_has_chords() -> None:
    operator = FanBeam(90, (1, SIZE, SIZE), **FAN)
    sinogram, expected = operator(disc(SIZE, *DISC))[0, 0], chords(operator, *DISC)
    assert float((sinogram - expected).norm() / expected.norm()) < 0.02
    smooth = expected > 0.4
    assert float((sinogram - expected)[smooth].abs().max()) < 0.02


def test_a_far_source_is_a_parallel_beam() -> None:
    angles = [3.0, 40.0, 100.0, 250.0]
    far = FanBeam(angles, (1, 20, 14), 25, source_distance=1e6, center=11.5)
    parallel = Tomography(angles, (1, 20, 14), 25, center=11.5)
    x = torch.rand(1, 1, 20, 14, dtype=torch.float64)
    torch.testing.assert_close(far(x), parallel(x), rtol=1e-3, atol=1e-4)
    turn = FanBeam(60, (1, 20, 14), 25, source_distance=1e6)
    half = Tomography(30, (1, 20, 14), 25)
    found, expected = turn.fbp(turn(x)), half.fbp(half(x))
    assert float((found - expected).abs().max()) < 1e-3 * float(expected.abs().max())


def test_rays_are_those_of_astra() -> None:
    astra = pytest.importorskip("astra")
    n, detectors = 32, 40
    operator = FanBeam(
        24,
        (1, n, n),
        detectors,
        source_distance=70,
        detector_distance=30,
        pixel=1.0,
        detector_pixel=1.3,
    )
    angles = [math.radians(a) for a in operator.angles]
    geometry = astra.create_proj_geom("fanflat", 1.3, detectors, angles, 70, 30)
    projector = astra.create_projector("line_fanflat", geometry, astra.create_vol_geom(n, n))
    matrix = astra.matrix.get(astra.projector.matrix(projector))
    x = disc(n, 0.15, -0.1, 0.3)
    theirs = torch.from_numpy(matrix @ x.flatten().numpy()).reshape(24, detectors)
    ours = operator(x)[0, 0]
    # Lengths in squares of a constant value there, linear interpolation here.
    assert float((ours - theirs).norm() / theirs.norm()) < 0.02


def test_parallel_rays_are_those_of_astra() -> None:
    astra = pytest.importorskip("astra")
    operator = Tomography(17, (1, 20, 20), 26, pixel=1.0, detector_pixel=1.2)
    angles = [math.radians(a) for a in operator.angles]
    geometry = astra.create_proj_geom("parallel", 1.2, 26, angles)
    projector = astra.create_projector("linear", geometry, astra.create_vol_geom(20, 20))
    x = torch.rand(1, 1, 20, 20)
    theirs = torch.from_numpy(astra.OpTomo(projector) @ x.flatten().numpy()).reshape(17, 26)
    torch.testing.assert_close(operator(x)[0, 0], theirs, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"span": 360.0, "center": 70.0, "detectors": 150},
        {"span": 220.0},
        {"span": 240.0, "source_distance": 3.0},
    ],
)
def test_filtered_back_projection_of_exact_chords(options: dict[str, float]) -> None:
    operator = FanBeam(160, (1, SIZE, SIZE), **{**FAN, **options})  # type: ignore[arg-type]
    found = operator.fbp(chords(operator, *DISC)[None, None])[0, 0]
    t = (torch.arange(SIZE) + 0.5) / SIZE - 0.5
    distance = ((t - DISC[0]) ** 2 + (-t[:, None] - DISC[1]) ** 2).sqrt()
    inner = distance < 0.8 * DISC[2]
    outer = (distance > 1.3 * DISC[2]) & (t**2 + t[:, None] ** 2 < 0.2)
    assert float(found[inner].mean()) == pytest.approx(1, abs=0.01)
    assert float(found[outer].mean()) == pytest.approx(0, abs=0.01)
    assert float((found - 1)[inner].abs().max()) < 0.1


def test_a_ray_is_projected_back_by_the_squared_distance_of_the_source() -> None:
    """Along the middle of one view: ``U^-2``, Kak & Slaney 1988, Eq. 3.149."""
    operator = FanBeam([0.0, 180.0], (1, 9, 9), 21, source_distance=1.5)
    y = torch.rand(1, 1, 2, 21, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y[:, :, 1] = 0
    middle = operator.fbp(y)[0, 0, :, 4]
    up = (4 - torch.arange(9, dtype=torch.float64)) / 9
    torch.testing.assert_close(middle / middle[4], (1.5 / (1.5 + up)) ** 2)


@pytest.mark.parametrize("kind", [Tomography, FanBeam])
def test_lengths_are_in_the_unit_of_the_pixel(kind: type[Tomography]) -> None:
    """Attenuation of 0.2 a millimetre, 20 pixels of 0.5 mm: 2 along the middle."""
    options = {"source_distance": 200.0} if kind is FanBeam else {}
    operator = kind([0.0], (1, 20, 20), 9, pixel=0.5, detector_pixel=0.25, **options)
    y = operator(torch.full((1, 1, 20, 20), 0.2))
    assert float(y[..., 4]) == pytest.approx(2, rel=1e-3)
    assert operator.detector_pixel == 0.25


def test_the_axis_of_rotation_may_be_off_the_middle() -> None:
    point = torch.zeros(1, 1, 9, 9, dtype=torch.float64)
    point[..., 4, 4] = 1
    for center in (3.0, 5.0):
        y = Tomography(12, (1, 9, 9), 11, center=center)(point)[0, 0]
        assert y.argmax(dim=1).tolist() == [int(center)] * 12
    shifted = Tomography(90, (1, SIZE, SIZE), 150, center=70.5)
    plain = Tomography(90, (1, SIZE, SIZE), 150)
    image = disc(SIZE, *DISC)
    found, expected = shifted.fbp(shifted(image)), plain.fbp(plain(image))
    assert float((found - expected).norm() / expected.norm()) < 1e-4


def test_errors() -> None:
    shape = (1, 8, 8)
    with pytest.raises(ValueError, match=r"`source_distance` must be .* half diagonal of 0\.7071"):
        FanBeam(3, shape, source_distance=0.7)
    with pytest.raises(ValueError, match="`detector_distance` must be a length from 0, got -1"):
        FanBeam(3, shape, source_distance=2, detector_distance=-1)
    with pytest.raises(ValueError, match=r"`span` must lie in \(0, 360\] degrees, got 400"):
        FanBeam(3, shape, span=400, source_distance=2)
    with pytest.raises(ValueError, match="`pixel` must be a positive length, got 0"):
        Tomography(3, shape, pixel=0.0)
    with pytest.raises(ValueError, match="`center` must be a column of the detectors, got nan"):
        Tomography(3, shape, center=math.nan)
