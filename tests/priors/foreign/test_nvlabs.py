"""Pickles of EDM and EDM2: read without running the source that they carry."""

from __future__ import annotations

import math
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from filled import filled, layout
from torch import Tensor, nn

from invscore.files.checkpoint import CheckpointError
from invscore.networks.foreign.edm2_unet import EDM2UNet
from invscore.priors.foreign import load_foreign

deepinv = pytest.importorskip("deepinv.models", exc_type=ImportError)

LEVELS = (0.02, 0.1, 0.5, 2.0, 20.0)
SOURCE = "raise SystemExit('the source in a pickle was run')"


def _reconstruct_persistent_obj(meta: dict[str, Any]) -> Any:  # noqa: ARG001
    raise SystemExit("the class in a pickle was made")


class Persistent:
    """Pickled, it is an object of a class whose source goes with it."""

    def __init__(self, class_name: str, state: dict[str, Any]) -> None:
        self.meta = {
            "type": "class",
            "version": 6,
            "module_src": SOURCE,
            "class_name": class_name,
            "state": state,
        }

    def __reduce__(self) -> Any:
        return _reconstruct_persistent_obj, (self.meta,), None


def persistent(module: nn.Module, **more: Any) -> Any:
    """The module and all in it as persistent objects; dictionaries of modules stay torch's own."""
    children = {n: None if m is None else persistent(m) for n, m in module._modules.items()}
    if isinstance(module, nn.ModuleDict):
        copied = nn.ModuleDict()
        copied._modules = children  # type: ignore[assignment]
        return copied
    state = {
        "training": False,
        "_parameters": dict(module._parameters),
        "_buffers": dict(module._buffers),
        "_non_persistent_buffers_set": set(module._non_persistent_buffers_set),
        "_modules": children,
        "skip_scale": np.sqrt(0.5),
        **more,
    }
    return Persistent(type(module).__name__, state)


