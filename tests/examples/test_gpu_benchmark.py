"""The benchmark of a card, on the CPU: its rows, and those that its time does not reach."""

from __future__ import annotations

from scripts import run

QUICK = ["--device", "cpu", "--size", "32", "--quick"]
SAMPLERS = ("auto", "diffpir", "dps", "deepinv-diffpir", "deepinv-dps")


def printed(*options: str) -> str:
    return run("benchmarks/gpu.py", *QUICK, *options)


def test_it_prints_a_table() -> None:
    text = printed()
    for method in ("auto", "diffpir", "dps"):
        assert f"- {method} differs from the CPU by 0.0e+00" in text
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")][2:]
    names = [row[0].removeprefix("| ") for row in rows]
    asked = [f"{batch} x {precision}" for batch in (1, 2) for precision in ("float32", "bf16")]
    expected = [f"{name}, {each}" for each in asked for name in ("network", *SAMPLERS)]
    expected += ["training, 16 x float32", "training, 16 x bf16"]
    assert sorted(names) == sorted(expected)
    for row in rows:
        assert float(row[1]) > 0
        assert float(row[3].split()[0]) > 0
    assert "Not reached" not in text


def test_it_names_what_its_time_does_not_reach() -> None:
    text = printed("--minutes", "0")
    missed = text.split("Not reached: ")[1]
    assert "| network" not in text
    for name in ("network, 1 x float32", "auto, 2 x bf16", "training, 16 x bf16"):
        assert name in missed
