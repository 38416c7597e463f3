"""Modules that have moved, which can be imported from where they were, with a warning."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType
from typing import Any

ROOMS = {
    "cli": "stopping",
    "estimation": "blur_kernel noise_level noise_map noise_of_kspace scale stein",
    "files": "checkpoint plain_json plain_yaml",
    "hardware": "doubles memory precision",
    "options": "config faults literals ranges words",
    "plugins": "modules registry",
    "running": "finite places probing",
    "uncertainty": "excerpt",
}
"""Modules that used to be at the top of the package, by the subpackage where they are now."""

MOVED = {
    **{module: f"{room}.{module}" for room, modules in ROOMS.items() for module in modules.split()},
    "estimation.finest": "estimation.finest_differences",
    "estimation.flattest": "estimation.flattest_regions",
    "hardware.held": "hardware.tensor_memory",
    "held": "hardware.tensor_memory",
    "methods.start": "methods.common.initial_guess",
    "methods.tempering": "methods.common.tempering",
    "operators.room": "operators.memory_check",
    "options.given": "options.argument_checks",
    "priors.evaluated": "priors.reduced_precision",
    "priors.live": "priors.from_object",
    "priors.looked_at": "priors.receptive_field",
    "readers.own": "readers.plugin",
    "readers.room": "readers.memory_check",
    "tasks.found": "tasks.inferred_facts",
    "tasks.noisy": "tasks.noise_laws",
    "tasks.told": "tasks.header_facts",
    "training.board": "training.tensorboard",
}
"""All modules that have moved, and where to."""

RENAMED = {"begin": "initial_guess", "Holding": "TensorMemory"}
"""Old names of functions in these modules, and the new ones."""


class _Former(MetaPathFinder, Loader):
    """Asked before all others: a file that an older version has left must not be found."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        known = fullname.removeprefix("invscore.") in MOVED and fullname.startswith("invscore.")
        return spec_from_loader(fullname, self) if known else None

    def exec_module(self, module: ModuleType) -> None:
        former = module.__name__.removeprefix("invscore.")
        now = f"invscore.{MOVED[former]}"
        found = import_module(now)
        warnings.warn(f"{module.__name__} is now {now}", FutureWarning, stacklevel=2)

        def forwarded(name: str) -> Any:
            return getattr(found, RENAMED.get(name, name))

        module.__dict__["__getattr__"] = forwarded
        module.__dict__["__dir__"] = lambda: dir(found)


def serve() -> None:
    """Let former places be imported, once in a process."""
    if not any(isinstance(finder, _Former) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Former())
