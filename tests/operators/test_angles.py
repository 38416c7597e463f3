"""Tomography at given angles: a list, a file of text or of an array, on the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from invscore.operators import Tomography, check_operator
from invscore.operators.files import read_angles
from invscore.readers import Part
from invscore.tasks.builtin import build
from invscore.tasks.measured import measured_task, task_of_measurement
from invscore.tasks.specs import Spec, parse_spec

SIZE, RADIUS = 64, 0.3
SHAPE = (1, SIZE, SIZE)
GOLDEN = [(111.246118 * k) % 180 for k in range(89)]


def chords(operator: Tomography) -> Tensor:
    """The Radon transform of a disc in the middle: (1, 1, angles, detectors)."""
    detectors = operator.out_shape[-1]
    s = (torch.arange(detectors, dtype=torch.float64) - (detectors - 1) / 2) * operator.pixel
    return (2 * (RADIUS**2 - s**2).clamp_min(0).sqrt()).expand(1, *operator.out_shape)


def disc() -> Tensor:
    t = (torch.arange(8 * SIZE, dtype=torch.float64) + 0.5) / (8 * SIZE) - 0.5
    inside = (t**2 + t[:, None] ** 2 <= RADIUS**2).double()
    return torch.nn.functional.avg_pool2d(inside[None, None], 8)


def test_given_angles_are_those_of_a_number(tmp_path: Path) -> None:
    x = torch.rand(1, *SHAPE, dtype=torch.float64)
    np.savetxt(tmp_path / "angles.txt", np.arange(12) * 15.0)
    np.save(tmp_path / "angles.npy", np.arange(12, dtype=np.uint8) * 15)
    expected = build("ct", SHAPE, {"angles": 12})(x)
    listed = "ct(angles=[0, 15, 30, 45, 60, 75, 90, 105, 120, 135, 150, 165])"
    for text in (
        listed,
        f"ct(angles={tmp_path}/angles.txt)",
        f"ct(angles={tmp_path}/angles.npy)",
    ):
        spec = parse_spec(text)
        assert torch.equal(build("ct", SHAPE, spec.options)(x), expected)


def test_a_limited_arc_is_a_part_of_the_whole() -> None:
    x = torch.rand(1, *SHAPE, dtype=torch.float64)
    arc = Tomography([10.0, 40.0, -35.0], SHAPE)
    assert check_operator(arc).ok
    for k, angle in enumerate(arc.angles):
        torch.testing.assert_close(arc(x)[:, :, k], Tomography([angle], SHAPE)(x)[:, :, 0])


def test_a_disc_has_chords_at_any_angle() -> None:
    operator = Tomography(GOLDEN[:7], SHAPE)
    expected = chords(operator)
    assert float((operator(disc()) - expected).norm() / expected.norm()) < 0.02


def whole_turn(n: int) -> list[float]:
    return [360 / n * k for k in range(n)]


@pytest.mark.parametrize(
    "angles",
    [GOLDEN, GOLDEN[::-1], whole_turn(90), whole_turn(91), [*np.linspace(0, 180, 61)]],
    ids=["golden", "any order", "a turn", "an odd turn", "both ends"],
)
def test_filtered_back_projection_of_angles_of_any_spacing(angles: list[float]) -> None:
    operator = Tomography(angles, SHAPE)
    found = operator.fbp(chords(operator))[0, 0]
    t = (torch.arange(SIZE) + 0.5) / SIZE - 0.5
    distance = (t**2 + t[:, None] ** 2).sqrt()
    inner, outer = distance < 0.8 * RADIUS, (distance > 1.3 * RADIUS) & (distance < 0.5)
    assert float(found[inner].mean()) == pytest.approx(1, abs=0.01)
    assert float(found[outer].mean()) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("arc", [90, 120])
def test_what_an_arc_leaves_out_counts_as_nothing(arc: int) -> None:
    operator = Tomography([*range(0, arc, 2)], SHAPE)
    whole = Tomography([*range(0, 180, 2)], SHAPE)
    centre = slice(28, 36)
    part, full = (o.fbp(chords(o))[..., centre, centre].mean() for o in (operator, whole))
    assert float(part / full) == pytest.approx(arc / 180, abs=0.01)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("0\n7.5\n-20 # the last\n", [0, 7.5, -20]),
        ("# degrees\n0, 10, 20\n", [0, 10, 20]),
        ("\ufeff1e1\t20 30", [10, 20, 30]),
    ],
)
def test_text(content: str, expected: list[float], tmp_path: Path) -> None:
    (tmp_path / "scan.tlt").write_text(content, encoding="utf-8")
    assert read_angles(tmp_path / "scan.tlt").tolist() == expected


def test_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", angles=[[0.0], [30.0]], y=np.zeros((2, 5)))
    assert read_angles(tmp_path / "a.npz").tolist() == [0, 30]


@pytest.fixture
def scan(tmp_path: Path) -> str:
    """A Data Exchange file of 5 rows of 23 detectors at three angles, and the counts behind it."""
    h5py = pytest.importorskip("h5py")
    counts = np.random.default_rng(0).uniform(50, 100, (3, 5, 23))
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["exchange/data"], file["exchange/data_white"] = counts, np.full((1, 5, 23), 100.0)
        file["exchange/theta"] = [0.0, 10.0, 120.0]
    return str(tmp_path / "scan.h5")


def test_a_scan_has_its_angles_beside_it(scan: str) -> None:
    assert read_angles(scan).tolist() == [0, 10, 120]
    part: Part = {"index": 2}
    task = measured_task(Spec("ct"), scan, shape=(1, 16, 16), noise=0.1, device="cpu", part=part)
    assert isinstance(task.problem.operator, Tomography)
    assert task.problem.operator.angles == (0, 10, 120)
    assert task.assumed == (f"angles: 3, the theta of {scan!r}",)
    given = measured_task(
        Spec("ct", {"angles": 3}), scan, shape=(1, 16, 16), noise=0.1, device="cpu", part=part
    )
    assert isinstance(given.problem.operator, Tomography)
    assert given.problem.operator.angles == (0, 60, 120)


def test_radians_are_spoken_of(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.linspace(0, np.pi, 30))
    with pytest.warns(UserWarning, match=r"lie in \[0, 3.142\], taken as degrees: radians"):
        read_angles(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("no.txt", None, "angles '.*no.txt': no such file"),
        ("no.npy", None, "angles '.*no.npy': no such file"),
        ("a.txt", "0 ten 20", "must be numbers of degrees, got 'ten'"),
        ("a.txt", "# none", "must be real numbers in a row, got float64 of shape"),
        ("a.txt", "0 nan 20", "must be finite"),
        ("a.npy", np.ones((3, 2)), r"must be real numbers in a row, got float64 of shape \(3, 2\)"),
        ("a.npy", np.ones(3, complex), "must be real numbers in a row, got complex128"),
    ],
)
def test_files_that_hold_no_angles(
    name: str, content: str | np.ndarray | None, message: str, tmp_path: Path
) -> None:
    if isinstance(content, str):
        (tmp_path / name).write_text(content)
    elif content is not None:
        np.save(tmp_path / name, content)
    with pytest.raises(ValueError, match=message):
        read_angles(tmp_path / name)


def test_measurements() -> None:
    spec, y = parse_spec("ct(angles=[0, 20, 70])"), torch.rand(3, 23)
    task = task_of_measurement(spec, y, shape=(1, 16, 16), noise=0.1)
    assert isinstance(task.problem.operator, Tomography)
    assert task.problem.operator.angles == (0, 20, 70)
    assert task.assumed == ()
    told = task_of_measurement(parse_spec("ct(angles=3)"), y, shape=(1, 16, 16), noise=0.1)
    assert told.assumed == ("ct(span=180.0), as nothing else was given",)
    message = r"\(1, 3, 23\), of channels, angles and detectors, got \(4, 23\)"
    with pytest.raises(ValueError, match=message):
        task_of_measurement(spec, torch.rand(4, 23), shape=(1, 16, 16), noise=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("angles=[0, 10], span=90", "`span` must be left out where the angles are given, got 90"),
        ("angles=[0, ten]", "`angles` must be a whole number, a list of numbers or text"),
        ("angles=[]", "`angles` must be finite numbers of degrees"),
        ("angles=0", r"`angles` must lie in \[1, 10000\], got 0"),
    ],
)
def test_options(options: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build("ct", SHAPE, parse_spec(f"ct({options})").options)
