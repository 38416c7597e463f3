"""The house: what it shows to the street, and that its floors rest on those below."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import invscore
from invscore import methods
from invscore.batches import PerImage
from invscore.methods import METHODS
from invscore.moved_modules import MOVED
from invscore.operators import Blur

ROOT = Path(invscore.__file__).parent

FOLDERS = ("invscore", "operators", "tests", "examples")
"""All folders with code."""

FLOORS = (
    "batches engine figures files hardware images moved_modules networks noise operators options"
    " plugins processes readers report rng viewer",
    "discrete levels likelihood priors sampling training",
    "estimation exact methods metrics tasks uncertainty",
    "baselines driver reconstructor result running saving",
    "bench calibration many tune",
    "cli",
    "__main__",
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms.split()}

PUBLIC = {
    "invscore": """
        InverseProblem GaussianNoise PoissonNoise load_prior reconstruct GaussianPrior
        GaussianMixturePrior exact_posterior NetworkPrior simulate Prior Result
    """,
    "invscore.operators": """
        Blur LinearOperator NonlinearOperator Operator check_operator jacobian stack Identity
        Inpainting SuperResolution MRI from_matrix from_function from_scipy to_scipy
    """,
    "invscore.priors": "Prior check_prior available_priors load_prior",
    "invscore.methods": "METHODS MethodInfo Step get_method register",
}


def modules() -> dict[str, Path]:
    """All modules of the package by their names, those in the linked operators/ too."""
    files = [*ROOT.rglob("*.py"), *(ROOT / "operators").rglob("*.py")]
    names = {}
    for file in files:
        parts = ["invscore", *file.relative_to(ROOT).with_suffix("").parts]
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return names


MODULES = modules()


@cache
def imports(file: Path) -> frozenset[str]:
    """The modules of the package that ``file`` names in an import, wherever it stands."""
    return frozenset(_imports(file))


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file.name} has a relative import"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            found = [name for name in inner if name in MODULES]
            yield from found
            if node.module in MODULES and len(found) < len(inner):
                yield node.module


def room(module: str) -> str:
    return module.split(".")[1]


def test_every_room_has_a_floor() -> None:
    assert {room(name) for name in MODULES if name != "invscore"} == set(FLOOR)


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"invscore"}))
def test_nothing_imports_upwards(module: str) -> None:
    for other in imports(MODULES[module]):
        if other != "invscore":  # the names in invscore itself come from all floors
            assert FLOOR[room(other)] <= FLOOR[room(module)], f"{module} imports {other}"
        else:
            assert FLOOR[room(module)] >= FLOOR["bench"], f"{module} imports the whole house"


@pytest.mark.parametrize(
    ("room_", "stranger"),
    [
        ("priors", "operators"),
        ("networks", "operators"),
        ("training", "operators"),
        ("operators", "priors"),
    ],
)
def test_strangers(room_: str, stranger: str) -> None:
    for module in MODULES:
        if module.startswith(f"invscore.{room_}"):
            assert stranger not in {room(other) for other in imports(MODULES[module])}, module


def test_methods_of_papers_need_no_room_of_the_default() -> None:
    """Whoever reads one meets neither fields nor spectra; ``auto`` chooses among all methods."""
    for file in (ROOT / "methods").glob("[!_]*.py"):
        if file.stem != "auto":
            reached = below(f"invscore.methods.{file.stem}")
            assert not {m for m in reached if "gaussian_field" in m or "matched_spectrum" in m}


def below(module: str) -> set[str]:
    """All that ``module`` rests on."""
    reached: set[str] = set()
    ahead = {module}
    while ahead:
        reached |= ahead
        ahead = {other for name in ahead for other in imports(MODULES[name])} - reached
    return reached - {module}


def test_nothing_imports_in_a_circle() -> None:
    graph = {name: set(imports(file)) - {"invscore"} for name, file in MODULES.items()}
    del graph["invscore"]
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names(module: str) -> None:
    found = importlib.import_module(module)
    for name in PUBLIC[module].split():
        assert getattr(found, name) is not None
        assert name in found.__all__
    for name in found.__all__:
        assert getattr(found, name) is not None


def test_names_that_do_not_exist() -> None:
    with pytest.raises(AttributeError, match="module 'invscore' has no attribute 'reconstrut'"):
        invscore.reconstrut  # noqa: B018
    assert set(invscore.__all__) <= set(dir(invscore))


def test_methods_are_functions() -> None:
    """By their names, even where a room has the same one."""
    for name, info in METHODS.items():
        assert getattr(methods, name) is info.run


def test_the_house_imports_nothing_from_where_it_was() -> None:
    former = {f"invscore.{module}" for module in MOVED}
    for name, file in MODULES.items():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                named = {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
                assert not named & former, f"{name} imports {named & former}"


@pytest.mark.parametrize("module", MOVED)
def test_former_places_warn(module: str) -> None:
    sys.modules.pop(f"invscore.{module}", None)
    with pytest.warns(FutureWarning, match=rf"{module} is now invscore\.{MOVED[module]}") as told:
        found = importlib.import_module(f"invscore.{module}")
    now = importlib.import_module(f"invscore.{MOVED[module]}")
    public = [name for name in dir(now) if not name.startswith("_")]
    assert len(public) > 1
    for name in public:
        assert getattr(found, name) is getattr(now, name)
    assert [Path(warning.filename).name for warning in told] != ["moved_modules.py"]


def test_former_places_are_imported_as_they_were() -> None:
    for former in ("noise_level", "methods.start"):
        sys.modules.pop(f"invscore.{former}", None)
    with pytest.warns(FutureWarning, match="noise_level is now"):
        from invscore.noise_level import estimate_noise
    assert estimate_noise is invscore.estimate_noise
    with pytest.warns(FutureWarning, match="start is now"):
        from invscore.methods.start import begin
    assert begin.__name__ == "initial_guess"
    with pytest.raises(ModuleNotFoundError, match=r"invscore\.nowhere"):
        importlib.import_module("invscore.nowhere")


def test_a_former_type_warns() -> None:
    for module in ("invscore.priors", "invscore.priors.base"):
        with pytest.warns(FutureWarning, match=r"is now invscore\.batches\.PerImage"):
            assert importlib.import_module(module).Level is PerImage
    with pytest.raises(AttributeError, match=r"invscore\.priors\.base' has no attribute 'Levels'"):
        importlib.import_module("invscore.priors.base").Levels  # noqa: B018


def test_operators_have_one_home() -> None:
    assert Blur.__module__ == "invscore.operators.blur"
    assert Path(inspect.getfile(Blur)).resolve().parent.name == "operators"


def test_every_package_is_installed() -> None:
    project = Path(__file__).parents[1]
    settings = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    files = project.glob("invscore/**/__init__.py"), project.glob("operators/**/__init__.py")
    below = [[".".join(f.parent.relative_to(project).parts) for f in found] for found in files]
    there = {*below[0], *(f"invscore.{name}" for name in below[1])}
    assert there == set(settings["tool"]["setuptools"]["packages"])


def test_the_import_is_light() -> None:
    heavy = "{'torch', 'numpy', 'scipy', 'matplotlib', 'skimage'}"
    command = f"import sys, invscore; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert done.stdout.strip() == ""
    assert done.stderr == ""


def test_the_driver_comes_without_what_few_measurements_need() -> None:
    heavy = "{'scipy.optimize', 'scipy.stats', 'matplotlib', 'skimage', 'deepinv'}"
    command = f"import sys, invscore.driver; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert done.stdout.strip() == ""


def test_files_are_short() -> None:
    """Those of the package, its tests and its examples."""
    project = Path(__file__).parents[1]
    files = [file for room in FOLDERS for file in (project / room).rglob("*.py")]
    assert {file.name for file in MODULES.values()} <= {file.name for file in files}
    assert not {file.name: n for file in files if (n := lines(file)) > 400}


def test_files_of_tests_have_names_of_their_own() -> None:
    """Folders of tests are no packages: two files of one name cannot be collected together."""
    names = Counter(file.name for file in Path(__file__).parent.rglob("test_*.py"))
    assert names["test_package.py"] == 1
    assert not [name for name, times in names.items() if times > 1]


def lines(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


def test_every_module_says_what_it_is() -> None:
    for name, file in MODULES.items():
        text = file.read_text(encoding="utf-8")
        assert not text or ast.get_docstring(ast.parse(text)), name


def test_no_name_of_a_module_is_given_twice() -> None:
    """Of two constants of one name the first would silently have the value of the second."""
    for name, file in MODULES.items():
        targets = [
            target
            for node in ast.parse(file.read_text(encoding="utf-8")).body
            if isinstance(node, ast.Assign | ast.AnnAssign)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        ]
        names = Counter(
            each.id
            for target in targets
            for each in (target.elts if isinstance(target, ast.Tuple) else [target])
            if isinstance(each, ast.Name)
        )
        assert not {known for known, times in names.items() if times > 1}, name
