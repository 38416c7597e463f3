"""What a calibration is tied to, as the command line tells it."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch

from invscore.priors.network import NetworkPrior
from invscore.tasks.builtin import option_defaults
from invscore.tasks.method_options import Choice
from invscore.tasks.specs import Spec


def describe_setting(
    spec: Spec,
    prior: str,
    network: NetworkPrior,
    info: Choice,
    options: Mapping[str, Any],
    *,
    samples: int,
    noise: float,
    scale: float | Literal["auto"],
) -> dict[str, Any]:
    """Method, operator, prior and all that changes intervals, defaults written out."""
    return {
        "method": info.name,
        "options": info.options(options),
        "samples": samples,
        "operator": _operator(spec),
        "noise": noise,
        "prior": f"{Path(prior).stem} ({weights_digest(network)})",
        "scale": scale,
    }


def _operator(spec: Spec) -> dict[str, Any]:
    if spec.file is not None:
        return {"name": f"{spec.file.name}:{spec.name}", **spec.options}
    known = option_defaults(spec.name).items()
    defaults = {name: value for name, value in known if value is not inspect.Parameter.empty}
    return {"name": spec.name, **defaults, **spec.options}


def weights_digest(network: NetworkPrior) -> str:
    """Twelve digits that tell one set of weights from another."""
    total = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        total.update(name.encode())
        total.update(tensor.detach().cpu().flatten().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()[:12]
