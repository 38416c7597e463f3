"""Methods whose steps are affine, on Gaussian priors: the mean and covariance of their results are
those that their formulas give by dense algebra, and where they are exact, those of the posterior.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from invscore import levels
from invscore.exact import exact_posterior
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods import METHODS
from invscore.methods.common.conditioned import conditioned, matched_gradient
from invscore.methods.common.initial_guess import initial_guess
from invscore.operators import from_function, from_matrix
from invscore.priors import GaussianPrior
from invscore.rng import SampleRNG

F64 = torch.float64
A = torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.3, -0.8]], dtype=F64)
Y = torch.tensor([0.9, -0.4], dtype=F64)
S = 0.2
EYE = torch.eye(3, dtype=F64)
NORMAL = A.T @ A
MEAN = torch.tensor([0.5, -0.2, 0.1], dtype=F64)
COVARIANCE = torch.tensor([[0.6, 0.3, 0.0], [0.3, 0.5, -0.1], [0.0, -0.1, 0.4]], dtype=F64)

Law = tuple[Tensor, Tensor]
LawOf = Callable[..., Law]


def task(s: float = S) -> InverseProblem:
    return InverseProblem(from_matrix(A), Y[None], GaussianNoise(s))


def prior() -> GaussianPrior:
    return GaussianPrior(MEAN, COVARIANCE)


def denoiser(sigma: float, covariance: Tensor = COVARIANCE) -> tuple[Tensor, Tensor]:
    """J and b of ``D(x, sigma) = J x + b``."""
    jacobian = covariance @ torch.linalg.inv(covariance + sigma**2 * EYE)
    return jacobian, MEAN - jacobian @ MEAN


def start(sigma: float) -> Law:
    guess = initial_guess(task(), prior(), 0.0, SampleRNG([(0,)]))[0]
    return guess, sigma**2 * EYE


def moved(law: Law, matrix: Tensor, shift: Tensor, noise: Tensor) -> Law:
    """The law of ``matrix x + shift + n``, n of covariance ``noise``."""
    mean, covariance = law
    return matrix @ mean + shift, matrix @ covariance @ matrix.T + noise


def ddim(law: Law, gain: Tensor, shift: Tensor, now: float, then: float, eta: float) -> Law:
    """Song et al. 2021, Eq. 12 with ``x0 = gain x + shift``."""
    fresh = eta * then * (1 - then**2 / now**2) ** 0.5
    kept = (then**2 - fresh**2) ** 0.5 / now
    return moved(law, gain + kept * (EYE - gain), (1 - kept) * shift, fresh**2 * EYE)


def assert_same(law: Law, expected: Law, tolerance: float = 1e-5) -> None:
    """Within a share ``tolerance`` of the standard deviations."""
    deviations = expected[1].diagonal().sqrt()
    assert ((law[0] - expected[0]).abs() <= tolerance * deviations).all(), (law[0], expected[0])
    error = (law[1] - expected[1]).abs() / (deviations[:, None] * deviations)
    assert (error <= 2 * tolerance).all(), error


def assert_posterior(law: Law, problem: InverseProblem, of: GaussianPrior, share: float) -> None:
    posterior = exact_posterior(problem, of)
    assert_same(law, (posterior.mean, posterior.covariance), share)


def limit(run: Callable[[int], Law], steps: int = 100) -> Law:
    """The law as steps grow, its error being of order 1 / steps (Richardson's extrapolation)."""
    coarse, fine = run(steps), run(2 * steps)
    return 2 * fine[0] - coarse[0], 2 * fine[1] - coarse[1]


def guided_levels(steps: int) -> list[float]:
    return levels.ddpm(steps, prior(), 4 * prior().variance ** 0.5)


def wide_levels(steps: int) -> list[float]:
    return levels.ddpm(steps, prior(), 20 * prior().variance ** 0.5)


# TMPD and MMPS


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_mmps_is_exact_for_gaussians(eta: float, law: LawOf) -> None:
    def run(steps: int) -> Law:
        return law("mmps", task(), prior(), steps=steps, cg_steps=2, eta=eta, sigma_max=30.0)

    assert_posterior(limit(run), task(), prior(), 0.015)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_tmpd_is_exact_for_independent_pixels(eta: float, law: LawOf) -> None:
    independent = GaussianPrior(MEAN, torch.tensor([0.2, 0.5, 0.9], dtype=F64))

    def run(steps: int) -> Law:
        return law("tmpd", task(), independent, steps=steps, eta=eta, sigma_max=30.0, sums="pixels")

    assert_posterior(limit(run), task(), independent, 0.01)


@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "dpm++2m", "euler", "euler-maruyama", "heun"])
def test_every_sampler_draws_with_a_conditioned_denoiser(sampler: str, law: LawOf) -> None:
    white = GaussianPrior(MEAN, 0.5)

    def run(steps: int) -> Law:
        options = {"guidance": "score", "sigma_max": 30.0, "sampler": sampler}
        return law("pigdm", task(), white, steps=steps, **options)

    order = 1 if sampler in {"dpm++2m", "heun"} else 0
    assert_posterior(run(400) if order else limit(run, 200), task(), white, 0.03)


