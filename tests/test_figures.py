"""The panel: sizes, places and what is drawn."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import colormaps
from PIL import Image

from invscore import figures
from invscore.figures import BAR, DPI, GAP, HEIGHT, TICKS, TITLE, _step, magma, panel, picture


def test_pictures_of_real_images() -> None:
    image = torch.tensor([[[-1.0, 1.0, 2.0, 8.0]]])
    assert picture(image, peak=4).tolist() == [[[0.0, 0.25, 0.5, 1.0]]]


def test_pictures_of_complex_images_and_of_coils() -> None:
    assert picture(torch.full((1, 2, 2), 0.3 + 0.4j)).unique().item() == pytest.approx(0.5)
    coils = torch.tensor([0.3, 0.4]).reshape(2, 1, 1).expand(2, 4, 5)
    assert picture(coils).shape == (1, 4, 5)
    assert picture(coils).unique().item() == pytest.approx(0.5)


def test_a_spectrum_spans_four_decades() -> None:
    spectrum = torch.tensor([[[100.0, 1.0, 0.01, 0.0]]], dtype=torch.complex64)
    expected = torch.tensor([[[1.0, 0.5, 0.0, 0.0]]])
    torch.testing.assert_close(picture(spectrum, spectrum=True), expected)


def test_a_stretched_picture_is_black_at_its_least_and_about_square() -> None:
    sinogram = torch.tensor([[[-3.0, 0.0, 1.0, 1.0, 0.0, 1.0], [0.0, 1.0, 1.0, 5.0, 0.0, 1.0]]])
    drawn = picture(sinogram, stretch=True)
    assert drawn.shape == (1, 6, 6)
    torch.testing.assert_close(drawn[0, ::3], (sinogram[0] + 3) / 8)
    assert torch.equal(drawn[0, 0], drawn[0, 2])


def test_two_axes_are_stretched_and_one_is_refused() -> None:
    assert picture(torch.tensor([[5.0, 7.0], [6.0, 9.0]])).tolist() == [[[0.0, 0.5], [0.25, 1.0]]]
    with pytest.raises(ValueError, match=r"must be of a tensor .*, got the shape \(4,\)"):
        picture(torch.zeros(4))


def test_panel_draws_each_picture_equally_high_and_close(tmp_path: Path) -> None:
    black, gray = torch.zeros(1, 16, 16), torch.full((1, 64, 128), 0.5)
    panel({"small": black, "wide": gray}, tmp_path / "figure.png")
    drawn = np.asarray(Image.open(tmp_path / "figure.png").convert("L"))
    row = drawn[int(drawn.shape[0] * 0.6)]
    side = HEIGHT * DPI
    assert (row == 0).sum() == pytest.approx(side, abs=3)
    assert ((row > 120) & (row < 135)).sum() == pytest.approx(2 * side, abs=3)
    assert (row == 255).sum() < 0.2 * side
    assert [file.name for file in tmp_path.iterdir()] == ["figure.png"]


def test_panel_with_a_deviation_has_a_colour_bar(tmp_path: Path) -> None:
    image = torch.zeros(3, 32, 32)
    panel({"image": image}, tmp_path / "plain.png")
    panel(
        {"image": image},
        tmp_path / "bar.png",
        deviation=torch.rand(3, 32, 32),
        captions={"image": "30.00 dB"},
    )
    plain, bar = (Image.open(tmp_path / f"{name}.png") for name in ("plain", "bar"))
    assert bar.size[0] > plain.size[0] + HEIGHT * DPI
    assert bar.size[1] > plain.size[1]
    colours = np.asarray(bar.convert("RGB")).astype(int)
    assert (np.ptp(colours, axis=2) > 60).any()


def test_panel_refuses_what_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must have shape .*, got \(2, 4, 4\)"):
        panel({"image": torch.zeros(2, 4, 4)}, tmp_path / "figure.png")
    assert list(tmp_path.iterdir()) == []


def test_a_deviation_is_drawn_by_its_size(tmp_path: Path) -> None:
    deviation = torch.zeros(1, 10, 10)
    deviation[..., 5:, :] = 0.2
    panel({"image": torch.ones(1, 4, 4)}, tmp_path / "bar.png", deviation=deviation)
    drawn = np.asarray(Image.open(tmp_path / "bar.png").convert("RGB"))
    side, gap, top = round(HEIGHT * DPI), round(GAP * DPI), round(TITLE * DPI)
    bar, room = round(BAR * DPI), round((BAR + TICKS) * DPI)
    assert drawn.shape == (top + side + gap, 2 * side + 3 * gap + room, 3)
    left = 2 * gap + side
    assert drawn[top + 10, left + 10].tolist() == magma()[0].tolist()
    assert drawn[top + side - 10, left + 10].tolist() == magma()[255].tolist()
    column = drawn[top : top + side, left + side + gap // 2 + bar // 2].astype(int)
    halfway = magma()[127:129].astype(int)
    assert column[0].tolist() == magma()[255].tolist()
    assert column[-1].tolist() == magma()[0].tolist()
    assert (np.abs(column[side // 2] - halfway).max(axis=1) <= 1).any()
    ticks = drawn[top : top + side, left + side + gap // 2 + bar + 3].sum(axis=1)
    marked = np.flatnonzero(ticks < 100)
    places = [side - 1 - round(k * (side - 1) / 4) for k in range(5)]  # 0, 0.05, ... 0.2
    assert all(np.abs(marked - place).min() <= 1 for place in places)
    # A tick is two pixels wide.
    assert all(min(abs(mark - place) for place in places) <= 2 for mark in marked)


def test_without_the_letters_of_matplotlib_there_are_pillows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "find_spec", lambda _: None)
    figures._font.cache_clear()
    panel({"a name": torch.ones(1, 4, 4)}, tmp_path / "figure.png")
    figures._font.cache_clear()
    head = np.asarray(Image.open(tmp_path / "figure.png").convert("L"))[: round(TITLE * DPI)]
    assert (head < 100).any()


def test_steps_of_a_bar_are_round_and_few() -> None:
    assert _step(0.2) == pytest.approx((0.05, 2))
    assert _step(1.0) == pytest.approx((0.2, 1))
    assert _step(0.12) == pytest.approx((0.025, 3))
    assert _step(45.0) == pytest.approx((10.0, 0))
    assert _step(3e-7) == pytest.approx((1e-7, 7))


def test_small_pictures_are_squares_and_others_are_smooth(tmp_path: Path) -> None:
    for size, values in ((3, 2), (256, 3)):
        image = torch.zeros(1, size, size)
        image[..., size // 2 :] = 1
        panel({"": image}, tmp_path / "figure.png")
        drawn = np.asarray(Image.open(tmp_path / "figure.png").convert("L"))
        row = drawn[drawn.shape[0] // 2, round(GAP * DPI) : -round(GAP * DPI)]
        assert len(np.unique(row)) == values if size == 3 else len(np.unique(row)) >= values


def test_colours_are_those_of_magma() -> None:
    wanted = colormaps["magma"](range(256), bytes=True)[:, :3].astype(int)
    assert np.abs(magma().astype(int) - wanted).max() <= 3


def test_matplotlib_is_not_needed_for_a_panel(tmp_path: Path) -> None:
    code = (
        "import sys, torch; from invscore.figures import panel; image = torch.rand(1, 8, 8);"
        f"panel({{'x': image}}, {str(tmp_path / 'figure.png')!r}, deviation=image);"
        "sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
