"""Whatever a network predicts and however it is told the time, D is that of the images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from invscore.priors import DiffusionPrior

F64 = torch.float64
ABAR = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=F64), dim=0)
MEAN, VARIANCE = 0.2, 0.3  # of images on [-1, 1]


def column(t: Tensor) -> Tensor:
    return t.reshape(-1, 1, 1, 1)


def mean_image(x: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """``E[z0 | alpha z0 + sigma n = x]`` of pixels N(MEAN, VARIANCE)."""
    gain = alpha * VARIANCE / (alpha**2 * VARIANCE + sigma**2)
    return MEAN + gain * (x - alpha * MEAN)


def expected(x: Tensor, sigma: Tensor) -> Tensor:
    """D in image units."""
    s = column(2 * sigma)
    return (mean_image(2 * x - 1, torch.ones_like(s), s) + 1) / 2


def abar_at(t: Tensor) -> Tensor:
    """Between the entries, ln s is linear in t."""
    low = t.long().clamp(0, 998)
    logs = ((1 - ABAR) / ABAR).log()
    return column(1 / (1 + torch.lerp(logs[low], logs[low + 1], t - low).exp()))


def preserving(predicts: str) -> Callable[..., Tensor]:
    def network(x: Tensor, t: Tensor) -> Tensor:
        abar = abar_at(t)
        z0 = mean_image(x, abar.sqrt(), (1 - abar).sqrt())
        noise = (x - abar.sqrt() * z0) / (1 - abar).sqrt()
        return {
            "epsilon": noise,
            "x0": z0,
            "v": abar.sqrt() * noise - (1 - abar).sqrt() * z0,
            "score": -noise / (1 - abar).sqrt(),
        }[predicts]

    return network


def flow(x: Tensor, r: Tensor, towards: float) -> Tensor:
    z0 = mean_image(x, 1 - column(r), column(r))
    noise = (x - (1 - column(r)) * z0) / column(r)
    return towards * (noise - z0)


def edm(x: Tensor, c_noise: Tensor) -> Tensor:
    s, data = column((4 * c_noise).exp()), 0.5
    z = x * (s**2 + data**2).sqrt()
    skip = data**2 / (s**2 + data**2)
    out = s * data / (s**2 + data**2).sqrt()
    return (mean_image(z, torch.ones_like(s), s) - skip * z) / out


def exploding_score(x: Tensor, s: Tensor) -> Tensor:
    return (mean_image(x, torch.ones_like(column(s)), column(s)) - x) / column(s) ** 2


LEVELS = {"sigma_min": 0.01, "sigma_max": 50.0}
NETWORKS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    **{
        name: (preserving(name), {"predicts": name, "alphas_cumprod": ABAR})
        for name in ("epsilon", "v", "x0", "score")
    },
    "places": (
        lambda x, t: preserving("epsilon")(x, 1000 * t - 1),
        {
            "predicts": "epsilon",
            "alphas_cumprod": ABAR,
            "times": [(k + 1) / 1000 for k in range(1000)],
        },
    ),
    "flow": (lambda x, t: flow(x, t, 1), {"predicts": "flow", **LEVELS}),
    "to the image": (
        lambda x, t: flow(x, 1 - t, -1),
        {"predicts": "flow", "time": "data", **LEVELS},
    ),
    "thousand": (
        lambda x, t: flow(x, t / 1000, 1),
        {"predicts": "flow", "time_scale": 1000, **LEVELS},
    ),
    "edm": (edm, {"predicts": "edm", "sigma_data": 0.5, **LEVELS}),
    "exploding": (exploding_score, {"predicts": "score", **LEVELS}),
    "a clock": (
        lambda x, t: exploding_score(x, t.sqrt()),
        {"predicts": "score", "time": lambda s: s**2, **LEVELS},
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_prediction(name: str) -> None:
    network, options = NETWORKS[name]
    prior = DiffusionPrior(network, channels=2, **options)
    x = torch.rand(5, 2, 3, 3, dtype=F64)
    sigma = torch.tensor([0.011, 0.05, 0.3, 2.0, 30.0], dtype=F64)
    torch.testing.assert_close(prior.denoise(x, sigma), expected(x, sigma), rtol=0, atol=1e-6)


def test_levels_follow_from_the_table() -> None:
    prior = DiffusionPrior(preserving("v"), channels=1, predicts="v", alphas_cumprod=ABAR)
    ends = ((1 - ABAR) / ABAR).sqrt()[[0, -1]] / 2
    assert [prior.sigma_min, prior.sigma_max] == pytest.approx(ends.tolist(), rel=1e-12)
    assert prior.facts["predicts"] == "v"


def test_labels_variances_and_wrapped_outputs() -> None:
    class Output:
        def __init__(self, sample: Tensor) -> None:
            self.sample = sample

    told: list[Tensor] = []

    def network(x: Tensor, t: Tensor, label: Tensor) -> Output:
        told.append(label)
        return Output(torch.cat([preserving("epsilon")(x, t), 9 * x], dim=1))

    prior = DiffusionPrior(
        network, channels=1, predicts="epsilon", alphas_cumprod=ABAR, class_label=7
    )
    x, sigma = torch.rand(2, 1, 3, 3, dtype=F64), torch.tensor([0.1, 0.5], dtype=F64)
    torch.testing.assert_close(prior.denoise(x, sigma), expected(x, sigma), rtol=0, atol=1e-6)
    assert told[0].tolist() == [7, 7]
    DiffusionPrior(
        network, channels=1, predicts="epsilon", alphas_cumprod=ABAR, class_label=[0.0, 1.0, 0.0]
    ).denoise(x, sigma)
    assert told[1].tolist() == [[0, 1, 0], [0, 1, 0]]
    for wrong in (0.5, [1, 2], torch.zeros(2, 3)):
        with pytest.raises(ValueError, match="`class_label` must be a whole number or a vector"):
            DiffusionPrior(
                network,
                channels=1,
                predicts="epsilon",
                alphas_cumprod=ABAR,
                class_label=wrong,  # type: ignore[arg-type]
            )


def test_a_schedule_that_ends_in_pure_noise() -> None:
    root = ABAR.sqrt()
    ended = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
    prior = DiffusionPrior(lambda x, t: x, channels=1, predicts="v", alphas_cumprod=ended)
    last = ended[-2]  # the last that has a level
    assert prior.sigma_max == pytest.approx(float(((1 - last) / last).sqrt()) / 2)
    x = torch.randn(1, 1, 4, 4, dtype=F64) * prior.sigma_max
    s = 2 * prior.sigma_max
    z = 2 * x - 1
    D = z / (1 + s**2) - s / (1 + s**2) ** 0.5 * (z / (1 + s**2) ** 0.5)
    torch.testing.assert_close(prior.denoise(x, prior.sigma_max), (D + 1) / 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"predicts": "noise"}, "`predicts` must be one of epsilon, v, x0, score, flow, edm"),
        ({"predicts": "v"}, "`alphas_cumprod` must be given"),
        ({"predicts": "flow", "alphas_cumprod": ABAR}, "`alphas_cumprod` does not go"),
        ({"predicts": "edm"}, "`sigma_data` must be given"),
        ({"predicts": "epsilon", "sigma_data": 0.5}, "`sigma_data` must be given"),
        ({"predicts": "score"}, "`sigma_min` and `sigma_max` must be given"),
        ({"predicts": "score", "time": "index"}, "is a place in `alphas_cumprod`"),
        ({"predicts": "score", "time": "hours"}, "`time` must be one of"),
        ({"predicts": "epsilon", "alphas_cumprod": ABAR.flip(0)}, "`alphas_cumprod` must"),
        ({"predicts": "epsilon", "alphas_cumprod": ABAR, "times": [1, 2]}, "`times` must have"),
    ],
)
def test_arguments_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DiffusionPrior(lambda x, t: x, channels=1, **options)


def test_a_network_of_other_channels() -> None:
    prior = DiffusionPrior(
        lambda x, t: x[:, :1], channels=3, predicts="epsilon", alphas_cumprod=ABAR
    )
    with pytest.raises(ValueError, match="the network must give 3 channels, or 6"):
        prior.denoise(torch.rand(1, 3, 4, 4), 0.1)
