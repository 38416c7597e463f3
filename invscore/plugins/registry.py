"""Functions that users choose by name: methods, samplers and baselines."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from invscore import plugins
from invscore.options import ranges
from invscore.options.argument_checks import require_type
from invscore.options.words import meant


@dataclass(frozen=True)
class Registered:
    """A function by name. Its keyword-only arguments with a default are its options."""

    kind: ClassVar[str]

    name: str
    run: Callable[..., Any]

    @property
    def summary(self) -> str:
        """The first sentence of its documentation."""
        return (inspect.getdoc(self.run) or "").split("\n\n")[0].replace("\n", " ")

    @property
    def defaults(self) -> dict[str, Any]:
        """Options and their defaults."""
        empty = inspect.Parameter.empty
        return {name: d for name, d in ranges.defaults(self.run).items() if d is not empty}

    @property
    def hints(self) -> dict[str, Any]:
        """The types of its options with their ranges: as declared, or those of the defaults."""
        declared = ranges.hints(self.run)
        return {
            name: declared.get(name, type(default) if default is not None else Any)
            for name, default in self.defaults.items()
        }

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The defaults, with ``given`` in their place.

        Raises ``ValueError`` for a name that is no option and for a value out of its range.
        """
        known, hints, called = self.defaults, self.hints, f"{self.kind} {self.name!r}"
        for name, value in given.items():
            if name not in known:
                has = f"it has {', '.join(known)}" if known else "it has none"
                raise ValueError(f"{called} has no option {name!r}: {has}{meant(name, known)}")
            ranges.require(value, hints[name], name, called)
        return {**known, **given}


AnyRegistered = TypeVar("AnyRegistered", bound=Registered)


class Registry(dict[str, AnyRegistered], Generic[AnyRegistered]):
    """The entries of a kind by name.

    ``adopt(name, found)`` makes an entry of a plug-in, see ``invscore.plugins``, of kinds that have
    them. It raises ``ValueError`` for what cannot be one.
    """

    def __init__(
        self,
        kind: str,
        adopt: Callable[[str, Any], AnyRegistered] | None = None,
        plugin: plugins.Kind | None = None,
    ) -> None:
        super().__init__()
        self.kind, self._adopt, self._plugin = kind, adopt, plugin

    def find(self, name: str) -> AnyRegistered:
        """The entry ``name``, or that of the plug-in. Raises ``ValueError`` for an unknown one."""
        require_type(
            self.kind, name, str, "its name is asked for, under which `register` enters a function"
        )
        if name in self:
            return self[name]
        known = sorted(self)
        if self._adopt is not None and self._plugin is not None:
            found = plugins.find_plugin(self._plugin, name)
            if found is not None:
                return self._adopt(name, found)
            known += sorted(plugins.installed(self._plugin))
        raise ValueError(
            f"unknown {self.kind} {name!r}: known are {', '.join(known)}{meant(name, known)}"
        )
