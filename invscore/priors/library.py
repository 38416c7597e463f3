"""Priors by name, by file, or by what somebody has in memory."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import torch

from invscore.files.checkpoint import CheckpointError, is_checkpoint, read_metadata
from invscore.hardware.devices import choose_device
from invscore.options.literals import parse_options
from invscore.options.words import meant
from invscore.plugins import find_plugin, installed
from invscore.priors.base import Prior
from invscore.priors.denoiser import DenoiserPrior
from invscore.priors.denoiser_check import check_denoiser
from invscore.priors.detail import shipped_law
from invscore.priors.energy import EnergyPrior
from invscore.priors.from_object import as_prior
from invscore.priors.network import NetworkPrior
from invscore.priors.own_images import own_images
from invscore.priors.stored import FOREIGN

SUFFIX = ".safetensors"


def available_priors() -> dict[str, dict[str, Any]]:
    """The priors that come with invscore: their metadata by name.

    >>> from invscore.priors import available_priors
    >>> sorted(available_priors())
    ['brain-mri', 'digits', 'digits-early', 'digits-energy', 'photos', 'photos-gray', \
'photos-gray-small', 'photos-small']
    """
    return {name: read_metadata(path) for name, path in sorted(_shipped().items())}


def load_prior(
    source: object,
    *,
    device: torch.device | str | None = None,
    check: bool = True,
    **facts: Any,
) -> Prior:
    """The prior that ``source`` names, on ``device``: ``"auto"`` is a GPU where there is one.

    - the name of one that comes with invscore, or a ``.safetensors`` file of ours;
    - a file or folder of another code, see ``docs/checkpoints.md``, with the ``facts`` that it does
      not tell: ``load_prior("ffhq_10m.pt", preset="ffhq")``;
    - ``"file.py:name"``, ``"package.module:name"`` or the name under which an installed package has
      entered it, see ``invscore.plugins``: a prior, or what ``facts`` make one of;
    - a string with its facts in brackets, ``"ffhq_10m.pt(preset=ffhq)"``;
    - an object: a prior, a denoiser or a network, the latter two with the arguments of
      ``DenoiserPrior`` or ``DiffusionPrior`` as ``facts``.

    Unless ``check`` is false, the denoiser of a foreign file is tested in a short form, by
    ``check_denoiser`` on an image of its own, and a warning tells what fails.

    Raises ``CheckpointError`` where there is no such prior or the file cannot be read, and
    ``ValueError`` for facts that are missing, unknown or wrong, or a device that is not here.

        >>> from invscore import load_prior
        >>> prior = load_prior("digits")
        >>> prior.shape if hasattr(prior, "shape") else prior.channels
        1
    """
    if isinstance(source, (str, Path)):
        place, said = split_facts(str(source))
        check = said.pop("check", check)
        prior = _named(place, {**said, **facts})
    else:
        prior = as_prior(source, facts)
    move = getattr(prior, "to", None)
    if isinstance(device, str):
        device = choose_device(device)
    prior = prior if device is None or move is None else move(device)
    if check and type(prior) is DenoiserPrior and not prior.metadata.get("check"):
        _warn_if_no_denoiser(prior)
    return prior


def split_facts(text: str) -> tuple[str, dict[str, Any]]:
    """A prior as the command line writes it, ``"PATH(key=value, ...)"``: its path and facts.

    A path that exists, brackets and all, is one. Raises ``ValueError`` where facts are malformed.
    """
    if not text.endswith(")") or "(" not in text or Path(text).exists():
        return text, {}
    place = text[: text.index("(")]
    for end in (k for k, character in enumerate(text) if character == "("):
        if Path(text[:end]).exists():
            place = text[:end]
            break
    return place, parse_options(text[len(place) + 1 : -1], f"prior {text!r}")


def _warn_if_no_denoiser(prior: Prior) -> None:
    """Warn where a short test of the denoiser fails."""
    images = own_images(prior, 1, steps=8)
    if images is None:
        return
    report = check_denoiser(prior, images, quick=True)
    if not report.ok:
        likely = f"; likely, {report.likely}" if report.likely else ""
        warnings.warn(
            f"the prior does not behave like a denoiser: {report.failures[0]}{likely} ('invscore "
            "priors check' tells more)",
            stacklevel=3,
        )


def prior_class(metadata: Mapping[str, Any]) -> type[NetworkPrior]:
    """The class of the prior that ``metadata`` of a checkpoint describe."""
    architecture = metadata.get("architecture")
    energy = isinstance(architecture, Mapping) and architecture.get("energy") is True
    return EnergyPrior if energy else NetworkPrior


def _named(name: str, facts: Mapping[str, Any]) -> Prior:
    path = _shipped().get(name, Path(name))
    if not path.exists():
        found = find_plugin("prior", name)
        if found is not None:
            return as_prior(found, facts, name)
        known = sorted({*_shipped(), *installed("prior")})
        raise CheckpointError(
            f"prior {name!r} is neither a file nor one of {', '.join(known)}{meant(name, known)}"
        )
    if not is_checkpoint(path):
        # Imported where used: the table of families takes a third of a second.
        from invscore.priors.foreign.loading import load_foreign

        return load_foreign(path, facts)
    metadata = read_metadata(path)
    own = {key: value for key, value in facts.items() if key == "network"}
    if len(own) < len(facts):
        raise ValueError(
            f"prior {name!r} says everything itself but a network of one's own: it takes no facts, "
            f"got {', '.join(facts)}"
        )
    if FOREIGN in metadata:
        from invscore.priors.foreign.loading import load_imported

        return load_imported(path)
    prior = prior_class(metadata).load(path, **own)
    if name in _shipped():
        prior.detail = shipped_law(name)
    return prior


def _shipped() -> dict[str, Path]:
    folder = Path(str(resources.files("invscore.priors.shipped")))
    return {path.stem: path for path in folder.glob(f"*{SUFFIX}")}