def test_samplers_of_their_own_length_draw_with_a_conditioned_denoiser() -> None:
    """Images choose their own steps, which must not mix up their measurements."""
    white = GaussianPrior(MEAN, 0.5)
    tasks = InverseProblem(
        from_matrix(A), torch.stack([Y, -3 * Y, 0 * Y]), GaussianNoise(torch.tensor([S, 2 * S, 1]))
    )

    def run(sampler: str, **options: object) -> Tensor:
        rng, info = SampleRNG([(0,), (1,), (2,)]), METHODS["pigdm"]
        chosen = {"guidance": "score", "sampler": sampler, "sigma_max": 30.0, **options}
        *_, last = info.run(tasks, white, rng, **chosen)
        return last.x

    torch.testing.assert_close(run("adaptive"), run("heun", steps=600), rtol=0, atol=0.02)
    together = run("pc", steps=5)
    *_, alone = METHODS["pigdm"].run(
        tasks.select(torch.tensor([1])), white, SampleRNG([(1,)]), guidance="score", sampler="pc",
        steps=5, sigma_max=30.0,
    )  # fmt: skip
    torch.testing.assert_close(together[1:2], alone.x)


def test_conditioned_is_the_denoiser_of_a_method() -> None:
    white = GaussianPrior(MEAN, 0.5)
    denoise = conditioned(task(), white, method="pigdm")
    x, sigma = torch.tensor([[2.0, 0.5, -1.0]], dtype=F64), 0.7
    precision = EYE / sigma**2 + EYE / 0.5 + NORMAL / S**2
    told = x[0] / sigma**2 + MEAN / 0.5 + A.T @ Y / S**2
    torch.testing.assert_close(denoise(x, sigma)[0], torch.linalg.solve(precision, told))
    with pytest.raises(ValueError, match="`method` must be one that conditions a denoiser, got"):
        conditioned(task(), white, method="dps")
    with pytest.raises(ValueError, match="pigdm"):
        conditioned(task(), white, method="pigdm", steps=3)


def test_eta_is_of_ddim() -> None:
    rng, info = SampleRNG([(0,)]), METHODS["mmps"]
    with pytest.raises(ValueError, match=r"`eta` must be none with the sampler 'heun', got 0.5"):
        next(info.run(task(), prior(), rng, sampler="heun", eta=0.5))


@pytest.mark.parametrize("name", ["tmpd", "mmps", "pixels"])
def test_moment_matching_follows_its_formula(name: str, law: LawOf) -> None:
    """``D + sigma^2 J^T A^T (S + A C A^T)^-1 (y - A D)``, ``C = sigma^2 J`` or row sums of it, or
    those of ``A C A^T`` in its place."""
    eta, sigmas = 0.6, guided_levels(5)
    expected = start(sigmas[0])
    for now, then in pairwise(sigmas):
        jacobian, shift = denoiser(now)
        spread = now**2 * (jacobian.sum(dim=1).diag() if name == "pixels" else jacobian)
        assert (spread.diagonal() > 0).all()
        gram = A @ spread @ A.T
        if name == "tmpd":
            gram = gram.sum(dim=1).clamp_min(0).diag()
        gram = gram + S**2 * torch.eye(2, dtype=F64)
        pull = now**2 * jacobian.T @ A.T @ torch.linalg.inv(gram)
        keep = EYE - pull @ A
        expected = ddim(expected, keep @ jacobian, keep @ shift + pull @ Y, now, then, eta)
    method, options = ("tmpd", {"sums": "pixels"}) if name == "pixels" else (name, {})
    assert_same(law(method, task(), prior(), steps=5, eta=eta, **options), expected)


