"""Visibilities, beside the sum over the sky as it is written."""

import math

import pytest
import torch

from invscore.operators import Interferometer, check_operator

pytest.importorskip("pytorch_finufft")

generator = torch.Generator().manual_seed(0)
PIXEL = 2.0  # arcseconds
SECOND = math.pi / 180 / 3600
UV = (torch.rand(2, 40, dtype=torch.float64, generator=generator) - 0.5) / (PIXEL * SECOND)


def test_visibilities_are_those_of_the_sum() -> None:
    sky = torch.rand(2, 1, 12, 9, dtype=torch.float64, generator=generator)
    north = SECOND * PIXEL * (torch.arange(12, dtype=torch.float64) - 6)
    east = -SECOND * PIXEL * (torch.arange(9, dtype=torch.float64) - 4)  # columns go west
    angle = UV[0, :, None, None] * east + UV[1, :, None, None] * north[:, None]
    expected = torch.einsum("nhw,bhw->bn", torch.exp(-2j * math.pi * angle), sky[:, 0] + 0j)
    operator = Interferometer(UV, (1, 12, 9), PIXEL)
    torch.testing.assert_close(operator(sky)[:, 0], expected, rtol=1e-9, atol=1e-9)
    single = operator(sky.float())[:, 0]
    assert float((single - expected).abs().max() / expected.abs().max()) < 1e-5


def test_it_keeps_the_contract() -> None:
    check_operator(Interferometer(UV, (1, 12, 9), PIXEL)).raise_if_failed()


def test_a_point_at_the_phase_centre_has_its_flux_on_all_baselines() -> None:
    sky = torch.zeros(1, 1, 8, 8, dtype=torch.float64)
    sky[..., 4, 4] = 3
    y = Interferometer(UV, (1, 8, 8), PIXEL)(sky)
    torch.testing.assert_close(y, torch.full_like(y, 3), rtol=1e-9, atol=1e-9)
    dirty = Interferometer(UV, (1, 8, 8), PIXEL).gridded(y)
    assert dirty.flatten().argmax() == 4 * 8 + 4
    assert float(dirty.max()) == pytest.approx(3)


@pytest.mark.parametrize(
    ("uv", "shape", "pixel", "sentence"),
    [
        (UV, (2, 8, 8), 1.0, r"`in_shape` must be that of a sky, \(1, h, w\)"),
        (UV.T, (1, 8, 8), 1.0, r"`uv` must be finite baselines of shape \(2, n\)"),
        (UV * math.nan, (1, 8, 8), 1.0, "`uv` must be finite"),
        (UV, (1, 8, 8), 9.0, "at most half of the finest fringe, 2.0.. arcseconds, got 9"),
        (UV, (1, 8, 8), -1.0, "`pixel` must be positive"),
    ],
)
def test_what_is_refused(
    uv: torch.Tensor, shape: tuple[int, ...], pixel: float, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        Interferometer(uv, shape, pixel)
