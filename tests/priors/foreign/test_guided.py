"""Weights of guided-diffusion and its kin, against azula's copy of its network."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from invscore.files.checkpoint import CheckpointError
from invscore.priors.foreign import guided, load_foreign, schedules
from invscore.priors.foreign.guided import PRESETS, Preset
from invscore.priors.foreign.translate import translate

unet = pytest.importorskip("azula.plugins.adm._src.unet")

PLAIN: dict[str, Any] = {
    "image_size": 16,
    "in_channels": 3,
    "out_channels": 3,
    "model_channels": 32,
    "num_res_blocks": 1,
    "attention_resolutions": (2,),
    "channel_mult": (1, 2),
    "num_heads": 2,
}
OWN: dict[str, Any] = {
    "heads": 2, "order": "legacy", "predicts": "epsilon", "schedule": "linear",
}  # fmt: skip
NETWORKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "improved": ({}, {}),
    "guided": (
        {
            "num_heads": 1, "num_head_channels": 16, "use_scale_shift_norm": True,
            "resblock_updown": True, "use_new_attention_order": True, "out_channels": 6,
        },
        {"heads": None, "head_channels": 16, "order": "new"},
    ),
    "three resolutions": (
        {"num_res_blocks": 2, "channel_mult": (1, 1, 2), "attention_resolutions": (1, 4)}, {},
    ),
    "narrow at first": ({"channel_mult": (2, 1), "model_channels": 32, "in_channels": 1,
                         "out_channels": 1, "attention_resolutions": ()}, {}),
    "one head": ({"num_heads": 1}, {"heads": 1, "order": None}),
}  # fmt: skip
LEVELS = (0.02, 0.1, 0.4, 2.0, 20.0)  # on [-1, 1]


def make(**options: Any) -> Any:
    torch.manual_seed(0)
    network = unet.UNetModel(**{**PLAIN, **options}).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight += 0.05 * torch.randn_like(weight)
    return network


def save(weights: Any, path: Path) -> Path:
    torch.save(weights, path)
    return path


def told(network: Any, x: Tensor, t: float, **more: Any) -> Tensor:
    with torch.no_grad():
        return network(x, torch.full((len(x),), t), **more)[:, : x.shape[1]]


def noisy(s: float, channels: int = 3) -> tuple[Tensor, Tensor]:
    """A noisy image in [0, 1] and the same in [-1, 1]."""
    torch.manual_seed(1)
    x = torch.rand(2, channels, 16, 16) + s / 2 * torch.randn(2, channels, 16, 16)
    return x, 2 * x - 1


def close(prior: Any, x: Tensor, s: float, wanted: Tensor) -> None:
    found = prior.denoise(x, s / 2)
    assert (found - (wanted + 1) / 2).abs().max() < 1e-4 * max(1, float(wanted.abs().max()))


def index(abar: Tensor, s: float) -> float:
    """The time of the level s, linear in its logarithm."""
    logs = ((1 - abar) / abar).log() / 2
    above = int((logs < math.log(s)).sum())
    low, high = float(logs[above - 1]), float(logs[above])
    return above - 1 + (math.log(s) - low) / (high - low)


def check_epsilon(prior: Any, network: Any, abar: Tensor, scale: float = 1, **more: Any) -> None:
    for s in LEVELS:
        x, z = noisy(s, prior.channels)
        t = scale * index(abar, s)
        close(prior, x, s, z - s * told(network, z / math.sqrt(1 + s**2), t, **more))


def given(changes: dict[str, Any]) -> dict[str, Any]:
    return {name: said for name, said in (OWN | changes).items() if said is not None}


@pytest.mark.parametrize("kind", NETWORKS)
def test_networks(kind: str, tmp_path: Path) -> None:
    options, facts = NETWORKS[kind]
    network = make(**options)
    path = save(network.state_dict(), tmp_path / "model.pt")
    check_epsilon(load_foreign(path, given(facts)), network, schedules.linear())


def test_deepinv(tmp_path: Path) -> None:
    """DiffUNet of deepinv is that of ffhq_10m and says itself what D is."""
    deepinv = pytest.importorskip("deepinv")
    with torch.device("meta"):  # its 90 million weights are drawn once
        network = deepinv.models.DiffUNet(1, 1, pretrained=None).eval()
    network = network.to_empty(device="cpu")
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in network.parameters():
            weight.normal_(std=0.02)
    weights = {
        n: w for n, w in network.state_dict().items()
        if n.split(".")[0] in ("time_embed", "input_blocks", "middle_block", "output_blocks", "out")
    }  # fmt: skip
    prior = load_foreign(save(weights, tmp_path / "ffhq_10m.pt"), {"preset": "ffhq-256"})
    abar = schedules.linear()
    for t in (3, 500):  # whole times: deepinv takes the nearest one
        s = float(((1 - abar[t]) / abar[t]).sqrt())
        torch.manual_seed(1)
        x = torch.rand(1, 1, 32, 32) + s / 2 * torch.randn(1, 1, 32, 32)
        z = 2 * x - 1
        with torch.no_grad():
            F = network.forward_diffusion(z / math.sqrt(1 + s**2), torch.tensor([float(t)]))
        assert F.abs().max() > 1e-3
        close(prior, x, s, z - s * F[:, :1])


def test_cosine_with_rescaled_steps(tmp_path: Path) -> None:
    network = make(out_channels=6)
    path = save(network.state_dict(), tmp_path / "model.pt")
    facts = given({"schedule": "cosine", "steps": 400})
    with pytest.raises(CheckpointError, match="`rescaled` must be given"):
        load_foreign(path, facts)
    time = torch.linspace(0, 1, 401, dtype=torch.float64)
    curve = torch.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2
    abar = torch.cumprod((curve[1:] / curve[:-1]).clamp(min=0.001), dim=0)
    prior = load_foreign(path, facts | {"rescaled": True})
    check_epsilon(prior, network, abar, scale=2.5)


def test_consistency_teacher(tmp_path: Path) -> None:
    """Queries, keys and values by one 1 x 1 convolution in the new order; EDM, time 250 ln s."""
    network = make(use_new_attention_order=True)
    weights = {
        name: weight[..., None] if weight.ndim == 3 else weight
        for name, weight in network.state_dict().items()
    }
    path = save(weights, tmp_path / "edm_ema.pt")
    prior = load_foreign(path, {"heads": 2, "predicts": "edm"})
    assert prior.facts["weights"].startswith("EMA")
    for s in LEVELS:
        x, z = noisy(s)
        both = s**2 + 0.25
        F = told(network, z / math.sqrt(both), 250 * math.log(s))
        close(prior, x, s, 0.25 / both * z + 0.5 * s / math.sqrt(both) * F)


@pytest.mark.parametrize("parallel", [False, True])
def test_flow_matching(parallel: bool, tmp_path: Path) -> None:
    """A file of torchcfm: time 0 is noise and 1 the image; D = x + (1 - t) F."""
    network, plain = make(), make(num_res_blocks=1)
    with torch.no_grad():
        plain.out[2].bias += 1
    prefix = "module." if parallel else ""
    both = {
        key: {prefix + n: w for n, w in net.state_dict().items()}
        for key, net in (("ema_model", network), ("net_model", plain))
    }
    path = save({**both, "step": 3}, tmp_path / "otcfm.pt")
    facts = {"heads": 2, "order": "legacy", "predicts": "flow"}
    for ema, taken, told_name in ((True, network, "EMA"), (False, plain, "not averaged")):
        prior = load_foreign(path, facts | {"ema": ema})
        assert prior.facts["weights"] == told_name
        for s in LEVELS:
            x, z = noisy(s)
            t = 1 / (1 + s)
            close(prior, x, s, t * z + (1 - t) * told(taken, t * z, t))


@pytest.mark.parametrize("key", ["state_dict", "model", "net"])
def test_weights_within_a_training(key: str, tmp_path: Path) -> None:
    """As Lightning and others wrap them: under a name, with a prefix, beside other modules."""
    network, other = make(), {"metric.scale": torch.ones(1)}
    weights = {f"model.{n}": w for n, w in network.state_dict().items()} | other
    path = save({key: weights, "epoch": 3, "optimizer": {}}, tmp_path / "last.ckpt")
    prior = load_foreign(path, OWN)
    assert prior.facts["weights"] == "those of the file"
    check_epsilon(prior, network, schedules.linear())


def test_classes(tmp_path: Path) -> None:
    network = make(num_classes=5)
    path = save(network.state_dict(), tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="`class_label` must be given"):
        load_foreign(path, OWN)
    prior = load_foreign(path, OWN | {"class_label": 4})
    check_epsilon(prior, network, schedules.linear(), y=torch.tensor([4, 4]))
    prior = load_foreign(path, OWN | {"class_label": "null"})
    torch.nn.init.zeros_(network.label_emb.weight)
    check_epsilon(prior, network, schedules.linear(), y=torch.tensor([1, 1]))


def test_presets_know_their_networks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert all((said.head is None) != (said.heads is None) for said in PRESETS.values())
    monkeypatch.setitem(guided.PRESETS, "tiny", Preset(16, 32, 2, heads=2))
    network = make()
    path = save(network.state_dict(), tmp_path / "model.pt")
    prior = load_foreign(path, {"preset": "tiny"})
    assert prior.facts["trained at"] == 16
    check_epsilon(prior, network, schedules.linear())
    with pytest.raises(CheckpointError, match="must be that of a network of width 32"):
        load_foreign(path, {"preset": "ffhq-256"})


def test_half_precision_and_odd_sizes(tmp_path: Path) -> None:
    network = make().half().float()
    weights = {name: weight.half() for name, weight in network.state_dict().items()}
    prior = load_foreign(save(weights, tmp_path / "model.pt"), OWN)
    check_epsilon(prior, network, schedules.linear())
    assert prior.denoise(torch.rand(1, 3, 15, 9), 0.1).shape == (1, 3, 15, 9)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, "`preset` must be given, one of ffhq-256, .*`head_channels` or `heads`"),
        (given({"order": None}), "`order` must be given, order=legacy or new"),
        (given({"predicts": None}), "`predicts` must be given"),
        (given({"schedule": None}), "`schedule` must be given"),
        (OWN | {"heads": 5}, "`heads` must divide 64, got 5"),
        (OWN | {"heads": 0}, "`heads` must be a whole number from 1 to 100000, got 0"),
        (OWN | {"steps": 10**9}, "`steps` must be a whole number from 2 to 100000"),
        (OWN | {"head_channels": 7, "heads": None}, "`head_channels` must divide 64, got 7"),
        (OWN | {"size_of_heads": 1}, "`size_of_heads` is no fact"),
        (OWN | {"predicts": "consistency"}, "`predicts` must be one of"),
        ({"preset": "celeba"}, "`preset` must be one of"),
        (OWN | {"ema": True}, "`ema` must be False: the file has no other weights"),
    ],
)
def test_facts(facts: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = save(make().state_dict(), tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match=said):
        load_foreign(path, facts)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: w.pop("input_blocks.1.0.in_layers.0.bias"), "1 are missing, such as 'input_bl"),
        (lambda w: w.pop("middle_block.0.out_layers.3.weight"), "there is no 'middle_block.0"),
        (lambda w: w.update(more=torch.ones(1)), "1 are left over, such as 'more'"),
        (lambda w: w.update({"out.0.bias": torch.ones(3)}), r"'out.0.bias', \(3,\) for \(32,\)"),
        (lambda w: w["out.0.bias"].fill_(math.inf), "'out.0.bias' is not finite and real"),
        (lambda w: w.update({"out.0.bias": w["out.0.bias"] * 1j}), "is not finite and real"),
        (lambda w: w.update({"time_embed.0.weight": torch.ones(3)}), "have not the shapes"),
        (lambda w: [w.pop(n) for n in list(w) if "blocks.1.2" in n], "22 are missing, such as"),
    ],
)
def test_wrong_weights(change: Any, said: str, tmp_path: Path) -> None:
    weights = make().state_dict()
    change(weights)
    with pytest.raises(CheckpointError, match=said):
        load_foreign(save(weights, tmp_path / "model.pt"), OWN)


def test_upsamplers_and_classifiers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="an upsampler is told another image"):
        load_foreign(save(make(in_channels=6).state_dict(), tmp_path / "up.pt"), OWN)
    weights = make().state_dict()
    half = {n: w for n, w in weights.items() if not n.startswith("output_blocks")}
    with pytest.raises(CheckpointError, match="a classifier"):
        load_foreign(save(half, tmp_path / "classifier.pt"), OWN)


@pytest.mark.parametrize("nested", [True, False])
def test_latent_diffusion_is_refused(nested: bool, tmp_path: Path) -> None:
    weights = {f"model.diffusion_model.{n}": w for n, w in make().state_dict().items()}
    weights |= {"first_stage_model.decoder.conv_in.weight": torch.ones(1)}
    path = save({"state_dict": weights} if nested else weights, tmp_path / "sd.ckpt")
    with pytest.raises(CheckpointError, match="a latent diffusion checkpoint"):
        load_foreign(path, OWN)


def test_autoencoders_are_refused(tmp_path: Path) -> None:
    weights = {f"{half}.conv_in.weight": torch.ones(1) for half in ("encoder", "decoder")}
    with pytest.raises(CheckpointError, match="an autoencoder"):
        load_foreign(save(weights, tmp_path / "vae.pt"), OWN)


FLAGS: dict[str, dict[str, Any]] = {  # of the READMEs; attention is at sizes of 32, 16 and 8
    "ffhq-256": {"num_res_blocks": 1, "attention": (16,), "resblock_updown": True},
    "imagenet-64": {"num_res_blocks": 3, "resblock_updown": True, "num_classes": 1000},
    "imagenet-128": {"resblock_updown": True, "num_classes": 1000},
    "imagenet-256": {"resblock_updown": True, "num_classes": 1000},
    "imagenet-512": {"resblock_updown": True, "num_classes": 1000},
    "lsun-256": {"resblock_updown": True},
    "improved-cifar-10": {"num_res_blocks": 3, "attention": (16, 8)},
    "improved-imagenet-64": {"num_res_blocks": 3, "attention": (16, 8)},
    "improved-imagenet-64-classes": {
        "num_res_blocks": 3, "attention": (16, 8), "num_classes": 1000
    },
    "improved-lsun-256": {"attention": (16,), "use_scale_shift_norm": False},
    "edm-imagenet-64": {"num_res_blocks": 3, "resblock_updown": True, "num_classes": 1000},
    "edm-lsun-256": {"resblock_updown": True, "use_scale_shift_norm": False},
    "cfm-cifar-10": {"attention": (16,), "use_scale_shift_norm": False},
}  # fmt: skip
WIDENING = {
    32: (1, 2, 2, 2), 64: (1, 2, 3, 4), 128: (1, 1, 2, 3, 4), 256: (1, 1, 2, 2, 4, 4),
    512: (0.5, 1, 1, 2, 2, 4, 4),
}  # fmt: skip


@pytest.mark.parametrize("name", PRESETS)
def test_published_networks(name: str) -> None:
    """All weights of the networks of the presets find their place; no numbers are made for it."""
    said, flags = PRESETS[name], {"num_res_blocks": 2, "use_scale_shift_norm": True, **FLAGS[name]}
    sizes = flags.pop("attention", (32, 16, 8))
    with torch.device("meta"):
        built = unet.UNetModel(
            image_size=said.size,
            in_channels=3,
            model_channels=said.width,
            out_channels=6 if said.predicts == "epsilon" else 3,
            attention_resolutions=[said.size // size for size in sizes],
            channel_mult=WIDENING[said.size],
            **flags,
        )
    weights = built.state_dict()
    heads = guided._heads(said)
    network = guided.guided_unet.network(weights, heads, said.order == "legacy")
    assert (network["time_width"], len(network["down"])) == (said.width, said.levels)
    assert translate(network, weights, guided.guided_unet.names(network))
