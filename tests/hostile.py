"""Files in the place of a prior that would run something, fill memory or never end."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import nn


class Call:
    """Pickled, it is a call of ``function``."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


def zipped(thing: Any) -> bytes:
    """As torch.save writes it today."""
    torch.save(thing, stream := io.BytesIO())
    return stream.getvalue()


def old(thing: Any) -> bytes:
    """As torch.save wrote it before version 1.6."""
    torch.save(thing, stream := io.BytesIO(), _use_new_zipfile_serialization=False)
    return stream.getvalue()


def plain(thing: Any) -> bytes:
    return pickle.dumps({"model": thing})


def nested(thing: Any) -> bytes:
    """Within the bytes of a storage, as tensors in plain pickles are."""
    return pickle.dumps(Call(torch.storage._load_from_bytes, zipped({"model": thing})))


def archive(parts: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    with zipfile.ZipFile(stream := io.BytesIO(), "w", method) as file:
        for name, part in parts.items():
            file.writestr(f"archive/{name}", part)
    return stream.getvalue()


def opcodes(*parts: bytes) -> bytes:
    return b"\x80\x04" + b"".join(parts) + b"."


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def name(module: str, attribute: str) -> bytes:
    return b"c" + f"{module}\n{attribute}\n".encode()


def calls(touched: Path) -> dict[str, Call | nn.Module]:
    """What would do something, if it were done."""
    return {
        "system": Call(os.system, f"touch {touched}"),
        "eval": Call(eval, f"open({str(touched)!r}, 'w')"),
        "open": Call(open, str(touched), "w"),
        "getattr": Call(getattr, "a", "upper"),
        "save": Call(torch.save, {}, str(touched)),
        "load": Call(torch.load, "x"),
        "bytearray": Call(bytearray, 10**12),
        "module": nn.Linear(2, 2),
    }


def matryoshka(depth: int = 9) -> bytes:
    """Archives in archives."""
    content = zipped({"w": torch.zeros(4)})
    for _ in range(depth):
        data = pickle.dumps(Call(torch.storage._load_from_bytes, content), protocol=2)
        content = archive({"data.pkl": data})
    return content


def many_archives() -> bytes:
    """One archive of a megabyte, opened a thousand times."""
    again = b"h\x00h\x01\x85Ra"
    content = zipped({"w": torch.zeros(2**18)})
    held = b"B" + struct.pack("<I", len(content)) + content
    first = name("torch.storage", "_load_from_bytes") + b"q\x00" + held + b"q\x01" + b"00"
    return opcodes(first, b"]", again * 1000)


def copies() -> bytes:
    """One text of a megabyte, encoded a hundred thousand times."""
    again = b"h\x00h\x01\x85Ra"  # get the function and the text, a tuple of it, call, append
    first = name("_codecs", "encode") + b"q\x00" + text("a" * 2**20) + b"q\x01" + b"00"
    return opcodes(first, b"]", again * 10**5)


def doubled(depth: int, wrap: bytes) -> bytes:
    """A tuple of twice a tuple of twice a tuple ...: few bytes, 2^depth values."""
    return b"K\x01\x85" + b"2\x86" * depth + wrap


def attributes() -> bytes:
    """A file of old that gives a function of ours a name and a source, to have torch write both."""
    function = name("torch._utils", "_rebuild_parameter")
    state = b"N}" + text("__name__") + text("written") + text("dump_patches") + b"\x88" + b"u"
    return opcodes(function, state.replace(b"}", b"}(", 1), b"\x86b")


def claims_numbers() -> bytes:
    """A file of old with a storage of 2^40 numbers."""
    content = old({"w": torch.zeros(4)})
    return content.replace(b"K\x04N", b"\x8a\x06" + (2**40).to_bytes(6, "little") + b"N", 1)


def safetensors(metadata: dict[str, str], size: int = 2) -> bytes:
    return save({"w": torch.ones(size)}, metadata)


def imported(**network: Any) -> bytes:
    """A file as ``invscore priors import`` writes it, of a network of these sizes."""
    recipe = {
        "network": {"name": "dncnn", **network},
        "diffusion": None,
        "prior": {"channels": 1, "sigma_min": 0.1, "sigma_max": 0.1},
        "facts": {},
    }
    return safetensors({"invscore": json.dumps({"foreign": recipe, "check": {}})})


CONFIG = {
    "_class_name": "UNet2DModel",
    "in_channels": 1,
    "out_channels": 1,
    "sample_size": 32,
    "block_out_channels": [32, 64],
    "down_block_types": ["DownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "UpBlock2D"],
}


def diffusers(folder: Path, config: dict[str, Any], schedule: dict[str, Any]) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**CONFIG, **config}))
    usual = {"_class_name": "DDPMScheduler", "beta_schedule": "linear"}
    (folder / "scheduler_config.json").write_text(json.dumps({**usual, **schedule}))
    (folder / "diffusion_pytorch_model.safetensors").write_bytes(safetensors({}))
    return folder