class Wrapped(nn.Module):
    def __init__(self, model: nn.Module, name: str = "model") -> None:
        super().__init__()
        self.add_module(name, model)


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a snapshot of a network with a class and the arguments that it was made with."""
    module = ModuleType("torch_utils.persistence")
    module._reconstruct_persistent_obj = _reconstruct_persistent_obj  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch_utils", ModuleType("torch_utils"))
    monkeypatch.setitem(sys.modules, "torch_utils.persistence", module)
    monkeypatch.setattr(_reconstruct_persistent_obj, "__module__", "torch_utils.persistence")

    def snapshot(
        network: nn.Module, class_name: str, key: str = "ema", name: str = "model", **made: Any
    ) -> Path:
        record = persistent(Wrapped(network, name), _init_args=(), _init_kwargs=made)
        record.meta["class_name"] = class_name
        path = tmp_path / "network-snapshot.pkl"
        loss = Persistent("EDMLoss", {"P_mean": -1.2})
        path.write_bytes(pickle.dumps({key: record, "loss_fn": loss, "dataset_kwargs": {}}))
        return path

    return snapshot


def random(network: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(1)
    for weight in network.parameters():
        scale = weight[0].numel() ** -0.5 if weight.ndim > 1 else 0.1
        weight.data = scale * torch.randn(weight.shape, generator=generator)
    return network.eval()


Net = Callable[[Tensor, Tensor], Tensor]


def agrees(path: Path, D: Net, channels: int, size: int, **facts: Any) -> None:
    """``D(z, s)``, on [-1, 1], is the prior at five levels, one an image."""
    prior = load_foreign(path, facts)
    x = torch.rand(len(LEVELS), channels, size, size, generator=torch.Generator().manual_seed(0))
    sigma = torch.tensor(LEVELS).clamp(prior.sigma_min, prior.sigma_max)
    with torch.no_grad():
        given = prior.denoise(x, sigma)
        wanted = (D(2 * x - 1, 2 * sigma) + 1) / 2
    assert (wanted - x).abs().amax((1, 2, 3)).min() > 1e-3
    scale = wanted.abs().amax((1, 2, 3), keepdim=True).clamp(min=1)
    torch.testing.assert_close(given / scale, wanted / scale, atol=1e-4, rtol=0)


def edm(F: Callable[[Tensor, Tensor], Tensor]) -> Net:
    def D(z: Tensor, s: Tensor) -> Tensor:  # noqa: N802
        c = s[:, None, None, None]
        root = (c**2 + 0.25).sqrt()
        return 0.25 / root**2 * z + 0.5 * c / root * F(z / root, s.log() / 4)

    return D


def vp(F: Callable[[Tensor, Tensor], Tensor]) -> Net:
    def D(z: Tensor, s: Tensor) -> Tensor:  # noqa: N802
        t = ((0.1**2 + 2 * 19.9 * (1 + s**2).log()).sqrt() - 0.1) / 19.9
        c = s[:, None, None, None]
        return z - c * F(z / (1 + c**2).sqrt(), 999 * t)

    return D


def ve(F: Callable[[Tensor, Tensor], Tensor]) -> Net:
    return lambda z, s: z + s[:, None, None, None] * F(z, (s / 2).log())


SONG = {"model_channels": 128, "channel_mult": [1, 1], "num_blocks": 1, "attn_resolutions": [4]}
NCSNPP = {
    "embedding_type": "fourier", "encoder_type": "residual", "decoder_type": "standard",
    "channel_mult_noise": 2, "resample_filter": [1, 3, 3, 1],
}  # fmt: skip


def song(kind: str, channels: int = 1, **options: Any) -> nn.Module:
    made = {**SONG, "augment_dim": 0, "img_resolution": 8, **options}
    sizes = {"in_channels": channels, "out_channels": channels}
    return random(deepinv.NCSNpp(model_type=kind, pretrained=None, **sizes, **made))


@pytest.mark.parametrize(
    ("kind", "D", "extra"),
    [("EDMPrecond", edm, {}), ("VPPrecond", vp, {}), ("VEPrecond", ve, NCSNPP)],
)
def test_song_unet_under_each_preconditioning(
    write: Write, kind: str, D: Callable[..., Net], extra: dict[str, Any]
) -> None:
    network = song("ncsn" if extra else "ddpm")
    made = {"img_resolution": 8, "img_channels": 1, "model_type": "SongUNet", **SONG, **extra}
    path = write(network, kind, **made, dropout=0.13, use_fp16=False)
    agrees(path, D(lambda z, noise: network.forward_unet(z, noise)), 1, 8)


def test_labels_and_augmentation_of_a_song_unet(write: Write) -> None:
    network = song("ddpm", 3, label_dim=4, augment_dim=9)
    made = {"img_resolution": 8, "img_channels": 3, "model_type": "SongUNet", **SONG}
    path = write(network, "EDMPrecond", **made, label_dim=4, augment_dim=9)

    def labelled(vector: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda z, noise: network.forward_unet(z, noise, vector.expand(len(z), -1))

    agrees(path, edm(labelled(torch.eye(4)[2])), 3, 8, class_label=2)
    with pytest.raises(CheckpointError, match=r"`class_label` must be given.*with classes"):
        load_foreign(path, {})
    with pytest.raises(CheckpointError, match=r"`class_label` must be .* from 0 to 3, got 4"):
        load_foreign(path, {"class_label": 4})
    path = write(network, "EDMPrecond", **made, label_dim=4, augment_dim=9, label_dropout=0.1)
    agrees(path, edm(labelled(torch.zeros(4))), 3, 8, class_label="null")


def test_adm_with_images_of_another_size(write: Write) -> None:
    made = {**SONG, "model_channels": 128, "img_resolution": 8}
    network = deepinv.ADMUNet(in_channels=1, out_channels=1, pretrained=None, **made)
    path = write(random(network), "EDMPrecond", **made, img_channels=1)

    def cropped(z: Tensor, noise: Tensor) -> Tensor:
        wide = torch.nn.functional.pad(z, (0, 1, 0, 1), mode="reflect")
        return network.forward_unet(wide, noise)[..., :-1, :-1]

    agrees(path, edm(cropped), 1, 9)


def test_improved_ddpm_at_its_own_levels(write: Write) -> None:
    made = {**SONG, "img_resolution": 8}
    network = random(deepinv.ADMUNet(in_channels=1, out_channels=2, pretrained=None, **made))
    path = write(network, "iDDPMPrecond", **made, img_channels=1)
    bar = [math.sin(math.pi / 2 * j / 1000 / 1.008) ** 2 for j in range(1001)]
    levels = [0.0]
    for j in range(1000, 0, -1):
        levels.append(math.sqrt((levels[-1] ** 2 + 1) / max(bar[j - 1] / bar[j], 0.001) - 1))
    prior = load_foreign(path, {})
    steps = [1, 50, 300, 700, 950]
    s = torch.tensor([levels[i] for i in steps])
    x = torch.rand(5, 1, 8, 8)
    c = s[:, None, None, None]
    with torch.no_grad():
        given = prior.denoise(x, s / 2)
        z = 2 * x - 1
        told = torch.tensor([i - 1.0 for i in steps])
        wanted = (z - c * network.forward_unet(z / (1 + c**2).sqrt(), told)[:, :1] + 1) / 2
    torch.testing.assert_close(given / (1 + c), wanted / (1 + c), atol=1e-4, rtol=0)


def test_the_network_of_a_state_of_training_is_not_averaged(write: Write) -> None:
    network = song("ddpm")
    made = {"img_resolution": 8, "img_channels": 1, "model_type": "SongUNet", **SONG}
    path = write(network, "EDMPrecond", key="net", **made)
    assert load_foreign(path, {}).facts["weights"] == "not averaged"
    with pytest.raises(CheckpointError, match="`ema` must be one of False, got True"):
        load_foreign(path, {"ema": True})


def edm2(**options: Any) -> EDM2UNet:
    made = {"img_resolution": 8, "model_channels": 16, "channel_mult": [1, 2], "num_blocks": 1}
    network = EDM2UNet(**made, attn_resolutions=[4], channels_per_head=16, **options)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith("gain"):
                weight.fill_(0.5)
    return network.half()


def test_edm2_gives_what_the_original_gives() -> None:
    """Digest and outputs, at the pixel (3, 5), are those of NVlabs' network."""
    network = EDM2UNet(
        8, 3, 4, model_channels=16, channel_mult=[1, 2], num_blocks=1, attn_resolutions=[4],
        channels_per_head=16,
    )  # fmt: skip
    own = network.state_dict()
    assert layout(own) == "657efb2a79916b81"
    gains = {name: torch.tensor(0.8) for name, w in own.items() if not w.ndim}
    shapes = sorted((name, tuple(w.shape)) for name, w in own.items() if w.ndim)
    network.load_state_dict({**filled(shapes), **gains})
    x = torch.linspace(-1, 1, 2 * 3 * 8 * 8).reshape(2, 3, 8, 8)
    noise = torch.tensor([-0.5, 0.8])
    gold = [-113.9904, -102.0253, -82.7533, -162.2078, -152.7429, -132.3269]
    nobody = [-66.3901, 18.2328, 101.4282, -82.6192, -33.1545, 18.6206]
    for labels, numbers in ((torch.tensor([1, 3]), gold), (None, nobody)):
        given = network(x, noise, labels)[:, :, 3, 5].flatten()
        torch.testing.assert_close(given, torch.tensor(numbers), atol=0.01, rtol=1e-4)


