"""Network priors: EDM's preconditioning, its ends, precision, files and names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from invscore.files.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from invscore.networks import build_network
from invscore.priors import NetworkPrior, available_priors, load_prior

F64 = torch.float64
ARCHITECTURE = {"name": "unet", "widths": [4, 8], "blocks": 1, "embedding": 8}


class Probe(nn.Module):
    """``F(x) = x``, or what ``answer`` says; remembers what it was given."""

    def __init__(self, answer: Tensor | float | None = None) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        self.x, self.noise = x, noise
        return x if self.answer is None else self.answer * x


def unet_prior(dtype: torch.dtype = torch.float32) -> NetworkPrior:
    torch.manual_seed(0)
    network = build_network(**ARCHITECTURE)
    nn.init.normal_(network.head.weight, std=0.3)  # type: ignore[arg-type, union-attr]
    prior = NetworkPrior(network, channels=1, metadata={"architecture": ARCHITECTURE})
    return prior.to(dtype).requires_grad_(False)


def test_preconditioning() -> None:
    """Karras et al. 2022, Table 1, column "Ours", about the mean m."""
    mean, data = 0.4, 0.3
    prior = NetworkPrior(Probe(), channels=2, mean=mean, sigma_data=data)
    x = torch.randn(3, 2, 4, 5, dtype=F64)
    for sigma in (0.002, 0.05, 0.3, 2.0, 20.0):
        c_skip = data**2 / (sigma**2 + data**2)
        c_out = sigma * data / (sigma**2 + data**2) ** 0.5
        c_in = 1 / (sigma**2 + data**2) ** 0.5
        expected = mean + c_skip * (x - mean) + c_out * c_in * (x - mean)
        torch.testing.assert_close(prior.denoise(x, sigma), expected, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(prior.network.x, c_in * (x - mean))
        c_noise = torch.full((3,), sigma, dtype=F64).log() / 4
        torch.testing.assert_close(prior.network.noise, c_noise)
        weight = prior.loss_weight(torch.tensor([sigma], dtype=F64)).item()
        assert weight == pytest.approx(1 / c_out**2, rel=1e-12)


def test_the_best_network_for_gaussian_images() -> None:
    """Images N(m, v): F is linear, and D is the Wiener filter."""
    mean, data, variance, sigma = 0.5, 0.25, 0.04, 0.2
    total = sigma**2 + data**2
    # F = (D - m - c_skip (x - m)) / c_out with D = m + v / (v + sigma^2) (x - m).
    gain = (variance / (variance + sigma**2) - data**2 / total) * total / (sigma * data)
    prior = NetworkPrior(Probe(gain), channels=1, mean=mean, sigma_data=data)
    x = torch.randn(2, 1, 3, 3, dtype=F64)
    wiener = mean + variance / (variance + sigma**2) * (x - mean)
    torch.testing.assert_close(prior.denoise(x, sigma), wiener)
    torch.testing.assert_close(prior.score(x, sigma), -(x - mean) / (variance + sigma**2))
    # Where sigma_data is the spread of the images, there is nothing left to learn.
    prior = NetworkPrior(Probe(0.0), channels=1, mean=mean, sigma_data=variance**0.5)
    torch.testing.assert_close(prior.denoise(x, sigma), wiener)


def test_one_level_an_image() -> None:
    prior = unet_prior(F64)
    x, sigma = torch.randn(3, 1, 6, 5, dtype=F64), torch.tensor([0.01, 0.3, 5.0], dtype=F64)
    alone = torch.cat([prior.denoise(x[i : i + 1], float(sigma[i])) for i in range(3)])
    torch.testing.assert_close(prior.denoise(x, sigma), alone)
    with pytest.raises(
        ValueError, match=r"`sigma` must be a number or of shape \(3,\), got the shape \(2,\)"
    ):
        prior.denoise(x, sigma[:2])


def test_beyond_the_levels_that_were_trained() -> None:
    prior = unet_prior(F64)
    x = torch.rand(2, 1, 6, 5, dtype=F64)
    torch.testing.assert_close(prior.denoise(x, 0.0), x, rtol=0, atol=1e-15)
    mixed = prior.denoise(x, torch.tensor([0.0, 0.1], dtype=F64))
    torch.testing.assert_close(mixed[:1], x[:1], rtol=0, atol=1e-15)
    assert (prior.denoise(x, 1e-6) - x).abs().max() < 1e-5
    probed = NetworkPrior(Probe(), channels=1, sigma_min=0.01, sigma_max=10.0)
    for sigma, asked in ((0.0, 0.01), (0.001, 0.01), (0.5, 0.5), (100.0, 10.0)):
        assert probed.denoise(x, sigma).isfinite().all()
        assert probed.network.noise[0].exp().item() ** 4 == pytest.approx(asked, rel=1e-9)


def test_gradients_at_zero_noise() -> None:
    x = torch.rand(1, 1, 4, 4, dtype=F64)
    denoised, pull = unet_prior(F64).pullback(x, 0.0)
    u = torch.randn_like(x)
    torch.testing.assert_close(pull(u), u, rtol=0, atol=1e-14)
    torch.testing.assert_close(denoised, x, rtol=0, atol=1e-15)


@pytest.mark.parametrize("weights", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("images", [torch.float16, torch.float32, torch.float64])
def test_precision_is_that_of_the_images(weights: torch.dtype, images: torch.dtype) -> None:
    x = torch.rand(2, 1, 6, 6, dtype=F64)
    exact = unet_prior(F64).denoise(x, 0.1)
    denoised = unet_prior(weights).denoise(x.to(images), 0.1)
    assert denoised.dtype == images
    epsilon = max(torch.finfo(weights).eps, torch.finfo(images).eps)
    torch.testing.assert_close(denoised.to(F64), exact, rtol=0, atol=5 * epsilon)


def test_refused_images() -> None:
    prior = unet_prior()
    for dtype in (torch.complex64, torch.uint8):
        with pytest.raises(ValueError, match=f"real images in floating point .*, got {dtype}"):
            prior.denoise(torch.ones(1, 1, 4, 4, dtype=dtype), 0.1)
    for shape in ((1, 4, 4), (1, 3, 4, 4), (1, 1, 1, 4, 4)):
        with pytest.raises(ValueError, match=r"must have shape \(b, 1, h, w\) .*, got \(1, "):
            prior.denoise(torch.ones(shape), 0.1)


@pytest.mark.parametrize(
    "options", [{"sigma_min": 0.0}, {"sigma_min": 3.0, "sigma_max": 2.0}, {"sigma_data": 0.0}]
)
def test_refused_levels(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="0 < sigma_min < sigma_max"):
        NetworkPrior(Probe(), channels=1, **options)


def test_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    prior = unet_prior()
    prior.save(file)
    loaded = load_prior(file)
    x = torch.rand(1, 1, 7, 8)
    torch.testing.assert_close(loaded.denoise(x, 0.1), prior.denoise(x, 0.1), rtol=0, atol=2e-3)
    assert next(loaded.parameters()).dtype == torch.float32
    assert not any(w.requires_grad for w in loaded.parameters())
    prior.save(file, dtype=torch.float32)
    assert torch.equal(load_prior(str(file)).denoise(x, 0.1), prior.denoise(x, 0.1))


def test_parametrisation_survives_a_file(tmp_path: Path) -> None:
    options = {"mean": 0.1, "sigma_data": 0.2, "sigma_min": 0.3, "sigma_max": 0.4}
    metadata = {"architecture": ARCHITECTURE | {"channels": 3}, "name": "mine"}
    prior = NetworkPrior(
        build_network(**metadata["architecture"]),  # type: ignore[arg-type]
        channels=3,
        metadata=metadata,
        **options,
    )
    prior.save(tmp_path / "mine.safetensors")
    loaded = load_prior(tmp_path / "mine.safetensors")
    assert {name: getattr(loaded, name) for name in options} == options
    assert loaded.channels == 3
    assert loaded.metadata["name"] == "mine"
    assert loaded.variance == pytest.approx(0.04)


def test_symmetry_survives_a_file(tmp_path: Path) -> None:
    prior = unet_prior()
    assert not prior.symmetric
    prior.symmetric = True
    prior.save(tmp_path / "mine.safetensors")
    assert NetworkPrior.load(tmp_path / "mine.safetensors").symmetric


def test_loading_keeps_the_fast_layout(tmp_path: Path) -> None:
    unet_prior().save(tmp_path / "mine.safetensors")
    weight = load_prior(tmp_path / "mine.safetensors").get_parameter(
        "network.encoder.0.0.conv_in.weight"
    )
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_files_that_are_no_prior(tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    unet_prior().save(file)
    weights, metadata = load_checkpoint(file)
    edm = metadata["parametrisation"]
    broken = {
        "architecture is missing": (weights, {"parametrisation": edm}),
        "parametrisation is missing": (weights, {"architecture": ARCHITECTURE}),
        "unknown parametrisation 'vp'": (
            weights,
            metadata | {"parametrisation": edm | {"name": "vp"}},
        ),
        "unknown network": (weights, metadata | {"architecture": {"name": "net"}}),
        "architecture must be keys and values, got 'unet'": (
            weights,
            metadata | {"architecture": "unet"},
        ),
        "its weights do not fit": ({"stem.weight": weights["stem.weight"]}, metadata),
        "unknown key parametrisation.sigma_dat; did you mean 'sigma_data'": (
            weights,
            metadata | {"parametrisation": edm | {"sigma_dat": 0.5}},
        ),
        "blocks must be a whole number or a list, got 'two'": (
            weights,
            metadata | {"architecture": ARCHITECTURE | {"blocks": "two"}},
        ),
        "a network must have at most 5000 tensors": (
            weights,
            metadata | {"architecture": ARCHITECTURE | {"blocks": 10**9}},
        ),
        "a network of .* weights or more would need .*B of memory": (
            weights,
            metadata | {"architecture": ARCHITECTURE | {"widths": [10**6, 10**6]}},
        ),
        "channels must be 1, got 2": (
            weights,
            metadata | {"architecture": ARCHITECTURE | {"channels": 2}},
        ),
        "sigma_min must be above 0": (
            weights,
            metadata | {"parametrisation": edm | {"sigma_min": 0.0}},
        ),
    }
    for message, content in broken.items():
        save_checkpoint(file, *content)
        with pytest.raises(CheckpointError, match=f"is no prior: .*{message}"):
            load_prior(file)


def test_files_of_old(tmp_path: Path) -> None:
    """Before there were complex images and other parametrisations."""
    file, prior = tmp_path / "mine.safetensors", unet_prior()
    prior.save(file, dtype=torch.float32)
    weights, metadata = load_checkpoint(file)
    names = ["name", "channels", "mean", "sigma_data", "sigma_min", "sigma_max"]
    old = {name: metadata["parametrisation"][name] for name in names}
    assert old["name"] == "edm"
    save_checkpoint(file, weights, metadata | {"parametrisation": old})
    x = torch.rand(1, 1, 7, 8)
    assert torch.equal(load_prior(file).denoise(x, 0.1), prior.denoise(x, 0.1))


def test_weights_that_are_not_finite(tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    unet_prior().save(file)
    weights, metadata = load_checkpoint(file)
    save_checkpoint(file, weights | {"head.bias": weights["head.bias"] * float("nan")}, metadata)
    with pytest.raises(
        CheckpointError, match=r"must have finite weights, got NaN or infinite ones$"
    ):
        load_prior(file)


def test_names(tmp_path: Path) -> None:
    for name, metadata in available_priors().items():
        assert metadata["name"] == name
        assert load_prior(name).channels == metadata["parametrisation"]["channels"]
    with pytest.raises(CheckpointError, match=r"prior 'nothing' is neither a file nor one of "):
        load_prior("nothing")
    with pytest.raises(CheckpointError, match="of no known family"):
        load_prior(tmp_path)


def test_a_processor_works_on_few_images_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The result is that of the batch as a whole, with derivatives, and each has its own level."""
    prior = unet_prior(F64)
    asked: list[int] = []
    prior.network.register_forward_pre_hook(lambda _, given: asked.append(len(given[0])))
    x = torch.rand(5, 1, 8, 12, dtype=F64).requires_grad_()
    sigma = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5])
    whole = prior.denoise(x, sigma)
    (gradient,) = torch.autograd.grad(whole.square().sum(), x)
    assert prior.footprint is not None
    each = prior.footprint.bytes_per_pixel * 8 * 12
    for bytes_at_once, sizes in {2.5 * each: [2, 2, 1], 0.5 * each: [1] * 5}.items():
        asked.clear()
        monkeypatch.setattr("invscore.priors.network.AT_ONCE", bytes_at_once)
        parts = prior.denoise(x, sigma)
        assert asked == sizes
        torch.testing.assert_close(parts, whole, rtol=1e-12, atol=1e-12)
        (found,) = torch.autograd.grad(parts.square().sum(), x)
        torch.testing.assert_close(found, gradient, rtol=1e-12, atol=1e-12)
