"""State of a training run between two steps: saved, it goes on as the same run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from invscore.files.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from invscore.training.ema import Average


class TrainingState:
    """A network, running averages of its weights, its optimisers and recent gradient norms."""

    def __init__(
        self,
        network: nn.Module,
        optimisers: Sequence[torch.optim.Optimizer],
        *,
        decays: Sequence[float] = (0.999,),
        history: int = 128,
    ) -> None:
        self.network = network
        self.optimisers = optimisers
        self.averages = [Average(network, decay) for decay in decays]
        self.norms: list[float] = []
        self.history = history
        self.step = 0

    def update(self, learning_rate: float, *, clip: float, skip_above: float) -> tuple[float, bool]:
        """One step along the gradients, their norm cut to ``clip``; the norm before, and whether
        the step was made.

        It is not where the norm is more than ``skip_above`` times its running median: a rare
        outlier, even when clipped, points where no other batch does. Nor where it is not finite.
        """
        norm = float(nn.utils.clip_grad_norm_(self.network.parameters(), clip))
        usual = sorted(self.norms)[len(self.norms) // 2] if self._experienced() else float("inf")
        made = norm <= skip_above * usual and norm < float("inf")
        for optimiser in self.optimisers:
            if made:
                for group in optimiser.param_groups:
                    group["lr"] = learning_rate
                optimiser.step()
            optimiser.zero_grad()
        # Outliers are remembered too: a lasting change of scale soon counts as usual.
        self.norms = [*self.norms, norm][-self.history :]
        return norm, made

    def count(self) -> None:
        """Take the weights into the averages: the step is done."""
        for average in self.averages:
            average.update(self.network, self.step)
        self.step += 1

    def save(self, path: Path, about: Mapping[str, Any]) -> None:
        """Write all to ``path``; its metadata are the step and what ``about`` says of the run."""
        tensors: dict[str, Tensor] = {
            f"network.{name}": w.detach() for name, w in self.network.named_parameters()
        }
        for number, average in enumerate(self.averages):
            tensors |= {f"average.{number}.{name}": w for name, w in average.weights.items()}
        for number, optimiser in enumerate(self.optimisers):
            for index, moments in optimiser.state_dict()["state"].items():
                place = f"optimiser.{number}.{index}"
                tensors |= {f"{place}.{name}": moment for name, moment in moments.items()}
        save_checkpoint(path, tensors, {**about, "step": self.step, "norms": self.norms})

    @torch.no_grad()
    def restore(self, path: Path) -> None:
        """Raises ``CheckpointError`` for a damaged file or the state of another network."""
        tensors, metadata = load_checkpoint(path)
        former = ".embed.hint."  # the name of the labels' weights in states of older versions
        tensors = {k.replace(former, ".embed.augmentation."): w for k, w in tensors.items()}
        moments: list[dict[int, dict[str, Tensor]]] = [{} for _ in self.optimisers]
        try:
            for name, weight in self.network.named_parameters():
                _copy(tensors.pop(f"network.{name}"), weight)
                for number, average in enumerate(self.averages):
                    _copy(tensors.pop(f"average.{number}.{name}"), average.weights[name])
            for key, value in tensors.items():
                _, which, index, moment = key.split(".", 3)
                moments[int(which)].setdefault(int(index), {})[moment] = value
            self.step, self.norms = int(metadata["step"]), list(metadata["norms"])
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise CheckpointError(
                f"{str(path)!r} is the state of another network: restore its configuration, or "
                "train into another folder"
            ) from error
        for optimiser, state in zip(self.optimisers, moments, strict=True):
            optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
            for w, kept in optimiser.state.items():
                # Fused kernels take for granted that moments lie in memory as their weight does.
                for name, moment in kept.items():
                    if moment.shape == w.shape:
                        kept[name] = torch.empty_like(w, requires_grad=False).copy_(moment)

    def _experienced(self) -> bool:
        return len(self.norms) >= self.history // 4


def _copy(source: Tensor, target: Tensor) -> None:
    if source.shape != target.shape:
        raise ValueError(f"shapes {tuple(source.shape)} and {tuple(target.shape)}")
    target.copy_(source)
