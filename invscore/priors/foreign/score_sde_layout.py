"""The one list of modules of score_sde's NCSN++ and DDPM++, put into the layout of ``SongUNet``.

The list has the modules in the order in which they are used: two layers for the noise level (after
its frequencies), a convolution, the encoder, the middle, the decoder. Which is which shows in the
tensors that each holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from invscore.networks.foreign.karras_blocks import outer_filter

Module = dict[str, Tensor]

RESIDUAL = {"GroupNorm_0": "norm0", "Conv_0": "conv0", "Dense_0": "affine", "GroupNorm_1": "norm1"}
RESIDUAL |= {"Conv_1": "conv1", "Conv_2": "skip"}


def modules(weights: Mapping[str, Tensor]) -> list[Module]:
    """The tensors of each of ``all_modules.N``, in order."""
    found: dict[int, Module] = {}
    for name, weight in weights.items():
        _, number, rest = name.split(".", 2)
        found.setdefault(int(number), {})[rest] = weight
    if sorted(found) != list(range(len(found))):
        missing = next(n for n in range(max(found)) if n not in found)
        raise ValueError(f"the network has no all_modules.{missing}")
    return [found[number] for number in range(len(found))]


def kind(module: Module) -> str:
    """Type of a module, by its tensors."""
    if "W" in module:
        return "frequencies"
    if "NIN_3.W" in module:
        return "attention"
    if "GroupNorm_1.weight" in module:
        if "NIN_0.W" in module:
            raise ValueError(
                "its residual blocks are those of DDPM, which are not known here: those of BigGAN, "
                "as of NCSN++ and DDPM++, are"
            )
        skip = module.get("Conv_2.weight")
        same = skip is not None and skip.shape[0] == skip.shape[1]
        return "resampling" if same else "block"
    if "Conv2d_0.weight" in module:
        return "fed"
    if set(module) == {"Conv_0.weight", "Conv_0.bias"} and module["Conv_0.weight"].shape[-1] == 1:
        return "combined"
    weight = module.get("weight")
    known = {1: "norm", 2: "linear", 4: "conv"}
    if weight is None or weight.ndim not in known:
        raise ValueError(f"it has a module that is not known here, with {', '.join(module)}")
    return known[weight.ndim]


class Layout:
    """The list ``modules`` read from its beginning, and what it becomes.

    ``network`` and ``weights`` are name, options and state dictionary of the ``SongUNet``. ``size``
    is the trained size. Raises ``ValueError`` for a list of another network.
    """

    def __init__(self, listed: list[Module], size: int, fir: bool) -> None:
        self.left = [(kind(module), module) for module in listed]
        self.taps = (1, 3, 3, 1) if fir else (1, 1)
        self.weights: dict[str, Tensor] = {}
        kinds = [each for each, _ in self.left]
        levels = kinds.count("resampling") // 2 + 1
        if levels < 2:
            raise ValueError("it has no residual blocks that halve the image")
        blocks = kinds[: kinds.index("resampling")].count("block")
        places = [f"{size >> level}x{size >> level}" for level in range(levels)]
        encoder = {"combined": "skip", "fed": "residual"}
        fed = next((encoder[each] for each in kinds if each in encoder), "standard")
        fourier = kinds[0] == "frequencies"

        if fourier:
            self.weights["map_noise.freqs"] = self._take("frequencies")["W"]
        first = self._layer("linear", "map_layer0")
        self._layer("linear", "map_layer1")
        stem = self._layer("conv", f"enc.{places[0]}_conv")
        widths, attended = [], []
        for level, place in enumerate(places):
            if level > 0:
                self._residual("resampling", f"enc.{place}_down")
                self._feed(fed, f"enc.{place}_aux")
            for block in range(blocks):
                made = self._residual("block", f"enc.{place}_block{block}")
                if self._next() == "attention":
                    self._attention(f"enc.{place}_block{block}")
                    attended.append(size >> level)
            widths.append(len(made["Conv_0.weight"]))
        self._residual("block", f"dec.{places[-1]}_in0")
        self._attention(f"dec.{places[-1]}_in0")
        self._residual("block", f"dec.{places[-1]}_in1")
        decoder = self._decode(places, blocks)
        if self.left:
            raise ValueError(f"{len(self.left)} modules are left over, of kind {self._next()!r}")

        width = len(stem["weight"])
        self.network: dict[str, Any] = {
            "name": "song-unet",
            "img_resolution": size,
            "in_channels": stem["weight"].shape[1],
            "out_channels": len(self.weights[f"dec.{places[0]}_aux_conv.weight"]),
            "model_channels": width,
            "channel_mult": [each // width for each in widths],
            "channel_mult_emb": len(first["weight"]) // width,
            "channel_mult_noise": first["weight"].shape[1] // width,
            "num_blocks": blocks,
            "attn_resolutions": sorted(set(attended), reverse=True),
            "embedding_type": "fourier" if fourier else "positional",
            "encoder_type": fed,
            "decoder_type": decoder,
            "resample_filter": list(self.taps),
        }

    def _decode(self, places: list[str], blocks: int) -> str:
        decoder = "standard"
        for level in range(len(places) - 1, -1, -1):
            place = places[level]
            if level < len(places) - 1:
                self._residual("resampling", f"dec.{place}_up")
            for block in range(blocks + 1):
                self._residual("block", f"dec.{place}_block{block}")
            if self._next() == "attention":
                self._attention(f"dec.{place}_block{blocks}")
            if self._next() == "norm":
                if level > 0:
                    decoder = "skip"
                if decoder == "skip" and level < len(places) - 1:
                    self.weights[f"dec.{place}_aux_up.resample_filter"] = outer_filter(self.taps)
                self._layer("norm", f"dec.{place}_aux_norm")
                self._layer("conv", f"dec.{place}_aux_conv")
        return decoder

    def _next(self) -> str | None:
        return self.left[0][0] if self.left else None

    def _take(self, wanted: str) -> Module:
        if self._next() != wanted:
            raise ValueError(
                f"a module of kind {self._next()!r} is where NCSN++ has one of kind {wanted!r}"
            )
        return self.left.pop(0)[1]

    def _layer(self, wanted: str, place: str, within: str = "") -> Module:
        module = self._take(wanted)
        for name, weight in module.items():
            self.weights[f"{place}.{name.removeprefix(within)}"] = weight
        return module

    def _residual(self, wanted: str, place: str) -> Module:
        module = self._take(wanted)
        for name, weight in module.items():
            layer, _, tensor = name.partition(".")
            self.weights[f"{place}.{RESIDUAL.get(layer, layer)}.{tensor}"] = weight
        if wanted == "resampling":
            for layer in ("conv0", "skip"):
                self.weights[f"{place}.{layer}.resample_filter"] = outer_filter(self.taps)
        return module

    def _feed(self, fed: str, place: str) -> None:
        """Way in which the image enters at a lower resolution."""
        if fed == "skip":
            self.weights[f"{place}_down.resample_filter"] = outer_filter(self.taps)
            self._layer("combined", f"{place}_skip", "Conv_0.")
        elif fed == "residual":
            self._layer("fed", f"{place}_residual", "Conv2d_0.")
            self.weights[f"{place}_residual.resample_filter"] = outer_filter(self.taps)

    def _attention(self, place: str) -> None:
        module = self._take("attention")
        for tensor in ("weight", "bias"):
            self.weights[f"{place}.norm2.{tensor}"] = module[f"GroupNorm_0.{tensor}"]
        mixing = torch.stack([module[f"NIN_{i}.W"].t() for i in range(3)], dim=1)
        self.weights[f"{place}.qkv.weight"] = mixing.flatten(0, 1)[:, :, None, None]
        shifts = torch.stack([module[f"NIN_{i}.b"] for i in range(3)], dim=1)
        self.weights[f"{place}.qkv.bias"] = shifts.flatten()
        self.weights[f"{place}.proj.weight"] = module["NIN_3.W"].t()[:, :, None, None]
        self.weights[f"{place}.proj.bias"] = module["NIN_3.b"]