def test_edm2_in_half_precision_with_a_label(write: Write) -> None:
    network = edm2(img_channels=3, label_dim=5)
    made = {"img_resolution": 8, "img_channels": 3, "label_dim": 5, "model_channels": 16}
    made |= {"channel_mult": (1, 2), "num_blocks": 1, "attn_resolutions": [4]}
    path = write(network, "Precond", name="unet", **made, channels_per_head=16, use_fp16=True)
    prior = load_foreign(path, {"class_label": 3})
    assert next(prior.parameters()).dtype == torch.float32
    network.float()
    labels = torch.tensor([3])
    agrees(path, edm(lambda z, n: network(z, n, labels.expand(len(z)))), 3, 8, class_label=3)


def test_what_is_refused_is_named(write: Write, tmp_path: Path) -> None:
    made: dict[str, Any] = {"img_resolution": 8, "img_channels": 1, "model_type": "SongUNet"}
    network = song("ddpm")
    with pytest.raises(CheckpointError, match="was made with windows, which is not known here"):
        load_foreign(write(network, "EDMPrecond", **made, **SONG, windows=3), {})
    with pytest.raises(CheckpointError, match=r"are missing, such as 'enc\.8x8_block1"):
        load_foreign(write(network, "EDMPrecond", **made, **{**SONG, "num_blocks": 2}), {})
    network.map_layer1 = nn.Linear(3, 3)
    with pytest.raises(CheckpointError, match=r"another shape, such as 'map_layer1\.weight', \(3,"):
        load_foreign(write(network, "EDMPrecond", **made, **SONG), {})
    latent = {"ema": Persistent("Precond", {}), "encoder": Persistent("StabilityVAEEncoder", {})}
    path = tmp_path / "other.pkl"
    path.write_bytes(pickle.dumps(latent))
    with pytest.raises(CheckpointError, match="an EDM2 network of latent codes"):
        load_foreign(path, {})
    path.write_bytes(pickle.dumps({"G_ema": Persistent("Generator", {})}))
    with pytest.raises(CheckpointError, match="adversarial"):
        load_foreign(path, {})