def test_fewer_cg_steps_explain_less() -> None:
    """One step of conjugate gradients is one along the residual, of the best length."""
    x = torch.tensor([[0.3, 0.1, -0.2]], dtype=F64)
    residual = Y - A @ x[0]
    gram = A @ COVARIANCE @ A.T + S**2 * torch.eye(2, dtype=F64)
    length = residual @ residual / (residual @ gram @ residual)
    found, _ = matched_gradient(task(), x, lambda v: v @ COVARIANCE, iterations=1)
    torch.testing.assert_close(found[0], A.T @ (length * residual))


# DDRM


def test_ddrm_follows_its_formula(law: LawOf) -> None:
    """Kawar et al. 2022, Eq. 7 and 8, coefficient by coefficient."""
    eta, eta_b, sigmas = 0.7, 0.6, wide_levels(9)
    u, s, vh = torch.linalg.svd(A)
    measured = torch.cat([u.T @ Y / s, torch.zeros(1, dtype=F64)])
    mean, covariance = start(sigmas[0])
    state, cases = (vh @ mean, vh @ covariance @ vh.T), set()
    for now, then in pairwise(sigmas):
        jacobian, shift = denoiser(now)
        jacobian, shift = vh @ jacobian @ vh.T, vh @ shift
        matrix, constant, noise = torch.zeros(3, 3, dtype=F64), torch.zeros(3, dtype=F64), []
        for i in range(3):
            doubt = S / float(s[i]) if i < 2 else float("inf")
            kept = then * (1 - eta**2) ** 0.5
            if i == 2:
                matrix[i] = jacobian[i] + kept / now * (EYE - jacobian)[i]
                constant[i] = (1 - kept / now) * shift[i]
                noise.append(eta * then)
            elif then < doubt:
                matrix[i] = (1 - kept / doubt) * jacobian[i]
                constant[i] = (1 - kept / doubt) * shift[i] + kept / doubt * measured[i]
                noise.append(eta * then)
                cases.add("below")
            else:
                matrix[i] = (1 - eta_b) * jacobian[i]
                constant[i] = (1 - eta_b) * shift[i] + eta_b * measured[i]
                noise.append((then**2 - (eta_b * doubt) ** 2) ** 0.5)
                cases.add("above")
        state = moved(state, matrix, constant, torch.tensor(noise, dtype=F64).square().diag())
    assert cases == {"below", "above"}
    expected = vh.T @ state[0], vh.T @ state[1] @ vh
    found = law("ddrm", task(), prior(), steps=9, eta=eta, eta_b=eta_b)
    assert_same(found, expected)


def test_ddrm_is_exact_without_noise_along_its_singular_vectors(law: LawOf) -> None:
    _, _, vh = torch.linalg.svd(A)
    aligned = GaussianPrior(MEAN, vh.T @ torch.tensor([0.2, 0.5, 0.9], dtype=F64).diag() @ vh)
    s = 0.02
    mean, covariance = law("ddrm", task(s), aligned, steps=200, eta=0.0)
    posterior = exact_posterior(task(s), aligned)
    torch.testing.assert_close(mean, posterior.mean, rtol=0, atol=0.01)
    hidden = vh[2]
    ratio = (hidden @ covariance @ hidden) / (hidden @ posterior.covariance @ hidden)
    assert abs(ratio - 1) < 0.02
    assert (vh[:2] @ covariance @ vh[:2].T).diagonal().max() < (2 * s) ** 2


def test_ddrm_needs_an_svd() -> None:
    plain = from_function(lambda x: x @ A.T, (3,), (2,))
    problem = InverseProblem(plain, Y[None], GaussianNoise(S))
    with pytest.raises(ValueError, match="ddrm needs an operator with a cheap singular value"):
        next(METHODS["ddrm"].run(problem, prior(), SampleRNG([(0,)])))


# DDNM+


@pytest.mark.parametrize(("travel", "repeats"), [(1, 1), (2, 3)])
def test_ddnm_follows_its_formula(travel: int, repeats: int, law: LawOf) -> None:
    eta, sigmas = 0.7, wide_levels(5)
    expected = start(sigmas[0])
    for first in range(0, 5, travel):
        stretch = sigmas[first : first + travel + 1]
        for turn in range(repeats):
            if turn:
                climb = (stretch[0] ** 2 - stretch[-1] ** 2) * EYE
                expected = moved(expected, EYE, torch.zeros(3, dtype=F64), climb)
            for now, then in pairwise(stretch):
                jacobian, shift = denoiser(now)
                kept, fresh = then * (1 - eta**2) ** 0.5 / now, eta * then
                if then == 0:
                    expected = moved(expected, jacobian, shift, 0 * EYE)
                    continue
                inverse = torch.linalg.inv(NORMAL + S**2 / (2 * fresh**2) * EYE)
                pull = inverse @ A.T
                carried = S**2 * pull @ pull.T
                matrix = (EYE - pull @ A) @ jacobian + kept * (EYE - jacobian)
                constant = (EYE - pull @ A) @ shift + pull @ Y - kept * shift
                # The noise of y and the fresh one make up the level together.
                expected = moved(expected, matrix, constant, fresh**2 * EYE - carried)
    found = law("ddnm", task(), prior(), steps=5, eta=eta, travel=travel, repeats=repeats)
    assert_same(found, expected)