def hostile_files(folder: Path, touched: Path) -> dict[str, Path]:
    """All of them, written into ``folder``. Nothing may ever make the file ``touched``."""
    contents: dict[str, Callable[[], bytes]] = {}
    forms = {"zip": zipped, "old": old, "pickle": plain, "nested": nested}
    for kind, thing in calls(touched).items():
        for form, write in forms.items():
            if kind == "system" or form == "zip":
                contents[f"{kind}-{form}"] = lambda w=write, t=thing: w(  # type: ignore[misc]
                    {"model": t}
                )
    weights = {"w": torch.randn(999)}
    good = {"zip": zipped(weights), "old": old(weights), "pickle": plain(weights)}
    for form, content in {**good, "safetensors": safetensors({}, 999)}.items():
        for share in (0.02, 0.5, 0.98):
            part = content[: int(share * len(content))]
            contents[f"{form}-cut-at-{share}"] = lambda part=part: part  # type: ignore[misc]
    big = {"data.pkl": pickle.dumps({}), "data/0": bytes(2**24)}
    numpy_array = name("numpy.core.multiarray", "_reconstruct") + name("numpy", "ndarray")
    contents |= {
        "empty": lambda: b"",
        "text": lambda: b"hello",
        "web-page": lambda: b"<!DOCTYPE html><html>",
        "zip-bomb": lambda: archive(big, zipfile.ZIP_DEFLATED),
        "archives-in-archives": matryoshka,
        "many-archives": many_archives,
        "memo": lambda: opcodes(b"Nr\xff\xff\xff\xff"),
        "copies": copies,
        "sets": lambda: opcodes(b"\x8f" * 10**6),
        "doubled": lambda: opcodes(doubled(60, b"")),
        "doubled-key": lambda: opcodes(b"}", doubled(60, b"Ns")),
        "doubled-member": lambda: opcodes(b"\x8f(", doubled(60, b"\x90")),
        "holds-itself": lambda: opcodes(b"]q\x00h\x00a"),
        "bytearray8": lambda: opcodes(b"\x96" + (2**36).to_bytes(8, "little")),
        "bytes8": lambda: opcodes(b"\x8e" + (2**45).to_bytes(8, "little")),
        "frame": lambda: opcodes(b"\x95" + (2**45).to_bytes(8, "little")),
        "array": lambda: opcodes(
            numpy_array, b"K\x00\x85", text("b"), b"\x87R(K\x01", b"J\xff\xff\xff\x7f" * 2,
            b"\x86", name("numpy", "dtype"), text("f8"), b"\x85R\x89", b"C\x00", b"tb",
        ),
        "attributes": attributes,
        "claims-numbers": claims_numbers,
        "deep-metadata": lambda: safetensors({"invscore": "[" * 10**5}),
        "endless-network": lambda: imported(depth=10**9, width=1, channels=1, residual=True),
        "wide-network": lambda: imported(depth=3, width=10**5, channels=1, residual=True),
    }  # fmt: skip
    files = {}
    for kind, make in contents.items():
        files[kind] = folder / f"{kind}.pt"
        files[kind].write_bytes(make())
    files["huge"] = folder / "huge.pt"
    with files["huge"].open("wb") as sparse:
        sparse.write(b"PK\x03\x04")
        sparse.truncate(2**43)
    for kind, config, schedule in (
        ("wide-config", {"block_out_channels": [10**9, 10**9]}, {}),
        ("long-schedule", {}, {"num_train_timesteps": 10**10}),
        ("odd-config", {"block_out_channels": "many", "layers_per_block": None}, {}),
    ):
        files[kind] = diffusers(folder / kind, config, schedule)
    harmful = diffusers(folder / "harmful-folder", {}, {})
    (harmful / "diffusion_pytorch_model.safetensors").unlink()
    (harmful / "diffusion_pytorch_model.bin").write_bytes(zipped(calls(touched)["system"]))
    files["harmful-folder"] = harmful
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.pt")
        piped = folder / "folder-of-pipes"
        piped.mkdir()
        os.mkfifo(piped / "config.json")
        files |= {"pipe": folder / "pipe.pt", "folder-of-pipes": piped}
    return files
