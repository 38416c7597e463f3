"""Figures of the imaging benchmark: curves of PSNR against cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from matplotlib.axes import Axes

from invscore.bench.imaging.figures import cost_figure, curve_of


@pytest.mark.parametrize(
    ("label", "curve"),
    [
        ("dpir-8", "dpir"),
        ("auto", "auto"),
        ("auto-5-of-2", "auto-of-2"),
        ("auto-5 small", "auto small"),
        ("pnp-bm3d", "pnp-bm3d"),
        ("sigma-0.5", "sigma-0.5"),
    ],
)
def test_labels_without_their_number(label: str, curve: str) -> None:
    assert curve_of(label) == curve


def test_points_of_a_curve_are_joined_in_the_order_of_their_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[list[float], list[float]]] = []
    levels: list[float] = []
    errorbar, line = Axes.errorbar, Axes.axhline

    def joined(axes: Axes, x: Any, y: Any, **style: Any) -> Any:
        drawn.append((x, y))
        return errorbar(axes, x, y, **style)

    def across(axes: Axes, y: float, **style: Any) -> Any:
        levels.append(y)
        return line(axes, y, **style)

    monkeypatch.setattr(Axes, "errorbar", joined)
    monkeypatch.setattr(Axes, "axhline", across)
    rows = [("auto-20", 9.0, 26.0), ("dpir-8", 1.0, 24.0), ("auto-5", 2.0, 25.0), ("y", None, 20.0)]
    means = [
        {"task": "blur", "method": method, "seconds": seconds, "psnr": psnr, "psnr_se": None}
        for method, seconds, psnr in rows
    ]
    cost_figure(means, "seconds", "seconds for an image", tmp_path / "figure.png")
    assert drawn == [([2.0, 9.0], [25.0, 26.0]), ([1.0], [24.0])]
    assert levels == [20.0]
    assert (tmp_path / "figure.png").stat().st_size > 1000
