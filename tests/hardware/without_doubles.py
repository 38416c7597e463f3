"""A device without double precision, such as Apple's, imitated on the CPU."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

DEVICE = torch.device("privateuseone", 0)
DOUBLES = {torch.float64, torch.complex128}
TAKES_BOTH = {"aten._to_copy", "aten.copy_", "aten.index", "aten.index_put_"}
"""Operations that may have tensors of the host beside those of the device."""


LAZY = {
    "aten._conj": torch.ops.aten.conj_physical.default,
    "aten._neg_view": torch.ops.aten.neg.default,
}
"""What is done at once, as ``There`` has no bits for what is to be done later."""


class Absent:
    """What PyTorch asks of the device as a whole: there is none, so nothing else is asked."""

    def is_available(self) -> bool:
        return False

    def device_count(self) -> int:
        return 0

    def is_initialized(self) -> bool:
        return False

    def current_device(self) -> int:
        return 0

    def manual_seed_all(self, seed: int) -> None: ...

    def _is_in_bad_fork(self) -> bool:
        return False


@cache
def known() -> None:
    """Tell PyTorch that there is such a device, once in a process."""
    _setup_privateuseone_for_python_backend(rename="single", backend_module=Absent())


class There(Tensor):
    """A tensor that says it is on ``DEVICE``; its numbers are in ``here``."""

    here: Tensor

    @staticmethod
    def __new__(cls, here: Tensor) -> There:
        return Tensor._make_wrapper_subclass(  # type: ignore[attr-defined, no-any-return]
            cls,
            here.size(),
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            device=DEVICE,
        )

    def __init__(self, here: Tensor) -> None:
        self.here = here

    def tolist(self) -> Any:
        return self.here.tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError("used outside `WithoutDoubles`")


class WithoutDoubles(TorchDispatchMode):
    """Computes what is asked of ``DEVICE``, and refuses it double precision.

    Like a device it refuses to mix its tensors with those of the host, of one axis or more.
    """

    def __enter__(self) -> Any:
        self.lifting = torch._C._only_lift_cpu_tensors()
        torch._C._set_only_lift_cpu_tensors(True)  # tensors of numbers come through here too
        return super().__enter__()

    def __exit__(self, *raised: Any) -> None:
        torch._C._set_only_lift_cpu_tensors(self.lifting)
        super().__exit__(*raised)

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        there = any(isinstance(t, There) for t in tensors)
        name = str(func.overloadpacket)
        if there and name not in TAKES_BOTH:
            mixed = [t for t in tensors if not isinstance(t, There) and t.ndim]
            if mixed:
                raise RuntimeError(f"{name}: tensors on {DEVICE} and on the CPU")
        device = kwargs.get("device")
        asked = None if device is None else torch.device(device)
        if asked is not None:
            there = asked.type == DEVICE.type
            kwargs["device"] = torch.device("cpu")
        if name == "aten.copy_":
            there = isinstance(args[0], There)
        inner = tree_map(lambda t: t.here if isinstance(t, There) else t, (args, kwargs))
        lazy = LAZY.get(name, func) if there else func
        found = lazy(*inner[0], **inner[1])
        if not there or name == "aten._local_scalar_dense":
            return found
        refused = [t for t in tree_leaves(found) if isinstance(t, Tensor) and t.dtype in DOUBLES]
        if refused:
            raise TypeError(f"{name}: {DEVICE} has no {refused[0].dtype}")
        wrapped = tree_map(lambda t: There(t) if isinstance(t, Tensor) else t, found)
        return return_and_correct_aliasing(func, args, kwargs, wrapped)
