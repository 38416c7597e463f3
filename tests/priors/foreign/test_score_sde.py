"""Checkpoints of score_sde: their one list of modules, their list of averaged weights."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from filled import filled
from torch import Tensor

from invscore.files.checkpoint import CheckpointError
from invscore.priors.denoiser import DenoiserPrior
from invscore.priors.foreign import load_foreign

Shape = tuple[str, tuple[int, ...]]
WIDTH = 8
VE_LEVELS = torch.tensor([0.02, 0.1, 0.5, 2.0, 20.0])


def layer(place: str, *shape: int) -> list[Shape]:
    return [(f"{place}.weight", shape), (f"{place}.bias", shape[:1])]


def block(inputs: int, outputs: int, *, resampled: bool = False) -> list[Shape]:
    shapes = [*layer("GroupNorm_0", inputs), *layer("Conv_0", outputs, inputs, 3, 3)]
    shapes += [*layer("Dense_0", outputs, 4 * WIDTH), *layer("GroupNorm_1", outputs)]
    shapes += layer("Conv_1", outputs, outputs, 3, 3)
    skip = inputs != outputs or resampled
    return shapes + (layer("Conv_2", outputs, inputs, 1, 1) if skip else [])


def attention(width: int) -> list[Shape]:
    mixers = [(f"NIN_{i}.{n}", (width,) * d) for i in range(4) for n, d in (("W", 2), ("b", 1))]
    return [*layer("GroupNorm_0", width), *mixers]


def bare(*shape: int) -> list[Shape]:
    return [("weight", shape), ("bias", shape[:1])]


def listed(mults: list[int], blocks: int, fed: str) -> Iterator[list[Shape]]:
    """The modules of NCSN++ for three channels, with attention at the second level: one that is
    ``fed`` the image by "residual" or "skip" connections, or "plain" (DDPM++)."""
    if fed != "plain":
        yield [("W", (WIDTH,))]
    yield bare(4 * WIDTH, (1 if fed == "plain" else 2) * WIDTH)
    yield bare(4 * WIDTH, 4 * WIDTH)
    yield bare(WIDTH, 3, 3, 3)
    now, pyramid, skips = WIDTH, 3, [WIDTH]
    for level, mult in enumerate(mults):
        if level:
            yield block(now, now, resampled=True)
            if fed == "skip":
                yield layer("Conv_0", now, 3, 1, 1)
            if fed == "residual":
                yield layer("Conv2d_0", now, pyramid, 3, 3)
                pyramid = now
            skips.append(now)
        for _ in range(blocks):
            yield block(now, now := WIDTH * mult)
            if level == 1:
                yield attention(now)
            skips.append(now)
    yield block(now, now)
    yield attention(now)
    yield block(now, now)
    for level in reversed(range(len(mults))):
        for _ in range(blocks + 1):
            yield block(now + skips.pop(), now := WIDTH * mults[level])
        if level == 1:
            yield attention(now)
        if fed == "skip":
            yield bare(now)
            yield bare(3, now, 3, 3)
        if level:
            yield block(now, now, resampled=True)
    if fed != "skip":
        yield bare(now)
        yield bare(3, now, 3, 3)


NETWORKS: dict[str, tuple[list[int], int]] = {
    "residual": ([1, 2], 1), "skip": ([1, 1, 2], 1), "plain": ([1, 2], 2),
}  # fmt: skip


def weights(fed: str) -> dict[str, Tensor]:
    mults, blocks = NETWORKS[fed]
    shapes = [
        (f"module.all_modules.{number}.{name}", shape)
        for number, module in enumerate(listed(mults, blocks, fed))
        for name, shape in module
    ]
    return filled(shapes)


def checkpoint(
    folder: Path, fed: str, *, averaged: bool = True, sigmas: bool = True, **changes: Any
) -> Path:
    """As ``save_checkpoint`` writes it. Where there are averaged weights, the others are zeros."""
    own = weights(fed)
    model = OrderedDict(own)
    content: dict[str, Any] = {"model": model, "step": 7, "optimizer": {"state": {}}}
    if averaged:
        shadow = [w for name, w in own.items() if not name.endswith("modules.0.W")]
        content["ema"] = {"decay": 0.999, "num_updates": 7, "shadow_params": shadow, **changes}
        for name in own:
            if not name.endswith("modules.0.W"):
                model[name] = torch.zeros_like(own[name])
    if sigmas:
        model["module.sigmas"] = torch.linspace(50, 0.01, 1000)
        model.move_to_end("module.sigmas", last=False)
    path = folder / "checkpoint_95.pth"
    torch.save(content, path)
    return path


def images() -> Tensor:
    return torch.linspace(0, 1, 5 * 3 * 16 * 16).reshape(5, 3, 16, 16)


# What the networks of score_sde itself give of these weights and images at the pixel (3, 5) of each
# image and channel, at VE_LEVELS (times the level) and TIMES.
TIMES = torch.tensor([3.0, 100.0, 400.0, 700.0, 950.0])
GOLD = {
    "residual": [
        -0.1590, -0.0679, 0.0579, -0.1588, -0.0678, 0.0578, -0.1829, -0.0824, 0.0531, -0.1849,
        -0.0838, 0.0524, -0.1887, -0.0874, 0.0491,
    ],
    "skip": [
        -0.0891, -0.3075, -0.5178, -0.0686, -0.2835, -0.4909, 0.2770, 0.0409, -0.1928, 0.1954,
        -0.0020, -0.1966, 0.1086, -0.0841, -0.2729,
    ],
    "plain": [
        -0.0053, 0.1257, 0.2231, -0.0403, 0.1076, 0.2222, -0.0841, 0.0648, 0.1811, -0.0840, 0.0649,
        0.1811, -0.0882, 0.0619, 0.1794,
    ],
}  # fmt: skip


def opened(path: Path, facts: dict[str, Any]) -> DenoiserPrior:
    """The small networks have their attention at 8 x 8 pixels, so their size must be told."""
    return load_foreign(path, {"size": 16, **facts})


def gold(fed: str) -> Tensor:
    return torch.tensor(GOLD[fed]).reshape(5, 3)


@pytest.mark.parametrize("fed", ["residual", "skip"])
def test_ncsnpp_under_ve_gives_the_score(tmp_path: Path, fed: str) -> None:
    prior = opened(checkpoint(tmp_path, fed), {})
    assert (prior.facts["weights"], prior.facts["sde"]) == ("EMA", "ve")
    assert prior.sizes.size == (16, 16)
    assert prior.sigma_max == pytest.approx(50)
    x = images()
    given = prior.denoise(x, VE_LEVELS)[:, :, 3, 5]
    change = (given - x[:, :, 3, 5]) / VE_LEVELS[:, None]
    torch.testing.assert_close(change, gold(fed), atol=2e-4, rtol=0)


@pytest.mark.parametrize("sde", ["vp", "subvp", "ddpm"])
def test_ddpmpp_predicts_the_noise(tmp_path: Path, sde: str) -> None:
    prior = opened(checkpoint(tmp_path, "plain"), {"sde": sde})
    t = TIMES.double() / 999
    a = (-0.25 * t**2 * 19.9 - 0.05 * t).exp()
    deviation = {"vp": (1 - a**2).sqrt(), "subvp": 1 - a**2}.get(sde)
    if sde == "ddpm":
        betas = torch.linspace(0.1 / 1000, 20 / 1000, 1000, dtype=torch.float64)
        bar = (1 - betas).cumprod(0)[TIMES.long()]
        a, deviation = bar.sqrt(), (1 - bar).sqrt()
    assert deviation is not None
    s = deviation / a
    z = images().double() / a[:, None, None, None]
    given = 2 * prior.denoise((z + 1) / 2, s / 2)[:, :, 3, 5] - 1
    noise = ((z[:, :, 3, 5] - given) / s[:, None]).float()
    torch.testing.assert_close(noise, gold("plain"), atol=3e-4, rtol=0)


def test_weights_that_are_not_averaged(tmp_path: Path) -> None:
    x = images()
    prior = opened(checkpoint(tmp_path, "residual"), {"ema": False})  # zeros
    assert prior.facts["weights"] == "not averaged"
    torch.testing.assert_close(prior.denoise(x, 0.1), x)
    bare_file = checkpoint(tmp_path, "residual", averaged=False)
    bare_prior = opened(bare_file, {})
    assert bare_prior.facts["weights"] == "those of the file"
    change = (bare_prior.denoise(x, VE_LEVELS) - x)[:, :, 3, 5] / VE_LEVELS[:, None]
    torch.testing.assert_close(change, gold("residual"), atol=2e-4, rtol=0)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"`sde` must be given, sde=vp or subvp or ddpm"):
        opened(checkpoint(tmp_path, "plain"), {})
    with pytest.raises(CheckpointError, match=r"`sigma_max` must be given.*no sigmas"):
        opened(checkpoint(tmp_path, "skip", sigmas=False), {})
    prior = opened(checkpoint(tmp_path, "skip", sigmas=False), {"sigma_max": 348.0})
    assert prior.sigma_max == 348
    shadow = list(weights("skip").values())
    with pytest.raises(CheckpointError, match="has 225 tensors for 224 trained weights"):
        opened(checkpoint(tmp_path, "skip", shadow_params=shadow), {})
    with pytest.raises(CheckpointError, match=r"the shape \(32,\) for all_modules.1.weight"):
        opened(checkpoint(tmp_path, "skip", shadow_params=shadow[2:] + shadow[:1]), {})
    with pytest.raises(CheckpointError, match="`size` must be a whole number"):
        load_foreign(checkpoint(tmp_path, "skip"), {"size": "large"})
    at_16 = load_foreign(checkpoint(tmp_path, "skip"), {})  # where published ones have attention
    assert at_16.sizes.size == (32, 32)
    path = tmp_path / "cut.pth"
    names = weights("residual")
    for part, sentence in (
        (".5.", r"no all_modules\.5"),
        (".Conv_1.bias", "are missing, such as 'enc.16x16_block0.conv1.bias'"),
    ):
        torch.save({n: w for n, w in names.items() if part not in n}, path)
        with pytest.raises(CheckpointError, match=sentence):
            opened(path, {"sigma_max": 50.0})
    with pytest.raises(ValueError, match="takes images of 16 x 16, got 32 x 32"):
        opened(checkpoint(tmp_path, "skip"), {}).denoise(torch.rand(1, 3, 32, 32), 0.1)
