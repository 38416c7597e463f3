"""All that a training run is between two steps: saved, it goes on as the same run."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from invscore.checkpoint import CheckpointError, load_checkpoint, save_checkpoint


class TrainingState:
    """A network, the running average of its weights, its optimiser and recent gradient norms."""

    def __init__(
        self, network: nn.Module, *, learning_rate: float, weight_decay: float, history: int = 128
    ) -> None:
        self.network = network
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=learning_rate, weight_decay=weight_decay
        )
        self.average = {name: w.detach().clone() for name, w in network.named_parameters()}
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
        if made:
            for group in self.optimiser.param_groups:
                group["lr"] = learning_rate
            self.optimiser.step()
        self.optimiser.zero_grad()
        # Outliers are remembered too: a lasting change of scale soon counts as usual.
        self.norms = [*self.norms, norm][-self.history :]
        return norm, made

    @torch.no_grad()
    def update_average(self, decay: float) -> None:
        """``average = decay average + (1 - decay) weights``."""
        for name, w in self.network.named_parameters():
            self.average[name].lerp_(w, 1 - decay)

    def save(self, path: Path) -> None:
        tensors = {f"average.{name}": w for name, w in self.average.items()}
        tensors |= {f"network.{name}": w for name, w in self.network.named_parameters()}
        for index, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": value for name, value in moments.items()}
        save_checkpoint(path, tensors, {"step": self.step, "norms": self.norms})

    @torch.no_grad()
    def restore(self, path: Path) -> None:
        """Raises ``CheckpointError`` for a damaged file or the state of another network."""
        tensors, metadata = load_checkpoint(path)
        moments: dict[int, dict[str, Tensor]] = {}
        try:
            for name, w in self.network.named_parameters():
                _copy(tensors.pop(f"network.{name}"), w)
                _copy(tensors.pop(f"average.{name}"), self.average[name])
            for key, value in tensors.items():
                _, index, moment = key.split(".", 2)
                moments.setdefault(int(index), {})[moment] = value
            self.step = int(metadata["step"])
        except (KeyError, ValueError) as error:
            raise CheckpointError(
                f"{str(path)!r} is the state of another network: restore its configuration, or "
                "train into another folder"
            ) from error
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": moments})
        self.norms = metadata.get("norms", [])

    def _experienced(self) -> bool:
        return len(self.norms) >= self.history // 4


def _copy(source: Tensor, target: Tensor) -> None:
    if source.shape != target.shape:
        raise ValueError(f"shapes {tuple(source.shape)} and {tuple(target.shape)}")
    target.copy_(source)
