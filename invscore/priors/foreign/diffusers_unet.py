"""A ``UNet2DModel`` of diffusers: from its config.json to our network, and its names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from invscore.networks.foreign.blocks import ACTIVATIONS
from invscore.networks.foreign.residual_unet import Level, Resampling, Shape
from invscore.networks.foreign.skip_unet import SkipLevel, SkipShape
from invscore.priors.foreign.translate import Names, renamed

BLOCKS = {
    "DownBlock2D": (False, "conv"),
    "AttnDownBlock2D": (True, None),  # as "downsample_type" says
    "ResnetDownsampleBlock2D": (False, "residual"),
    "UpBlock2D": (False, "conv"),
    "AttnUpBlock2D": (True, None),
    "ResnetUpsampleBlock2D": (False, "residual"),
}
"""Blocks by name: whether they have attention, and how they change the size."""

LARGEST = 10_000
"""Largest number of channels or layers that is accepted."""

SKIP_BLOCKS = {
    "SkipDownBlock2D": False,
    "AttnSkipDownBlock2D": True,
    "SkipUpBlock2D": False,
    "AttnSkipUpBlock2D": True,
}

DEFAULTS: dict[str, Any] = {
    "in_channels": 3,
    "out_channels": 3,
    "center_input_sample": False,
    "time_embedding_type": "positional",
    "time_embedding_dim": None,
    "freq_shift": 0,
    "flip_sin_to_cos": True,
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
    "mid_block_type": "UNetMidBlock2D",
    "up_block_types": ("AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
    "block_out_channels": (224, 448, 672, 896),
    "layers_per_block": 2,
    "mid_block_scale_factor": 1,
    "downsample_padding": 1,
    "downsample_type": "conv",
    "upsample_type": "conv",
    "act_fn": "silu",
    "attention_head_dim": 8,
    "norm_num_groups": 32,
    "attn_norm_num_groups": None,
    "norm_eps": 1e-5,
    "resnet_time_scale_shift": "default",
    "add_attention": True,
    "class_embed_type": None,
    "num_class_embeds": None,
    "num_train_timesteps": None,
}
"""Values of the entries that a config leaves out."""


def network(config: Mapping[str, Any]) -> dict[str, Any]:
    """Name and options of our network that computes what ``config`` describes.

    Raises ``ValueError`` for a part that is not known.
    """
    given = DEFAULTS | {key: config[key] for key in DEFAULTS if key in config}
    _require_sizes(given)
    kinds = [*given["down_block_types"], *given["up_block_types"]]
    if all(kind in SKIP_BLOCKS for kind in kinds):
        return {"name": "skip-unet", **asdict(_skip_shape(given))}
    unknown = [kind for kind in kinds if kind.removeprefix("UNetRes") not in BLOCKS]
    if unknown:
        raise ValueError(
            f"its config has a block {unknown[0]!r}: {', '.join([*BLOCKS, *SKIP_BLOCKS])} are known"
        )
    return {"name": "residual-unet", **asdict(_shape(given))}


def _require_sizes(given: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` where numbers make no network, or one that nobody has."""
    widths = given["block_out_channels"]
    sides = given["down_block_types"], given["up_block_types"]
    if not isinstance(widths, (list, tuple)) or any(
        not isinstance(side, (list, tuple)) or len(side) != len(widths) for side in sides
    ):
        raise ValueError(
            "its config must have block_out_channels, down_block_types and up_block_types of one "
            f"length, got {widths!r}, {sides[0]!r} and {sides[1]!r}"
        )
    numbers = {
        "block_out_channels": widths,
        "layers_per_block": [given["layers_per_block"]],
        "in_channels": [given["in_channels"]],
        "out_channels": [given["out_channels"]],
    }
    for key, values in numbers.items():
        for value in values:
            if type(value) is not int or not 1 <= value <= LARGEST:
                raise ValueError(
                    f"its config must have whole numbers from 1 to {LARGEST} as {key}, "
                    f"got {value!r}"
                )


def _require(given: Mapping[str, Any], key: str, allowed: Sequence[Any]) -> Any:
    if given[key] not in allowed:
        choices = ", ".join(map(repr, allowed))
        raise ValueError(f"its config has {key} {given[key]!r}: {choices} are known")
    return given[key]


