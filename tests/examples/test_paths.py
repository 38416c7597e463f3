"""The examples of paths between noise and data run, and say what they show."""

from __future__ import annotations

import re
from pathlib import Path

from scripts import run


def printed(name: str, figure: Path, *arguments: str) -> list[str]:
    text = run(name, str(figure), *arguments)
    assert figure.stat().st_size > 20_000
    return text.splitlines()


def test_reverse_sde_and_flow_have_one_law(tmp_path: Path) -> None:
    count = 1000
    lines = printed("reverse_sde_and_flow.py", tmp_path / "f.png", str(count))
    assert [line.split(":")[0] for line in lines] == ["reverse-time SDE", "probability flow"]
    for line in lines:
        shares = [float(number) / 100 for number in re.findall(r"([\d.]+)%", line)]
        for share, weight in zip(shares, (0.4, 0.2, 0.4), strict=True):
            assert abs(share - weight) < 5 * (weight * (1 - weight) / count) ** 0.5


def test_the_homotopy_ends_on_the_highest_mode(tmp_path: Path) -> None:
    lines = printed("homotopy.py", tmp_path / "f.png")
    heights = [float(re.findall(r"density ([\d.]+)", line)[0]) for line in lines]
    homotopy, *plain = heights
    assert homotopy == max(plain)
    assert sum(height < 0.7 * homotopy for height in plain) >= 4
