"""A report counts what cannot be evaluated as failed, and reads as a table."""

import pytest

from invscore.report import Report


def broken() -> float:
    raise ZeroDivisionError("sorry")


def test_rows() -> None:
    report = Report("Mine")
    report.add("exact", lambda: 0.0, 0.0, "is off")
    report.add("at the tolerance", lambda: 1e-3, 1e-3, "is off")
    assert report.ok
    report.raise_if_failed()
    report.add("beyond", lambda: 1.1e-3, 1e-3, "is off")
    report.add("nan", lambda: float("nan"), 1e-3, "is no number")
    report.add("raises", broken, 1e-3, "is broken")
    assert not report.ok
    assert [row.name for row in report.rows if not row.passed] == ["beyond", "nan", "raises"]
    with pytest.raises(
        ValueError, match=r"^Mine does not keep the contract: beyond \(is off\), nan"
    ):
        report.raise_if_failed()


def test_table() -> None:
    report = Report("Mine")
    assert str(report) == "Mine: ok"
    report.add("a", lambda: 2e-5, 1e-3, "is off")
    report.add("longer name", broken, 1e-9, "is broken")
    assert str(report).splitlines() == [
        "Mine: FAILED",
        "  a             2.0e-05  (at most 1e-03)  ok",
        "  longer name       nan  (at most 1e-09)  FAILED: is broken; "
        "it raised ZeroDivisionError: sorry",
    ]
