"""Setting to which a calibration is tied, as the command line tells it."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from invscore.plugins.registry import Registered
from invscore.priors.base import Prior
from invscore.priors.denoiser import DenoiserPrior
from invscore.tasks.builtin import option_defaults
from invscore.tasks.noises import Declared
from invscore.tasks.specs import Spec


def describe_setting(
    spec: Spec,
    prior: str,
    network: Prior,
    info: Registered,
    options: Mapping[str, Any],
    *,
    samples: int,
    noise: Declared | Literal["auto"],
    scale: float | Literal["auto"],
) -> dict[str, Any]:
    """Method, operator, prior and all that changes intervals, defaults written out."""
    return {
        "method": info.name,
        "options": info.options(options),
        "samples": samples,
        "operator": _operator(spec),
        "noise": noise if isinstance(noise, float | str) else str(noise),
        "prior": f"{Path(prior).stem} ({weights_digest(network)})",
        "scale": scale,
    }


def _operator(spec: Spec) -> dict[str, Any]:
    if spec.is_plugin:
        return {"name": Path(spec.address).name, **spec.options}
    known = option_defaults(spec.name).items()
    defaults = {name: value for name, value in known if value is not inspect.Parameter.empty}
    return {"name": spec.name, **defaults, **spec.options}


def weights_digest(network: Prior) -> str:
    """Twelve digits that tell one set of weights from another."""
    total = hashlib.sha256()
    weights = network.state_dict() if isinstance(network, nn.Module) else _tensors(network)
    if isinstance(network, DenoiserPrior):
        total.update(repr(network.facts).encode())
    for name, tensor in sorted(weights.items()):
        total.update(name.encode())
        total.update(tensor.detach().cpu().flatten().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()[:12]


def _tensors(prior: Prior) -> dict[str, Tensor]:
    return {name: value for name, value in vars(prior).items() if isinstance(value, Tensor)}
