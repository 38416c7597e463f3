"""The device to compute on, by name."""

from __future__ import annotations


def choose_device(name: str) -> str:
    """``name``, or for ``"auto"`` a CUDA GPU if there is one and the CPU otherwise.

    Raises ``ValueError`` for an unknown device or one that this machine does not have.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda", "mps"):
        here = ["auto", "cpu"]
        here += [f"cuda:{index}" for index in range(torch.cuda.device_count())]
        here += ["mps"] if torch.backends.mps.is_available() else []
        raise ValueError(f"`device` must be one of {', '.join(here)} on this machine, got {name!r}")
    return name
