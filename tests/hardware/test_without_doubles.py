"""On a device without double precision, such as Apple's: all that is on others, in single."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from without_doubles import DEVICE, There, WithoutDoubles, known

from invscore import GaussianNoise, InverseProblem, PoissonNoise, reconstruct, simulate
from invscore import driver as driver_module
from invscore.hardware import doubles
from invscore.methods import METHODS
from invscore.networks import build_network
from invscore.operators import Blur, Inpainting, LinearOperator
from invscore.operators.constant import Constant
from invscore.priors import DiffusionPrior, NetworkPrior
from invscore.priors.export.epsilon import EpsilonNetwork
from invscore.processes import VP
from invscore.rng import AntitheticRNG, SampleRNG

sys.path.insert(0, str(Path(__file__).parents[1] / "operators"))
from test_contract import OPERATORS

pytestmark = pytest.mark.usefixtures("there")
SHAPE = (1, 16, 16)
MOVED = (
    "circular blur",
    "gaussian blur",
    "reflect blur",
    "reflect blur, mirrored kernel",
    "valid blur",
    "random inpainting",
    "bicubic super-resolution",
    "separable",
    "mri",
    "real mri",
    "coil maps",
    "compressed sensing",
    "wide matrix",
    "complex matrix",
    "product",
    "stack",
)
ALONE = "INVSCORE_TEST_ALONE"
"""Set in a process of its own, for derivatives: torch knows the devices of its first ones only."""

TASKS: dict[str, LinearOperator] = {
    "blur": Blur.gaussian(1.0, SHAPE),
    "mask": Inpainting.random(SHAPE, keep=0.4),
}


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The device, which has no random numbers of its own here."""
    known()
    monkeypatch.setattr(doubles, "SINGLE", {"mps", DEVICE.type})
    monkeypatch.setattr(driver_module, "SampleRNG", lambda keys, _: SampleRNG(keys))
    monkeypatch.setattr(driver_module, "AntitheticRNG", lambda k, i, _: AntitheticRNG(k, i))
    quantile = torch.quantile  # which knows by the device's name whether it may use doubles
    monkeypatch.setattr(
        torch, "quantile", lambda x, *args, **o: quantile(x.cpu(), *args, **o).to(x.device)
    )
    with WithoutDoubles():
        yield


def network_prior() -> NetworkPrior:
    torch.manual_seed(0)
    network = build_network(name="unet", channels=1, widths=[4, 8], blocks=1, embedding=8)
    return NetworkPrior(network.requires_grad_(False), channels=1)


def moved(module: nn.Module) -> nn.Module:
    """On the device; parameters become buffers, as a subclass of tensors cannot be their data."""
    for part in module.modules():
        for name, parameter in list(part._parameters.items()):
            del part._parameters[name]
            part.register_buffer(name, None if parameter is None else parameter.data)
    for part in module.modules():
        part._apply(lambda x: x.to(DEVICE), recurse=False)
    return module


def problem(operator: LinearOperator) -> InverseProblem:
    truth = torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(1))
    noise = GaussianNoise(0.05)
    return InverseProblem(operator, simulate(operator, truth, noise, 2), noise)


def test_the_imitation_refuses_doubles_and_neighbours() -> None:
    x = torch.rand(3).to(DEVICE)
    assert isinstance(x, There)
    assert x.device == DEVICE
    with pytest.raises(TypeError, match="float64"):
        x.double()
    with pytest.raises(TypeError, match="float64"):
        torch.zeros(2, dtype=torch.float64, device=DEVICE)
    with pytest.raises(RuntimeError, match="on the CPU"):
        x + torch.rand(3)
    assert float((2 * x).cpu().double().sum()) == pytest.approx(2 * sum(x.tolist()))


