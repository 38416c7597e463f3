"""UNets in the layout of Ho et al., of DDIM's authors and of PnP-Flow, from their weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from invscore.networks.foreign.residual_unet import Level, Shape
from invscore.priors.foreign.translate import Names, renamed


@dataclass(frozen=True)
class Layout:
    """How a code calls the parts of one network, with the level ``{i}`` and the block ``{j}``.

    Levels are numbered from the finest, also on the way up; ``corner``: a halving convolution pads
    below and right alone.
    """

    stem: str
    time: str
    head: str
    down_block: str
    down_attention: str
    up_block: str
    up_attention: str
    corner: bool


DDIM = Layout(
    stem="conv_in", time="temb.dense.0", head="conv_out",
    down_block="down.{i}.block.{j}", down_attention="down.{i}.attn.{j}",
    up_block="up.{i}.block.{j}", up_attention="up.{i}.attn.{j}",
    corner=True,
)  # fmt: skip
PNP_FLOW = Layout(
    stem="begin_conv", time="temb_net.main.0", head="end_conv.2",
    down_block="down_modules.{i}.{i}a_{j}a_block", down_attention="down_modules.{i}.{i}a_{j}b_attn",
    up_block="up_modules.{k}.{i}a_{j}a_block", up_attention="up_modules.{k}.{i}a_{j}b_attn",
    corner=False,
)  # fmt: skip


def network(weights: Mapping[str, Tensor], layout: Layout) -> dict[str, Any]:
    """Name and options of our network that ``weights`` are those of.

    Raises ``ValueError`` for names that make no such network.
    """
    try:
        return {"name": "residual-unet", **asdict(_shape(weights, layout))}
    except KeyError as error:
        raise ValueError(
            f"the weights are not those of such a UNet: there is no {error}"
        ) from error
    except IndexError as error:
        raise ValueError("the weights have not the shapes of such a UNet") from error


def _shape(weights: Mapping[str, Tensor], layout: Layout) -> Shape:
    levels = _count(weights, layout.down_block, "i", j=0)

    def level(i: int, block: str, attention: str, resampled: bool) -> Level:
        places = {"i": i, "k": levels - 1 - i}
        first = block.format(j=0, **places)
        return Level(
            weights[f"{first}.conv1.weight"].shape[0],
            _count(weights, block, "j", **places),
            heads=1 if f"{attention.format(j=0, **places)}.norm.weight" in weights else None,
            resampling="conv" if resampled else None,
        )

    down = [
        level(i, layout.down_block, layout.down_attention, i < levels - 1) for i in range(levels)
    ]
    up = [level(i, layout.up_block, layout.up_attention, i > 0) for i in range(levels)]
    if not down:
        raise KeyError(layout.down_block.format(i=0, j=0))
    time = weights[f"{layout.time}.weight"].shape
    return Shape(
        channels=weights[f"{layout.stem}.weight"].shape[1],
        out=weights[f"{layout.head}.weight"].shape[0],
        down=down,
        up=up[::-1],
        middle=1,
        time_width=time[1],
        time_out=time[0],
        eps=1e-6,
        corner=layout.corner,
        embedding={"cosine_first": False, "shift": 1},
    )


def _count(weights: Mapping[str, Tensor], block: str, letter: str, **places: int) -> int:
    """How many blocks there are, in the place of ``letter``, one after the other."""
    count = 0
    while f"{block.format(**{letter: count, **places})}.conv1.weight" in weights:
        count += 1
    return count


_BLOCKS = (
    (r"\.norm_in\.", ".norm1."),
    (r"\.conv_in\.", ".conv1."),
    (r"\.time\.", ".temb_proj."),
    (r"\.norm_out\.", ".norm2."),
    (r"\.conv_out\.", ".conv2."),
)
_DDIM = renamed(
    *_BLOCKS,
    (r"\.shortcut\.", ".nin_shortcut."),
    (r"^embed\.mlp\.0", "temb.dense.0"),
    (r"^embed\.mlp\.2", "temb.dense.1"),
    (r"^stem\.", "conv_in."),
    (r"^norm\.", "norm_out."),
    (r"^head\.", "conv_out."),
    (r"^middle\.blocks\.0\.", "mid.block_1."),
    (r"^middle\.blocks\.1\.", "mid.block_2."),
    (r"^middle\.attention\.0\.", "mid.attn_1."),
    (r"(\.attn.*)\.out\.", r"\1.proj_out."),
    (r"^(down|up)\.(\d+)\.blocks\.", r"\1.\2.block."),
    (r"^(down|up)\.(\d+)\.attention\.(\d+)\.out\.", r"\1.\2.attn.\3.proj_out."),
    (r"^(down|up)\.(\d+)\.attention\.", r"\1.\2.attn."),
    (r"^(down|up)\.(\d+)\.resample\.", r"\1.\2.\1sample.conv."),
)
_PNP_FLOW = renamed(
    *_BLOCKS,
    (r"^embed\.mlp\.", "temb_net.main."),
    (r"^stem\.", "begin_conv."),
    (r"^norm\.", "end_conv.0."),
    (r"^head\.", "end_conv.2."),
    (r"^middle\.blocks\.0\.", "mid_modules.0."),
    (r"^middle\.attention\.0\.", "mid_modules.1."),
    (r"^middle\.blocks\.1\.", "mid_modules.2."),
    (r"^(down|up)\.(\d+)\.blocks\.(\d+)\.", r"\1_modules.\2.\2a_\3a_block."),
    (r"^(down|up)\.(\d+)\.attention\.(\d+)\.", r"\1_modules.\2.\2a_\3b_attn."),
    (r"^down\.(\d+)\.resample\.", r"down_modules.\1.\1b_downsample."),
    (r"^up\.(\d+)\.resample\.", r"up_modules.\1.\1b_upsample.up_conv."),
    (r"\.out\.", ".proj_out."),
    (r"\.qkv\.", ".attn_qkv."),
)


def names(network: Mapping[str, Any], layout: Layout) -> Names:
    """The names in the file."""
    levels = len(network["up"])

    def find(ours: str) -> list[str]:
        side, _, rest = ours.partition(".")
        if side == "up":  # ours are numbered as they are passed
            place, rest = rest.split(".", 1)
            ours = f"up.{levels - 1 - int(place)}.{rest}"
        theirs = _DDIM(ours) if layout is DDIM else _PNP_FLOW(ours)
        if layout is PNP_FLOW and side == "up":
            modules, level, rest = theirs.split(".", 2)
            theirs = f"{modules}.{levels - 1 - int(level)}.{rest}"
        if "qkv." in theirs:
            return [theirs.replace("qkv.", f"{letter}.") for letter in "qkv"]
        return [theirs]

    return find
