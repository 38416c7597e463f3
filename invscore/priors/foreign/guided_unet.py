"""A ``UNetModel`` of guided-diffusion: our network from the shapes of its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from torch import Tensor

from invscore.networks.foreign.residual_unet import Level, Shape
from invscore.priors.foreign.translate import Names, renamed

Heads = Callable[[int], int]
"""Number of attention heads as a function of the width."""


def network(weights: Mapping[str, Tensor], heads: Heads, by_head: bool) -> dict[str, Any]:
    """Name and options of our network that ``weights`` are those of.

    Levels are counted on the way up, where each ends in a layer that doubles the size: a residual
    block that halves it has the weights of any other. Raises ``ValueError`` for names or shapes
    that make no such network.
    """
    try:
        return {"name": "residual-unet", **asdict(_shape(weights, heads, by_head))}
    except KeyError as error:
        raise ValueError(
            f"the weights are not those of a UNetModel of guided-diffusion: there is no {error}"
        ) from error
    except IndexError as error:
        raise ValueError("the weights have not the shapes of guided-diffusion's") from error


def _shape(weights: Mapping[str, Tensor], heads: Heads, by_head: bool) -> Shape:
    ups = _count(weights, "output_blocks")
    ends = [place for place in range(ups) if _resampling(weights, place)]
    levels = len(ends) + 1
    per_level = ups // levels
    if ups != per_level * levels or ends != [per_level * (i + 1) - 1 for i in range(levels - 1)]:
        raise ValueError(
            f"the weights are not those of a UNetModel of guided-diffusion: its {ups} output "
            f"blocks are of {levels} resolutions"
        )

    def attention(place: str, width: int) -> int | None:
        return heads(width) if f"{place}.1.qkv.weight" in weights else None

    def width(place: str) -> int:
        return weights[f"{place}.0.out_layers.3.weight"].shape[0]

    down = []
    for level in range(levels):
        first = 1 + level * per_level
        place, closing = f"input_blocks.{first}", f"input_blocks.{first + per_level - 1}.0"
        kind = "conv" if f"{closing}.op.weight" in weights else "residual"
        wide = width(place)
        last = level == levels - 1
        down.append(
            Level(wide, per_level - 1, attention(place, wide), None if last else kind)  # type: ignore[arg-type]
        )
    up = []
    for level in range(levels):
        place = f"output_blocks.{level * per_level}"
        wide = width(place)
        end = level * per_level + per_level - 1
        up.append(
            Level(wide, per_level, attention(place, wide), _resampling(weights, end))  # type: ignore[arg-type]
        )
    block = "middle_block.0"
    wide = weights[f"{block}.out_layers.3.weight"].shape[0]
    time = weights["time_embed.0.weight"].shape
    labels = weights.get("label_emb.weight")
    return Shape(
        channels=weights["input_blocks.0.0.weight"].shape[1],
        out=weights["out.2.weight"].shape[0],
        down=down,
        up=up,
        middle=heads(wide),
        time_width=time[1],
        time_out=time[0],
        scale_shift=weights[f"{block}.emb_layers.1.weight"].shape[0] == 2 * wide,
        by_head=by_head,
        embedding={"classes": None if labels is None else labels.shape[0]},
    )


def _count(weights: Mapping[str, Tensor], part: str) -> int:
    places = {int(name.split(".")[1]) for name in weights if name.startswith(f"{part}.")}
    return max(places, default=-1) + 1


def _resampling(weights: Mapping[str, Tensor], place: int) -> str | None:
    """Way in which the output block doubles the size, if it does: by its second or third layer."""
    for layer in (1, 2):
        if f"output_blocks.{place}.{layer}.conv.weight" in weights:
            return "conv"
        if f"output_blocks.{place}.{layer}.in_layers.0.weight" in weights:
            return "residual"
    return None


_RENAMED = renamed(
    (r"^embed\.mlp\.", "time_embed."),
    (r"^embed\.label\.", "label_emb."),
    (r"^stem\.", "input_blocks.0.0."),
    (r"^norm\.", "out.0."),
    (r"^head\.", "out.2."),
    (r"^middle\.blocks\.0\.", "middle_block.0."),
    (r"^middle\.attention\.0\.", "middle_block.1."),
    (r"^middle\.blocks\.1\.", "middle_block.2."),
    (r"\.norm_in\.", ".in_layers.0."),
    (r"\.conv_in\.", ".in_layers.2."),
    (r"\.time\.", ".emb_layers.1."),
    (r"\.norm_out\.", ".out_layers.0."),
    (r"\.conv_out\.", ".out_layers.3."),
    (r"\.shortcut\.", ".skip_connection."),
    (r"(_blocks?\..*)\.out\.", r"\1.proj_out."),
)


def names(network: Mapping[str, Any]) -> Names:
    """The names in the file, which numbers all blocks of a side in one row."""
    down, up = network["down"], network["up"]

    def find(ours: str) -> list[str]:
        side, _, rest = ours.partition(".")
        if side not in ("down", "up"):
            return [_RENAMED(ours)]
        level, part, rest = rest.split(".", 2)
        per_level = up[0]["blocks"]
        before = int(level) * per_level + (side == "down")
        blocks = "input_blocks" if side == "down" else "output_blocks"
        if part == "resample" and side == "down":
            place, layer = before + down[int(level)]["blocks"], "0"
            rest = rest if "." in rest else f"op.{rest}"
        elif part == "resample":
            attended = up[int(level)]["heads"] is not None
            place, layer = before + per_level - 1, "2" if attended else "1"
            rest = rest if "." in rest else f"conv.{rest}"
        else:
            index, rest = rest.split(".", 1)
            place, layer = before + int(index), "0" if part == "blocks" else "1"
        return [_RENAMED(f"{blocks}.{place}.{layer}.{rest}")]

    return find