@pytest.mark.parametrize("name", ["auto", "ddrm", "diffpir", "dps", "map_lbfgs"])
@pytest.mark.parametrize("task", TASKS)
def test_methods_give_there_what_they_give_here(
    name: str, task: str, request: pytest.FixtureRequest
) -> None:
    if name == "dps" and ALONE not in os.environ:
        again = f"{__file__}::{request.node.name}"
        command = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", again]
        done = subprocess.run(
            command, env={**os.environ, ALONE: "1"}, capture_output=True, check=False, text=True
        )
        assert done.returncode == 0, done.stdout
        assert "1 passed" in done.stdout
        return
    options = METHODS[name].options({"steps": 5})
    prior, here = network_prior(), problem(TASKS[task])
    expected = reconstruct(here, prior, method=name, samples=2, **options)
    away = InverseProblem(TASKS[task].to(DEVICE), here.y.to(DEVICE), here.noise)
    result = reconstruct(away, moved(prior), method=name, samples=2, **options)
    assert result.samples.device == DEVICE
    error = (result.samples.cpu() - expected.samples).abs().max()
    assert error < 1e-4 * expected.samples.abs().max()


@pytest.mark.parametrize("name", MOVED)
def test_operators_are_moved(name: str) -> None:
    operator = OPERATORS[name].to(dtype=torch.float32)
    complex_in = torch.complex64 if operator.in_complex else torch.float32
    x = torch.randn(2, *operator.in_shape, dtype=complex_in)
    y = operator(x)
    away = OPERATORS[name].to(DEVICE)

    def agree(found: Tensor, expected: Tensor) -> None:
        assert found.device == DEVICE
        torch.testing.assert_close(found.cpu(), expected, rtol=1e-4, atol=1e-4)

    agree(away(x.to(DEVICE)), y)
    if isinstance(operator, LinearOperator):
        assert isinstance(away, LinearOperator)
        agree(away.rmatvec(y.to(DEVICE)), operator.rmatvec(y))
        try:
            f = operator.svd(torch.float32)
        except NotImplementedError:
            return
        g = away.svd(torch.float32)
        back = g.u(g.s * g.vh(x.to(DEVICE)))
        agree(back, f.u(f.s * f.vh(x)))
        agree(g.uh(y.to(DEVICE)).abs() * g.s, f.uh(y).abs() * f.s)


def test_constants_keep_their_doubles_here() -> None:
    constant = Constant(torch.rand(2, dtype=torch.float64)).to(DEVICE)
    assert constant.single.device == DEVICE
    assert constant.double.device.type == "cpu"


def test_tables_of_levels_become_single() -> None:
    abar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 100), dim=0)
    options = {"alphas_cumprod": abar, "predicts": "epsilon", "channels": 1}
    prior = DiffusionPrior(lambda x, t: x * t.reshape(-1, 1, 1, 1) / 100, **options)
    x = torch.rand(2, 1, 4, 4)
    epsilon = EpsilonNetwork(prior)
    expected, noise = prior.denoise(x, 0.3), epsilon(x, torch.tensor([3, 50]))
    moved(epsilon)
    found = epsilon(x.to(DEVICE), torch.tensor([3, 50]).to(DEVICE))
    torch.testing.assert_close(found.cpu(), noise, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(prior.denoise(x.to(DEVICE), 0.3).cpu(), expected)


def test_processes_take_times_of_the_device() -> None:
    process, t = VP(), torch.tensor([0.2, 0.7])
    torch.testing.assert_close(process.alpha(t.to(DEVICE)), process.alpha(t))
    x = torch.rand(2, *SHAPE)
    found, _ = process.to_ve(x.to(DEVICE), t.to(DEVICE))
    torch.testing.assert_close(found.cpu(), process.to_ve(x, t)[0])


def test_counts_are_judged_there() -> None:
    noise, clean = PoissonNoise(5.0), torch.rand(2, 64)
    y = torch.poisson(5 * clean) / 5
    for found, expected in zip(
        noise.misfit(y.to(DEVICE), clean.to(DEVICE)), noise.misfit(y, clean), strict=True
    ):
        assert found.device == DEVICE
        torch.testing.assert_close(found.cpu(), expected)
