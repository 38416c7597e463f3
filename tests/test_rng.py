import numpy as np
import pytest
import torch

from invscore.rng import SampleRNG, random_signs, sample_rng

KEYS = [(3, 0), (0, 7), (4, 4), (3, 1), (0, 7)]  # of which two are the same


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64])
def test_a_key_gives_the_same_numbers_in_any_company(dtype: torch.dtype) -> None:
    together, alone = SampleRNG(KEYS), [SampleRNG([key]) for key in KEYS]
    like = torch.empty(5, 1, 3, 5, dtype=dtype)
    for _ in range(2):
        batch = together.normal_like(like)
        assert batch.dtype == dtype
        assert batch.shape == like.shape
        for image, one in zip(batch, alone, strict=True):
            assert torch.equal(image, one.normal_like(like[:1])[0])
        uniform = together.uniform(like)
        assert uniform.shape == (5,)
        assert torch.equal(uniform, torch.cat([one.uniform(like[:1]) for one in alone]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64])
def test_numbers_drawn_ahead_are_the_same_in_any_company(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU: few calls of a generator, and no number twice."""
    made: list[int] = []
    randn = torch.randn
    monkeypatch.setattr(torch, "randn", lambda *a, **k: made.append(1) or randn(*a, **k))
    together, alone = SampleRNG(KEYS), [SampleRNG([key]) for key in KEYS]
    for rng in (together, *alone):
        rng._ahead = 400
    asked = 0
    for shape in [(3, 5), (4, 4), (3, 5), (40, 40), (3, 5), (2, 2)] * 3:
        like = torch.empty(5, 1, *shape, dtype=dtype)
        batch = together.normal_like(like)
        for image, one in zip(batch, alone, strict=True):
            assert torch.equal(image, one.normal_like(like[:1])[0])
        asked += 1
        batch.mul_(0)  # what has been handed out is the caller's
    assert len(made) < 0.7 * 2 * len(KEYS) * asked


def test_numbers_drawn_ahead_are_normal_and_independent() -> None:
    rng = SampleRNG([(0,), (1,)])
    rng._ahead = 1000
    drawn = torch.stack([rng.normal_like(torch.empty(2, 3, 11)).clone() for _ in range(3000)])
    draws = drawn.double().flatten(1).T.reshape(66, 3000)
    correlation = draws @ draws.T / 3000 - torch.eye(66)
    assert float(correlation.abs().max()) * 3000**0.5 < 5 * 2**0.5
    assert abs(float(drawn.mean())) * drawn.numel() ** 0.5 < 4.5
    one = drawn[:, 0].flatten()
    assert abs(float((one[1:] * one[:-1]).mean())) * one.numel() ** 0.5 < 4.5


def test_numbers_do_not_repeat_and_seed_zero_is_a_seed() -> None:
    rng = SampleRNG([(0, 0)])
    first, second = rng.normal_like(torch.empty(1, 100)), rng.normal_like(torch.empty(1, 100))
    assert not torch.equal(first, second)
    assert torch.equal(first, SampleRNG([(0, 0)]).normal_like(first))


def test_different_keys_are_independent() -> None:
    n = 50_000
    keys = [(0,), (1,), (0, 0), (0, 1), (1, 0), (0, 0, 0)]
    z = SampleRNG(keys).normal_like(torch.empty(len(keys), n, dtype=torch.float64))
    correlation = z @ z.T / n - torch.eye(len(keys), dtype=torch.float64)
    assert float(correlation.abs().max()) * n**0.5 < 4.5 * 2**0.5


def test_normal_numbers_have_unit_variance_in_each_part() -> None:
    n = 100_000
    z = SampleRNG([(5,), (6,)]).normal_like(torch.empty(2, n, dtype=torch.complex128))
    parts = torch.view_as_real(z)
    moments = torch.stack([parts.mean(dim=1), parts.square().mean(dim=1) - 1])
    assert float(moments[0].abs().max()) * n**0.5 < 4.5
    assert float(moments[1].abs().max()) * (n / 2) ** 0.5 < 4.5
    product = (parts[..., 0] * parts[..., 1]).mean(dim=1)
    assert float(product.abs().max()) * n**0.5 < 4.5


def test_uniform_numbers_are_uniform() -> None:
    n = 4000
    u = SampleRNG([(k,) for k in range(n)]).uniform(torch.empty(n, 2, dtype=torch.complex128))
    assert u.dtype == torch.float64
    assert float(u.min()) >= 0
    assert float(u.max()) < 1
    steps = np.arange(n) / n
    distance = np.abs(np.sort(u.numpy()) - steps).max()
    assert distance * n**0.5 < 2  # Kolmogorov-Smirnov, p < 0.001


def test_poisson_numbers_have_their_rate() -> None:
    n = 50_000
    rate = torch.tensor([[0.5], [20.0]]).expand(2, n)
    counts = SampleRNG([(0,), (1,)]).poisson(rate)
    error = (counts.mean(dim=1) - rate[:, 0]) * (n / rate[:, 0]).sqrt()
    assert float(error.abs().max()) < 4.5
    spread = counts.var(dim=1) / rate[:, 0] - 1
    assert float(spread.abs().max()) * (n / 4) ** 0.5 < 4.5
    assert torch.equal(counts[1:], SampleRNG([(1,)]).poisson(rate[1:]))


def test_a_batch_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="2 streams serve no batch of 3"):
        SampleRNG([(0,), (1,)]).normal_like(torch.empty(3, 2))


def test_numbers_are_on_the_device_of_the_tensor() -> None:
    rng, like = SampleRNG([(0,), (1,)]), torch.ones(2, 3, device="meta")
    for numbers in (rng.normal_like(like), rng.normal_like(like + 0j), rng.uniform(like)):
        assert numbers.device == like.device


def test_a_seed_stands_for_one_stream_a_sample() -> None:
    like = torch.empty(3, 10)
    z = sample_rng(7, 3, "prior").normal_like(like)
    assert torch.equal(z[1:], sample_rng(8, 2, "prior").normal_like(like[1:]))
    assert not torch.equal(z, sample_rng(7, 3, "noise").normal_like(like))
    rng = SampleRNG([(1,)])
    assert sample_rng(rng, 1, "prior") is rng


@pytest.mark.parametrize(("dtype", "seen"), [(torch.float64, 1.0), (torch.complex128, 2.0)])
def test_random_signs_see_a_diagonal_without_error(dtype: torch.dtype, seen: float) -> None:
    generator = torch.Generator().manual_seed(0)
    signs = random_signs((4, 1000), dtype, generator)
    diagonal = torch.arange(1000.0, dtype=torch.float64)
    looks = (signs.conj() * diagonal * signs).real
    torch.testing.assert_close(looks, seen * diagonal.expand(4, -1))
    parts = torch.view_as_real(signs) if signs.is_complex() else signs
    assert parts.unique().tolist() == [-1.0, 1.0]
    assert abs(float(parts.mean())) < 4 / parts.numel() ** 0.5
    gram = (signs.conj() @ signs.T).real / 1000 / seen
    assert float((gram - torch.eye(4)).abs().max()) < 5 / 1000**0.5
