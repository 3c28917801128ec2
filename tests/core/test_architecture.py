"""Who may import whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "emkit"
PLUGINS = ROOT / "plugins"

#: Each room with the rooms it may import. A file of the core that is missing here fails the test.
ALLOWED = {
    "errors": set(),
    "arrays": {"errors"},
    "tree": set(),
    "space": {"errors", "arrays", "tree"},
    "model": {"errors"},
    "convergence": set(),
    "history": set(),
    "optima": set(),
    "acceleration": set(),
    "engines": {"errors", "tree", "model"},
    "families": {"errors", "arrays", "space", "tree"},
    "storage": {"errors", "tree", "arrays"},
    "datasets": {"errors", "arrays"},
    "registry": {"errors", "model"},
    "information": {"errors", "tree", "model", "engines", "space"},
    "plot": {"convergence"},
    "loading": {"errors", "history", "registry", "result", "space", "storage"},
    "report": {"space", "tree"},
    "notebook": {"convergence", "report"},
    "result": {
        "history",
        "information",
        "model",
        "notebook",
        "optima",
        "plot",
        "registry",
        "report",
        "space",
        "storage",
        "tree",
    },
    "logs": {"result"},
    "restarts": {
        "checkpoint",
        "climb",
        "engines",
        "errors",
        "history",
        "kept",
        "logs",
        "model",
        "optima",
        "point",
        "result",
        "seed",
        "space",
        "tree",
    },
    "forecast": {"result"},
    "progress": {"convergence", "forecast", "logs", "result"},
    "polish": {"engines", "errors", "information", "model", "space", "tree"},
    "point": {"acceleration", "convergence", "history", "polish", "result"},
    "trail": {"history", "point"},
    "boundary": {"space", "tree"},
    "seed": {"errors"},
    "kept": {"errors", "history", "point", "result", "snapshot", "trail", "tree"},
    "checkpoint": {"errors", "kept", "point", "seed", "snapshot", "storage", "tree"},
    "snapshot": {"acceleration", "convergence", "point", "space", "trail"},
    "climb": {
        "boundary",
        "polish",
        "snapshot",
        "point",
        "trail",
        "acceleration",
        "convergence",
        "engines",
        "errors",
        "model",
        "result",
        "space",
        "tree",
    },
    "driver": {
        "acceleration",
        "checkpoint",
        "climb",
        "convergence",
        "engines",
        "errors",
        "logs",
        "model",
        "point",
        "polish",
        "progress",
        "restarts",
        "result",
        "space",
    },
    "variants": {
        "driver",
        "engines",
        "errors",
        "logs",
        "model",
        "point",
        "restarts",
        "result",
        "space",
        "trail",
        "tree",
    },
    "estimator": {"arrays", "driver", "errors", "restarts", "result"},
    "testing": {
        "convergence",
        "driver",
        "engines",
        "errors",
        "families",
        "information",
        "model",
        "result",
        "space",
        "storage",
        "tree",
    },
    "__main__": {"datasets", "driver", "errors", "registry", "result", "testing"},
    "__init__": None,
}

#: What a plugin may import of the core.
PUBLIC = {
    "emkit",
    "emkit.acceleration",
    "emkit.arrays",
    "emkit.datasets",
    "emkit.errors",
    "emkit.estimator",
    "emkit.families",
    "emkit.space",
    "emkit.testing",
    "emkit.engines",
    "emkit.information",
    "emkit.tree",
}


def _imports(path: Path) -> set[str]:
    """Return the full names of all modules a file imports, and of names it takes from `emkit` itself."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "emkit":
                found |= {
                    f"emkit.{alias.name}"
                    if (CORE / alias.name).is_dir() or (CORE / f"{alias.name}.py").exists()
                    else "emkit"
                    for alias in node.names
                }
            else:
                found.add(node.module)
    return found


def _core_files() -> list[Path]:
    return sorted(CORE.rglob("*.py"))


def _room(path: Path) -> str:
    return path.relative_to(CORE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", _core_files(), ids=lambda path: str(path.relative_to(CORE)))
def test_a_room_imports_only_rooms_below_it(path):
    allowed = ALLOWED[_room(path)]
    rooms = {name.split(".")[1] for name in _imports(path) if name.startswith("emkit.")} - {_room(path)}
    assert allowed is None or rooms <= allowed


@pytest.mark.parametrize("path", _core_files(), ids=lambda path: str(path.relative_to(CORE)))
def test_the_core_never_imports_a_plugin_or_an_optional_package_at_the_top(path):
    tops = {
        name.split(".")[0]
        for node in ast.parse(path.read_text()).body
        for name in (
            [a.name for a in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert tops <= set(sys.stdlib_module_names) | {"emkit", "numpy", "scipy", "attrs"}
    assert not any(name.startswith("emkit_") for name in _imports(path))


@pytest.mark.parametrize("path", sorted(PLUGINS.rglob("*.py")), ids=lambda path: str(path.relative_to(PLUGINS)))
def test_a_plugin_imports_public_names_and_no_other_plugin(path):
    plugin = path.relative_to(PLUGINS).parts[0]
    for name in _imports(path):
        top = name.split(".")[0]
        if top == "emkit":
            assert name in PUBLIC
        if top.startswith("emkit_"):
            assert top == plugin


def test_importing_emkit_imports_no_plugin_and_no_optional_package():
    code = "import sys, emkit; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    unwanted = {"pandas", "polars", "matplotlib", "sklearn", "dask", "tqdm", "pyarrow", "emkit_mixture", "emkit_coins"}
    assert "emkit" in loaded
    assert not unwanted & set(loaded)


def test_no_import_hides_in_a_function_except_for_optional_packages():
    optional = {"matplotlib", "tqdm", "pyarrow", "sklearn", "pandas", "polars", "threadpoolctl"}
    for path in [*_core_files(), *PLUGINS.rglob("*.py")]:
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef):
                continue
            for node in ast.walk(function):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [node.module or ""]
                assert {name.split(".")[0] for name in names} <= optional, f"{path}: {function.name}"
