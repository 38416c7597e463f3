"""Recipe of a foreign checkpoint, what it was found to be, and the prior that this makes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from invscore.files.checkpoint import CheckpointError
from invscore.networks.check import counted_weights
from invscore.networks.foreign import build_foreign
from invscore.priors.denoiser import DenoiserPrior
from invscore.priors.diffusion import Diffusion
from invscore.priors.foreign.facts import Facts

MOST = 100_000
"""Largest width, depth or the like of a network that is accepted."""


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_positive(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _are_two(right: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, (list, tuple)) and len(value) == 2 and all(map(right, value))
    )


COMMON: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "range": ("two rising numbers such as (-1, 1)", _are_two(_is_number)),
    "sigma_min": ("a positive number", _is_positive),
    "sigma_max": ("a positive number", _is_positive),
    "multiple": ("a whole number from 1", _is_count),
    "size": ("a whole number from 1, or two", lambda v: _is_count(v) or _are_two(_is_count)(v)),
    "overlap": ("a whole number from 0", lambda v: type(v) is int and v >= 0),
    "mean": ("a number", _is_number),
    "deviation": ("a positive number", _is_positive),
    "symmetric": ("true or false", lambda v: type(v) is bool),
}
"""Options of ``DenoiserPrior`` that may be given for any checkpoint, each with what it must be."""


@dataclass(frozen=True)
class Recipe:
    """A network, its weights, and how it becomes a prior: everything but the weights is JSON.

    ``network``: ``{"name": ..., **options}`` for ``build_foreign``, and ``weights`` the state
    dictionary of what that builds. ``diffusion``: options of ``Diffusion``, or ``None`` for a
    network that is a denoiser D(z, s) already. ``prior``: options of ``DenoiserPrior``. ``facts``:
    what is told of it, first of all which ``weights`` were taken, ``"EMA"`` or not.
    """

    network: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    diffusion: Mapping[str, Any] | None
    prior: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def described(self) -> dict[str, Any]:
        """All but the weights, for the metadata of a file."""
        return {
            "network": dict(self.network),
            "diffusion": None if self.diffusion is None else dict(self.diffusion),
            "prior": dict(self.prior),
            "facts": dict(self.facts),
        }

    def with_facts(self, facts: Facts) -> Recipe:
        """The recipe with what the user says of the prior in place of what was found."""
        said = {name: facts.get(name) for name in COMMON if facts.get(name) is not None}
        for name, value in said.items():
            wanted, right = COMMON[name]
            if not right(value):
                raise ValueError(f"`{name}` must be {wanted}, got {value!r}")
        return Recipe(
            self.network, self.weights, self.diffusion, {**self.prior, **said}, self.facts
        )

    def build(self) -> DenoiserPrior:
        """The prior, in float32, without gradients to its weights.

        Raises ``CheckpointError`` where the weights are not those of the network.
        """
        _require_sizes(self.network)
        with torch.device("meta"), counted_weights():  # is it of a size that fits into memory?
            build_foreign(**self.network)
        network = build_foreign(**self.network)
        load_weights(network, self.weights)
        options = dict(self.prior)
        facts = dict(self.facts)
        D: nn.Module = network
        if self.diffusion is not None:
            D = Diffusion(network, **self.diffusion)
            facts["predicts"] = D.predicts
            if D.preserving:
                low, high = options.get("range", (-1.0, 1.0))
                unit = (high - low) / (2 if options.get("complex") else 1)
                for name, level in zip(("sigma_min", "sigma_max"), D.levels, strict=True):
                    options.setdefault(name, level / unit)
            options.setdefault("range", (-1.0, 1.0))
        prior = DenoiserPrior(D, facts=facts, **options)
        trained = facts.get("trained at")
        if isinstance(trained, int) and "shape" not in prior.metadata:
            prior.metadata = {"shape": [prior.channels, trained, trained]}
        return prior.float().eval().requires_grad_(False)


def _require_sizes(options: Any) -> None:
    """Raise ``ValueError`` where a number among ``options`` is larger than those of any network."""
    if isinstance(options, Mapping):
        options = list(options.values())
    if isinstance(options, (list, tuple)):
        for option in options:
            _require_sizes(option)
    elif isinstance(options, int) and options > MOST:
        raise ValueError(f"the sizes of a network must be at most {MOST}, got {options}")


def load_weights(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put ``weights`` into ``network``, all of them and nothing else.

    Raises ``CheckpointError`` that names the first that are missing, left over, of another shape
    or not finite.
    """
    known = network.state_dict()
    missing = [name for name in known if name not in weights]
    over = [name for name in weights if name not in known]
    other = [n for n, w in weights.items() if n in known and w.shape != known[n].shape]
    if missing or over or other:
        parts = []
        if missing:
            parts.append(f"{len(missing)} are missing, such as {missing[0]!r}")
        if over:
            parts.append(f"{len(over)} are left over, such as {over[0]!r}")
        if other:
            name = other[0]
            shapes = f"{tuple(weights[name].shape)} for {tuple(known[name].shape)}"
            parts.append(f"{len(other)} have another shape, such as {name!r}, {shapes}")
        raise CheckpointError(
            f"the weights are not those of a {type(network).__name__} of this form: "
            f"{'; '.join(parts)}"
        )
    for name, weight in weights.items():
        if weight.is_complex() or not bool(weight.isfinite().all()):
            raise CheckpointError(f"the weight {name!r} is not finite and real")
    with torch.no_grad():
        network.load_state_dict(dict(weights), strict=True)
