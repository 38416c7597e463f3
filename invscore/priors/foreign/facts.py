"""Facts of a checkpoint that the user gives and the file does not hold."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any


class MissingFact(ValueError):
    """The file does not tell, and nothing is guessed: the fact, by name."""


class Facts:
    """The user's words ``preset="ffhq"``, each asked for by the family that needs it.

    ``name`` is that of the family, for errors. ``assumed`` are the usual values, such as the groups
    of norms, that were taken since nothing was said.
    """

    def __init__(self, given: Mapping[str, Any], name: str = "") -> None:
        self.given, self.name = dict(given), name
        self.asked: dict[str, None] = {}
        self.assumed: dict[str, Any] = {}

    def get(self, fact: str, default: Any = None) -> Any:
        """The given fact, or ``default``, which the file tells or the format fixes."""
        self.asked[fact] = None
        return self.given.get(fact, default)

    def need(self, fact: str, why: str, allowed: Collection[Any] = ()) -> Any:
        """What was said, which the file cannot tell: ``why`` completes "`fact` must be given: ...".

        Raises ``MissingFact`` where nothing was said, ``ValueError`` for what is not ``allowed``.
        """
        self.asked[fact] = None
        listed = " or ".join(str(choice) for choice in allowed)
        if fact not in self.given:
            choices = f", {fact}={listed}" if allowed else ""
            raise MissingFact(f"`{fact}` must be given{choices}: {why} ({self.name})")
        return self.choose(fact, self.given[fact], allowed)

    def need_positive(self, fact: str, why: str, most: float = math.inf) -> float:
        """A positive number up to ``most`` that the file cannot tell.

        Raises ``MissingFact`` where nothing was said, ``ValueError`` for anything else.
        """
        said = self.need(fact, why)
        number = isinstance(said, (int, float)) and not isinstance(said, bool)
        if not number or not 0 < said <= most or math.isinf(said):
            limit = "be a positive number" if math.isinf(most) else f"lie in (0, {most:g}]"
            raise ValueError(f"`{fact}` must {limit}, got {said!r}")
        return float(said)

    def choose(self, fact: str, default: Any, allowed: Collection[Any]) -> Any:
        """The given fact or ``default``. Raises ``ValueError`` for what is not ``allowed``."""
        said = self.get(fact, default)
        if allowed and said not in allowed:
            listed = ", ".join(str(choice) for choice in allowed)
            raise ValueError(f"`{fact}` must be one of {listed}, got {said!r}")
        return said

    def usual(self, fact: str, default: Any, allowed: Collection[Any]) -> Any:
        """As ``choose``, where ``default`` is what most files of the family have."""
        self._usual(fact, default)
        return self.choose(fact, default, allowed)

    def _usual(self, fact: str, default: Any) -> Any:
        if fact not in self.given:
            self.assumed[fact] = default
        return self.get(fact, default)

    def whole(self, fact: str, default: int, low: int, high: int) -> int:
        """The given fact, a whole number from ``low`` to ``high``, or ``default``."""
        said = self._usual(fact, default)
        if type(said) is not int or not low <= said <= high:
            raise ValueError(f"`{fact}` must be a whole number from {low} to {high}, got {said!r}")
        return said

    def positive(self, fact: str, default: float) -> float:
        """The given fact, a positive number, or ``default``."""
        said = self._usual(fact, default)
        if isinstance(said, bool) or not isinstance(said, (int, float)) or not 0 < said < math.inf:
            raise ValueError(f"`{fact}` must be a positive number, got {said!r}")
        return said

    def require_used(self) -> None:
        """Raises ``ValueError`` for a fact that nobody has asked for."""
        for fact in self.given:
            if fact not in self.asked:
                raise ValueError(
                    f"`{fact}` is no fact of {self.name}: it takes {', '.join(sorted(self.asked))}"
                )
