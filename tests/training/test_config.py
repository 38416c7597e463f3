"""Training configurations: what is shipped parses, what is misspelt is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from invscore.networks import build_network
from invscore.options.config import ConfigError
from invscore.training.config import read_config

SHIPPED = sorted((Path(__file__).parents[2] / "configs" / "train").glob("*.yaml"))
SMALLEST = "name: a\nout: runs/a\ndata:\n  folder: photos\noptimiser:\n  steps: 10\n"


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_what_is_shipped_parses(file: Path) -> None:
    config = read_config(file)
    assert config.name == file.stem
    build_network(**config.network.model_dump(mode="json"))


def test_something_is_shipped() -> None:
    assert "photos-gray" in [file.stem for file in SHIPPED]


def test_defaults(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, SMALLEST))
    assert config.optimiser.steps == 10
    assert config.prior.sigma_data == 0.25
    assert config.seed == 0


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    text = SMALLEST.replace("runs/a", "~/a").replace("photos", "~/b")
    config = read_config(written(tmp_path, text))
    assert config.out == tmp_path / "a"
    assert config.data.folder == tmp_path / "b"  # type: ignore[union-attr]
    arrays = text.replace("folder: ~/b", "kind: arrays\n  path: ~/c")
    data = read_config(written(tmp_path, arrays)).data
    assert data.path == tmp_path / "c"  # type: ignore[union-attr]
    function = text.replace("folder: ~/b", "kind: callable\n  callable: ~/d.py:e")
    assert read_config(written(tmp_path, function)).data.callable == f"{tmp_path}/d.py:e"  # type: ignore[union-attr]
    for init, found in {"~/f.safetensors": f"{tmp_path}/f.safetensors", "digits": "digits"}.items():
        assert read_config(written(tmp_path, text + f"init: {init}\n")).init == found


def test_networks_by_their_size(tmp_path: Path) -> None:
    text = SMALLEST + "network: {size: small, channels: 2, attention: 1}\n"
    architecture = read_config(written(tmp_path, text)).network.model_dump(mode="json")
    assert (architecture["widths"], architecture["blocks"]) == ([16, 32, 64, 128], 2)
    assert (architecture["channels"], architecture["attention"]) == (2, 1)
    assert "size" not in architecture, "sizes may change, files must not"


@pytest.mark.parametrize("given", ["noise", {"noise": 1.0, "data": -0.5}])
def test_parametrisations(tmp_path: Path, given: object) -> None:
    text = SMALLEST + f"prior: {{parametrisation: {given}}}\n"
    assert read_config(written(tmp_path, text)).prior.parametrisation == given


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SMALLEST + "  stpes: 3\n", r"unknown key optimiser\.stpes; did you mean 'steps'\?$"),
        (SMALLEST + "nmae: b\n", r"'.*config\.yaml': unknown key nmae; did you mean 'name'\?$"),
        (SMALLEST.replace("steps: 10", "steps: 0"), r"optimiser\.steps must be above 0, got 0$"),
        (SMALLEST.replace("  steps: 10", "  batch: 3"), r"optimiser\.steps is missing$"),
        (SMALLEST + "precision: fp8\n", "precision must be 'auto', 'fp32' or 'bf16', got 'fp8'$"),
        (
            SMALLEST + "prior:\n  sigma_min: 30\n",
            r"prior: `sigma_min` must be below `sigma_max`, got 30\.0",
        ),
        (
            SMALLEST.replace("photos", "photos\n  longest_side: [9, 8]"),
            r"data: `longest_side` must have the smaller number first, got \[9, 8\]",
        ),
        (SMALLEST.replace("name: a", "name: State"), "`name` must have no / and .* got 'State'"),
        (SMALLEST.replace("name: a", "name: ''"), "name must not be empty, got ''$"),
        (SMALLEST.replace("name: a", "name: b/c"), "`name` must have no / and .* got 'b/c'"),
        (SMALLEST.replace("runs/a", "~no-such-user/a"), "out: '~no-such-user/a': this user has no"),
        (
            SMALLEST + "network:\n  size: huge\n",
            "network: `size` must be one of tiny, small, base, large, got 'huge'",
        ),
        (
            SMALLEST + "network: {size: tiny, blocks: 1}\n",
            "network: one of size and blocks may be given, got both",
        ),
        (
            SMALLEST + "network: {embedding: 15}\n",
            "network: `embedding` must be an even number of at least 2, got 15",
        ),
        (SMALLEST + "network: {widths: []}\n", r"network: `widths` must hold at least one number"),
        (
            SMALLEST + "network: {attention: 5}\n",
            "network: `attention` must lie between 0 and the number of resolutions, 4, got 5",
        ),
        (
            SMALLEST + "prior: {complex: true}\n",
            "`network.channels` must be two for each channel of the images with prior.complex",
        ),
        (SMALLEST + "prior: {parametrisation: vp}\n", "unknown parametrisation 'vp': edm, v, "),
        (
            SMALLEST + "reference: 100\n",
            "`reference` must be left out but for the objective stable",
        ),
        (SMALLEST + "augment: {share: 1}\n", r"augment\.share must be below 1, got 1$"),
        (
            SMALLEST + "prior: {parametrisation: {noise: 1, data: 2}}\n",
            r"or one of them 0, got 1\.0 and 2\.0",
        ),
        ("", "the file must hold keys and values, got nothing"),
        ("- 1", "the file must hold keys and values, got "),
        (SMALLEST + "seed: 1\nseed: 2\n", r"the key 'seed' comes twice \(line 8\)"),
        (SMALLEST + "prior: {mean: .nan}\n", r"prior\.mean must be a finite number, got nan$"),
        (SMALLEST + "prior: {mean: true}\n", r"prior\.mean must be a number, got true$"),
        (SMALLEST + "seed: 1e9\n", r"seed must be a whole number, got '1e9'$"),
        (
            SMALLEST + "prior: {parametrisation: [1]}\n",
            r"prior\.parametrisation must be text or keys and values, got \[1\]$",
        ),
        (SMALLEST.replace("runs/a", "''"), "out must not be empty, got ''$"),
        (SMALLEST.replace("photos", "photos\n  kind: foldr"), "data.kind must be 'folder', 'arr"),
        (
            SMALLEST.replace("\n  folder: photos", " photos"),
            "data must be keys and values",
        ),
        (
            SMALLEST.replace("photos", "photos\n  crp: 8"),
            r"unknown key data\.crp; did you mean 'crop'\?$",
        ),
        (SMALLEST + "x: " + "[" * 9000, "nested deeper than 40 levels"),
        (SMALLEST + "x: &a [*a]\n", "contains itself"),
        (SMALLEST + "x: 2001-99-99\n", "a value is none: "),
        (SMALLEST + "? [1]\n: 2\n", "a key must be a word"),
        ("a: [1", "cannot be read: "),
    ],
)
def test_faults_are_one_line_that_names_them(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read_config(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read_config(tmp_path / "none.yaml")
