"""Files of other codes: what is in them is read, and nothing of it is run."""

from __future__ import annotations

import argparse
import io
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hostile import Call, hostile_files
from safetensors.torch import save_file
from torch import Tensor, nn

from invscore.files.checkpoint import CheckpointError
from invscore.priors.foreign.containers import open_content
from invscore.priors.foreign.records import Record


def tensors() -> dict[str, Any]:
    base = torch.arange(24.0).reshape(4, 6)
    return {
        "base": base,
        "view": base[1:3, ::2],
        "half": torch.randn(3).half(),
        "brain": torch.randn(2).bfloat16(),
        "whole": torch.tensor(7),
        "empty": torch.zeros(0, 3),
        "complex": torch.randn(2, dtype=torch.complex64),
        "parameter": nn.Parameter(torch.ones(2)),
    }


@pytest.mark.parametrize("zipped", [True, False])
def test_torch_files(tmp_path: Path, zipped: bool) -> None:
    stored = tensors()
    extra = {
        "step": 3,
        "args": argparse.Namespace(lr=0.1),
        "path": Path("a/b"),
        "list": [stored["base"], np.arange(3), np.float64(2.5)],
    }
    path = tmp_path / "a.pt"
    torch.save({"model": stored, **extra}, path, _use_new_zipfile_serialization=zipped)
    content = open_content(path)
    assert content.kind == "torch"
    assert set(content.at("model")) == set(stored)
    for name, tensor in stored.items():
        read = content.at("model", name)
        assert read.dtype == tensor.dtype
        assert torch.equal(read, tensor), name
    assert content.at("step") == 3
    assert content.at("args", "lr") == 0.1
    assert isinstance(content.at("args"), Record)
    assert content.at("list", 1).tolist() == [0, 1, 2]
    assert content.at("list", 2) == 2.5
    assert content.at("list", 7) is content.at("nothing", "at", "all") is None
    assert content.digest().startswith("sha256:")


def test_tensors_in_a_plain_pickle(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({"ema": tensors()["base"]}))
    content = open_content(path)
    assert content.kind == "pickle"
    assert torch.equal(content.at("ema"), tensors()["base"])
    with warnings.catch_warnings():  # of PyTorch, where letters are taken for places
        warnings.simplefilter("error")
        assert content.at("ema", "shadow_params") is None


def test_safetensors_and_folders(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    save_file({"w": torch.ones(2)}, tmp_path / "unet" / "w.safetensors", {"config": "{}"})
    (tmp_path / "model.json").write_text('{"a": 1}')
    content = open_content(tmp_path)
    assert content.data["model.json"] == {"a": 1}
    assert torch.equal(content.at("unet/w.safetensors", "w"), torch.ones(2))
    assert open_content(tmp_path / "unet" / "w.safetensors").metadata == {"config": "{}"}


NAMES = {
    "system": "posix.system|nt.system",
    "eval": "builtins.eval",
    "open": "io.open",
    "getattr": "builtins.getattr",
    "save": "torch.serialization.save",
    "load": "torch.serialization.load",
    "bytearray": "builtins.bytearray",
    "module": "torch.nn.modules.linear.Linear",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("hostile")
    return hostile_files(folder, folder / "touched")


def test_what_would_run_is_named(files: dict[str, Path]) -> None:
    for kind, file in files.items():
        if (named := NAMES.get(kind.split("-")[0])) is None:
            continue
        with pytest.raises(CheckpointError, match=f"is refused.*({named})"):
            open_content(file)
        assert not (file.parent / "touched").exists()


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("zip-bomb", "an archive that unpacks to more than 8 times"),
        ("many-archives", "an archive that unpacks to more than 8 times"),
        ("archives-in-archives", "archives within archives"),
        ("copies", "a pickle that unpacks to more than 8 times"),
        ("sets", "a pickle that unpacks to more than 8 times"),
        ("bytearray8", "a pickle that unpacks to more than 8 times"),
        ("claims-numbers", "a pickle that unpacks to more than 8 times"),
        ("doubled", "a structure that unfolds"),
        ("doubled-key", "a tuple as a key"),
        ("doubled-member", "a tuple as a key"),
        ("array", "an array of another size"),
        ("attributes", "a state for a function"),
        ("huge", "more than this machine's memory"),
        ("pipe", "a pipe or a device"),
        ("web-page", "a web page"),
        ("empty", "is empty"),
    ],
)
def test_what_would_fill_memory_is_refused(kind: str, named: str, files: dict[str, Path]) -> None:
    with pytest.raises(CheckpointError, match=named):
        open_content(files[kind])


