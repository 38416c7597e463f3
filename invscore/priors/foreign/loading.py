"""Loading of foreign checkpoints, and their import into files of our own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from invscore.files.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from invscore.priors.denoiser import DenoiserPrior
from invscore.priors.foreign.containers import Content, open_content
from invscore.priors.foreign.facts import Facts
from invscore.priors.foreign.families import FAMILIES, LAST_REFUSALS, REFUSALS
from invscore.priors.foreign.family import Family
from invscore.priors.foreign.recipe import Recipe
from invscore.priors.stored import FOREIGN

Made = TypeVar("Made")

WORDS = {
    **{str: "text", bytes: "bytes", type(None): "nothing", bool: "true or false"},
    **{int: "a number", float: "a number", list: "a list", tuple: "a list", Tensor: "one tensor"},
}
"""Names of the types that a file may hold in place of a mapping."""


def load_foreign(path: Path, facts: Mapping[str, Any]) -> DenoiserPrior:
    """The prior in a file or folder of another code, with the ``facts`` that it doesn't tell.

    Raises ``CheckpointError``, in one sentence that names ``path``, for files that cannot be read
    or are of no known family, and for facts that are missing or unknown.

    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from diffusers import DDPMScheduler, UNet2DModel
    >>> from invscore.priors.foreign import load_foreign
    >>> folder = Path(tempfile.mkdtemp())
    >>> sizes = {"block_out_channels": (32,), "in_channels": 1, "out_channels": 1}
    >>> blocks = {"down_block_types": ("DownBlock2D",), "up_block_types": ("UpBlock2D",)}
    >>> UNet2DModel(sample_size=8, **sizes, **blocks).save_pretrained(folder / "unet")
    >>> DDPMScheduler().save_pretrained(folder / "scheduler")
    >>> load_foreign(folder, {}).channels
    1
    """
    return named(path, lambda: _read(path, facts).build())


def read_foreign(path: Path, facts: Mapping[str, Any]) -> Recipe:
    """What the file or folder is found to be. Raises as ``load_foreign`` does.

    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from diffusers import DDPMScheduler, UNet2DModel
    >>> from invscore.priors.foreign import read_foreign
    >>> folder = Path(tempfile.mkdtemp())
    >>> sizes = {"block_out_channels": (32,), "in_channels": 1, "out_channels": 1}
    >>> blocks = {"down_block_types": ("DownBlock2D",), "up_block_types": ("UpBlock2D",)}
    >>> UNet2DModel(sample_size=8, **sizes, **blocks).save_pretrained(folder / "unet")
    >>> DDPMScheduler().save_pretrained(folder / "scheduler")
    >>> sorted(read_foreign(folder, {}).facts)[:2]
    ['format', 'source']
    """
    return named(path, lambda: _read(path, facts))


def _read(path: Path, facts: Mapping[str, Any]) -> Recipe:
    content = open_content(path)
    said = Facts(facts)
    name = said.get("family")
    family = recognise(content) if name is None else find_family(name)
    said.name = family.title
    recipe = family.read(content, said).with_facts(said)
    said.require_used()
    known = {name: fact for name, fact in recipe.facts.items() if fact is not None}
    told = {"format": family.title, **known, "source": content.digest()}
    if said.assumed:
        usual = (f"{name}={value}" for name, value in said.assumed.items())
        told["taken as usual"] = ", ".join(usual)
    return Recipe(recipe.network, recipe.weights, recipe.diffusion, recipe.prior, told)


def recognise(content: Content) -> Family:
    """The family of ``content``. Raises ``CheckpointError`` where there is none, and says why."""
    for refusal in REFUSALS:
        if refusal.recognise(content):
            raise CheckpointError(f"it is {refusal.title}: {refusal.why}")
    for family in FAMILIES:
        if family.recognise(content):
            return family
    for refusal in LAST_REFUSALS:
        if refusal.recognise(content):
            raise CheckpointError(f"it is {refusal.title}: {refusal.why}")
    raise CheckpointError(f"it is of no known family: {_seen(content)}")


def find_family(name: str) -> Family:
    """The family called ``name``. Raises ``ValueError`` for an unknown one."""
    known = {family.name: family for family in FAMILIES}
    if name not in known:
        raise ValueError(f"`family` must be one of {', '.join(known)}, got {name!r}")
    return known[name]


def save_recipe(path: Path, recipe: Recipe, check: Mapping[str, Any]) -> None:
    """Write the prior to a ``.safetensors`` file that needs no other library.

    ``check`` is what the self-test has found.
    """
    metadata = {FOREIGN: recipe.described(), "check": dict(check)}
    weights = {name: weight.clone() for name, weight in recipe.weights.items()}
    save_checkpoint(path, weights, metadata)


def load_imported(path: Path) -> DenoiserPrior:
    """The prior in a file that ``save_recipe`` wrote. Raises ``CheckpointError``."""
    weights, metadata = load_checkpoint(path)

    def build() -> DenoiserPrior:
        described = metadata[FOREIGN]
        prior = Recipe(weights=weights, **described).build()
        prior.metadata = {**prior.metadata, **metadata}
        return prior

    return named(path, build)


def named(path: Path, build: Callable[[], Made]) -> Made:
    """Result of ``build()``, whose errors speak of the file."""
    try:
        return build()
    except (
        LookupError,
        ArithmeticError,
        TypeError,
        ValueError,
        AttributeError,
        RuntimeError,
        MemoryError,
    ) as error:
        text = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        text = text or f"it cannot be read ({type(error).__name__})"
        if str(path) in text:
            raise CheckpointError(text) from error
        raise CheckpointError(f"checkpoint {str(path)!r}: {text}") from error


def _seen(content: Content) -> str:
    """The first names in it, for somebody who knows the file."""
    if isinstance(content.data, Mapping):
        names = [str(name) for name in content.data]
        some = ", ".join(names[:4])
        tail = f" and {len(names) - 4} more" if len(names) > 4 else ""
        tensors = sum(isinstance(value, Tensor) for value in content.data.values())
        return f"it holds {some or 'nothing'}{tail} ({tensors} of them tensors)"
    return f"it holds {WORDS.get(type(content.data), f'a {type(content.data).__name__}')}"