def test_ddnm_without_noise_meets_the_data_and_leaves_the_rest_to_the_prior(law: LawOf) -> None:
    _, _, vh = torch.linalg.svd(A)
    aligned = GaussianPrior(MEAN, vh.T @ torch.tensor([0.2, 0.5, 0.9], dtype=F64).diag() @ vh)
    mean, covariance = law("ddnm", task(1e-4), aligned, steps=100, eta=0.03)
    posterior = exact_posterior(task(1e-4), aligned)
    torch.testing.assert_close(mean, posterior.mean, rtol=0, atol=0.01)
    hidden = vh[2]
    assert abs((hidden @ covariance @ hidden) / 0.9 - 1) < 0.06


@pytest.mark.parametrize("options", [{"eta": 0.0}, {"eta": 1.2}, {"travel": 0}, {"repeats": 0}])
def test_ddnm_refuses_options_without_meaning(options: dict[str, float]) -> None:
    info = METHODS["ddnm"]
    with pytest.raises(ValueError, match="must lie in"):
        next(info.run(task(), prior(), SampleRNG([(0,)]), **info.options(options)))


# DDS


def test_dds_follows_its_formula(law: LawOf) -> None:
    eta, gamma, sigmas = 0.7, 3.0, wide_levels(5)
    expected = start(sigmas[0])
    inverse = torch.linalg.inv(EYE + gamma * NORMAL)
    for now, then in pairwise(sigmas):
        jacobian, shift = denoiser(now)
        kept = then * (1 - eta**2) ** 0.5 / now
        matrix = inverse @ jacobian + kept * (EYE - jacobian)
        constant = inverse @ (shift + gamma * A.T @ Y) - kept * shift
        expected = moved(expected, matrix, constant, (eta * then) ** 2 * EYE)
    found = law("dds", task(), prior(), steps=5, gamma=gamma, eta=eta, cg_steps=3)
    assert_same(found, expected)


def test_dds_starts_its_conjugate_gradients_at_the_denoised_image(silence: SampleRNG) -> None:
    """One step of them is one of steepest descent from D, of the best length."""
    gamma, sigma = 3.0, wide_levels(1)[0]
    info = METHODS["dds"]
    options = info.options({"steps": 1, "gamma": gamma, "cg_steps": 1})
    (only,) = info.run(task(), prior(), silence, **options)
    jacobian, shift = denoiser(sigma)
    d = jacobian @ start(0.0)[0] + shift
    slope = gamma * A.T @ (Y - A @ d)
    length = slope @ slope / (slope @ (slope + gamma * NORMAL @ slope))
    torch.testing.assert_close(only.x[0], d + length * slope)


# DAPS


def test_daps_follows_its_formula(law: LawOf) -> None:
    """Euler steps of the flow, a draw about their end given y, and noise of the next level."""
    sigmas = levels.karras(4, 5.0, 0.3)
    expected = start(sigmas[0])
    for now, then in pairwise(sigmas):
        for upper, under in pairwise(levels.karras(3, now, 0.01)):
            jacobian, shift = denoiser(upper)
            expected = ddim(expected, jacobian, shift, upper, under, 0.0)
        spread = torch.linalg.inv(NORMAL / S**2 + EYE / now**2)
        shift = spread @ A.T @ Y / S**2
        expected = moved(expected, spread / now**2, shift, spread + then**2 * EYE)
    options = {"steps": 4, "ode_steps": 3, "sigma_max": 5.0, "sigma_min": 0.3}
    assert_same(law("daps", task(), prior(), **options), expected)


def test_daps_begins_and_ends_where_it_says() -> None:
    states = list(METHODS["daps"].run(task(), prior(), SampleRNG([(0,)]), steps=5))
    expected = levels.karras(5, 20 * prior().variance ** 0.5, 0.1)[1:]
    assert [state.sigma for state in states] == pytest.approx(expected)