def test_the_memo_has_no_more_than_the_file_says(files: dict[str, Path]) -> None:
    """Python's own reader in C would take 32 GiB for the one thing that is remembered."""
    assert open_content(files["memo"]).data is None


def test_nothing_of_ours_is_changed(files: dict[str, Path]) -> None:
    with pytest.raises(CheckpointError):
        open_content(files["attributes"])
    assert not list(Path().glob("*.patch"))


def test_a_program_of_torch(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(nn.Linear(2, 2)), path)
    with pytest.raises(CheckpointError, match=r"is refused.*TorchScript"):
        open_content(path)


def claimed(size: tuple[int, ...], stride: tuple[int, ...]) -> bytes:
    """A file of torch that claims a tensor which its storage, four numbers, does not hold."""
    stream = io.BytesIO()
    torch.save(torch.zeros(4), stream)

    class Claim:
        def __reduce__(self) -> Any:
            storage = torch.zeros(4).storage()
            return torch._utils._rebuild_tensor_v2, (storage, 0, size, stride, False, {})

    torch.save({"w": Claim()}, stream := io.BytesIO())
    return stream.getvalue()


@pytest.mark.filterwarnings("ignore:TypedStorage")
@pytest.mark.parametrize(
    ("size", "stride"), [((5,), (1,)), ((10**6, 10**6), (0, 0)), ((2, 3), (2, 1)), ((-1,), (1,))]
)
def test_a_tensor_larger_than_its_storage(
    tmp_path: Path, size: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    (tmp_path / "a.pt").write_bytes(claimed(size, stride))
    with pytest.raises(CheckpointError, match="larger than its storage"):
        open_content(tmp_path / "a.pt")


def test_a_storage_that_claims_more_than_its_record(tmp_path: Path) -> None:
    """The record is read, not what the pickle says of it."""
    torch.save({"w": torch.zeros(4)}, tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part[:4] if "/data/" in name else part)
    with pytest.raises(CheckpointError, match="larger than its storage"):
        open_content(tmp_path / "a.pt")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_truncated_files(tmp_path: Path, zipped: bool, share: float) -> None:
    path = tmp_path / "a.pt"
    torch.save({"w": torch.randn(999)}, path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match="is damaged"):
        open_content(path)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"hello", "no file of torch.save or of safetensors"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS"),
        (b"\x89HDF\r\n", "HDF5"),
        (b"\xff" * 8 + b"{", "no file of torch"),
        ((2**30).to_bytes(8, "little") + b'{"a":', "cannot be read"),
    ],
)
def test_other_files(tmp_path: Path, content: bytes, named: str) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=named):
        open_content(tmp_path / "a.pt")


def test_an_endless_nest(tmp_path: Path) -> None:
    nested: Any = []
    for _ in range(99):
        nested = [nested]
    content = pickle.dumps(nested)
    for _ in range(300):
        content = pickle.dumps(Call(torch.storage._load_from_bytes, content))
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(CheckpointError):
        open_content(tmp_path / "a.pkl")


def test_no_tensor_of_objects(tmp_path: Path) -> None:
    thing: Tensor | np.ndarray[Any, Any] = np.array([{"a": 1}], dtype=object)
    torch.save({"a": thing}, tmp_path / "a.pt")
    assert open_content(tmp_path / "a.pt").at("a", 0) == {"a": 1}
