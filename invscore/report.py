"""Report of a contract check: a row for each property, printed as a table."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """One property: its relative ``error``, NaN where it cannot be evaluated."""

    name: str
    error: float
    tolerance: float
    message: str

    @property
    def passed(self) -> bool:
        return self.error <= self.tolerance


@dataclass
class Report:
    """The properties of ``subject`` that a check has looked at."""

    subject: str
    rows: list[Row] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every property holds."""
        return all(row.passed for row in self.rows)

    def raise_if_failed(self) -> None:
        """Raises ``ValueError`` with one sentence that tells what does not hold."""
        failed = [f"{row.name} ({row.message})" for row in self.rows if not row.passed]
        if failed:
            raise ValueError(f"{self.subject} does not keep the contract: {', '.join(failed)}")

    def add(self, name: str, error: Callable[[], float], tolerance: float, message: str) -> None:
        """Look at one property. One that cannot be evaluated does not hold."""
        try:
            value = error()
        except Exception as failure:
            value, message = math.nan, f"{message}; {_raised(failure)}"
        self.rows.append(Row(name, value, tolerance, message))

    def require(self, name: str, fault: Callable[[], str]) -> None:
        """Look at a property that no number measures: ``fault()`` tells what is wrong, if it is."""
        try:
            message = fault()
            value = float(bool(message))
        except Exception as failure:
            value, message = math.nan, _raised(failure)
        self.rows.append(Row(name, value, 0.0, message))

    def __str__(self) -> str:
        width = max((len(row.name) for row in self.rows), default=0)
        lines = [f"{self.subject}: {'ok' if self.ok else 'FAILED'}"]
        for row in self.rows:
            verdict = "ok" if row.passed else f"FAILED: {row.message}"
            lines.append(
                f"  {row.name:<{width}}  {row.error:8.1e}  (at most {row.tolerance:.0e})  {verdict}"
            )
        return "\n".join(lines)


def _raised(failure: Exception) -> str:
    notes = getattr(failure, "__notes__", ())
    return "; ".join([f"it raised {type(failure).__name__}: {failure}", *notes])