def _embedding(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of ``TimeEmbedding``."""
    kinds = {"positional": "sinusoid", "fourier": "fourier", "learned": "table"}
    classes = {None: "table", "timestep": "time"}
    return {
        "kind": kinds[_require(given, "time_embedding_type", list(kinds))],
        "cosine_first": given["flip_sin_to_cos"],
        "shift": given["freq_shift"],
        "times": given["num_train_timesteps"] or 0,
        "classes": given["num_class_embeds"],
        "class_kind": classes[_require(given, "class_embed_type", list(classes))],
    }


def _common(given: Mapping[str, Any]) -> dict[str, Any]:
    widths = given["block_out_channels"]
    _require(given, "mid_block_type", ["UNetMidBlock2D", None])
    return {
        "channels": given["in_channels"],
        "out": given["out_channels"],
        "time_width": widths[0],
        "time_out": given["time_embedding_dim"] or 4 * widths[0],
        "eps": given["norm_eps"],
        "act": _require(given, "act_fn", list(ACTIVATIONS)),
        "over_time": given["time_embedding_type"] == "fourier",
        "centre": given["center_input_sample"],
        "middle_scale": given["mid_block_scale_factor"],
        "embedding": _embedding(given),
    }


def _heads(given: Mapping[str, Any], width: int) -> int:
    head = given["attention_head_dim"] or width
    if width % head:
        raise ValueError(
            f"its config has an attention_head_dim of {head}, which does not divide {width}"
        )
    return width // head


def _shape(given: Mapping[str, Any]) -> Shape:
    widths = list(given["block_out_channels"])
    scale_shift = _require(given, "resnet_time_scale_shift", ["default", "scale_shift"])

    def level(kind: str, width: int, blocks: int, last: bool, attended: str) -> Level:
        attention, resampling = BLOCKS[kind.removeprefix("UNetRes")]
        if resampling is None:
            kinds: dict[Any, Resampling] = {"conv": "conv", "resnet": "residual"}
            resampling = kinds[_require(given, attended, list(kinds))]
        return Level(
            width,
            blocks,
            heads=_heads(given, width) if attention else None,
            resampling=None if last else resampling,  # type: ignore[arg-type]
        )

    def side(
        types: Sequence[str], widths: Sequence[int], blocks: int, attended: str
    ) -> list[Level]:
        last = len(widths) - 1
        return [
            level(kind, width, blocks, place == last, attended)
            for place, (kind, width) in enumerate(zip(types, widths, strict=True))
        ]

    blocks = given["layers_per_block"]
    groups = given["attn_norm_num_groups"]
    if groups is None and scale_shift == "scale_shift":
        groups = 0  # then, and only then, there is no norm
    return Shape(
        **_common(given),
        down=side(given["down_block_types"], widths, blocks, "downsample_type"),
        up=side(given["up_block_types"], widths[::-1], blocks + 1, "upsample_type"),
        middle=_heads(given, widths[-1]) if given["add_attention"] else None,
        has_middle=given["mid_block_type"] is not None,
        groups=given["norm_num_groups"],
        middle_groups=groups,
        scale_shift=scale_shift == "scale_shift",
        corner=given["downsample_padding"] == 0,
    )


def _skip_shape(given: Mapping[str, Any]) -> SkipShape:
    widths = list(given["block_out_channels"])

    def side(types: Sequence[str], widths: Sequence[int], blocks: int) -> list[SkipLevel]:
        return [
            SkipLevel(width, blocks, _heads(given, width) if SKIP_BLOCKS[kind] else None)
            for kind, width in zip(types, widths, strict=True)
        ]

    blocks = given["layers_per_block"]
    return SkipShape(
        **_common(given),
        down=side(given["down_block_types"], widths, blocks),
        up=side(given["up_block_types"], widths[::-1], blocks + 1),
        middle=_heads(given, widths[-1]) if given["add_attention"] else None,
        groups=given["norm_num_groups"],
        middle_groups=given["attn_norm_num_groups"],
    )


_RENAMED = renamed(
    (r"^embed\.(frequencies|table\.weight)", "time_proj.weight"),
    (r"^embed\.label\.weight", "class_embedding.weight"),
    (r"^embed\.label\.", "class_embedding."),
    (r"^embed\.mlp\.", "time_embedding."),
    (r"^(time_|class_)embedding\.0", r"\1embedding.linear_1"),
    (r"^(time_|class_)embedding\.2", r"\1embedding.linear_2"),
    (r"^stem\.", "conv_in."),
    (r"^norm\.", "conv_norm_out."),
    (r"^head\.", "conv_out."),
    (r"^middle\.", "mid_block."),
    (r"^(down|up)\.(\d+)\.", r"\1_blocks.\2."),
    (r"\.blocks\.(\d+)\.", r".resnets.\1."),
    (r"\.attention\.(\d+)\.norm", r".attentions.\1.group_norm"),
    (r"\.attention\.(\d+)\.out", r".attentions.\1.to_out.0"),
    (r"\.attention\.(\d+)\.", r".attentions.\1."),
    (r"\.image_norm\.", ".skip_norm."),
    (r"\.image\.", ".skip_conv."),
    (r"^(down|up)(.*)\.resample\.(weight|bias)", r"\1\2.\1samplers.0.conv.\3"),
    (r"^(down|up)(.*)\.resample\.", r"\1\2.\1samplers.0."),
    (r"\.norm_in\.", ".norm1."),
    (r"\.norm_out\.", ".norm2."),
    (r"\.conv_in\.", ".conv1."),
    (r"\.conv_out\.", ".conv2."),
    (r"\.time\.", ".time_emb_proj."),
    (r"\.shortcut\.", ".conv_shortcut."),
)


_SKIP = renamed((r"\.(down|up)samplers\.0\.", r".resnet_\1."))


def names(weights: Mapping[str, Any]) -> Names:
    """The names in a file of diffusers; those of before 0.15 where the file has such."""
    old = any(".query." in name for name in weights)
    skip = any(".skip_conv." in name for name in weights)
    projections = ("query", "key", "value") if old else ("to_q", "to_k", "to_v")

    def find(ours: str) -> list[str]:
        theirs = _SKIP(_RENAMED(ours)) if skip else _RENAMED(ours)
        if ".qkv." in theirs:
            return [theirs.replace(".qkv.", f".{name}.") for name in projections]
        return [theirs.replace(".to_out.0.", ".proj_attn.") if old else theirs]

    return find
