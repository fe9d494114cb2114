"""The package holds what it should, and needs only what it declares."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = ("mlwatch", "widgets")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the wheel and the source distribution."""
    target = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(target)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return target


@pytest.fixture(scope="module")
def wheel(built: Path) -> dict[str, bytes]:
    """What is in the wheel, by name."""
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def sources(built: Path) -> set[str]:
    """Names in the source distribution, below its root."""
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def tracked(*suffixes: str) -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix in suffixes
    }


def test_wheel_holds_both_packages_whole_and_nothing_else(wheel: dict[str, bytes]) -> None:
    code = {name for name in wheel if ".dist-info/" not in name}
    assert code >= tracked(".py", ".tcss", ".typed", ".sql")
    assert {name.partition("/")[0] for name in code} == set(PACKAGES)
    assert {"mlwatch/py.typed", "widgets/py.typed"} <= code
    assert not [name for name in code if name.endswith((".pyc", ".md"))]


def test_wheel_has_the_command_and_the_licence(wheel: dict[str, bytes]) -> None:
    info = {
        name.partition(".dist-info/")[2]: data.decode()
        for name, data in wheel.items()
        if ".dist-info/" in name
    }
    assert "mlwatch = mlwatch.cli:main" in info["entry_points.txt"]
    assert "Version 2.0, January 2004" in info["licenses/LICENSE"]
    assert "License-Expression: Apache-2.0" in info["METADATA"]
    assert f"Version: {PROJECT['project']['version']}\n" in info["METADATA"]


ADDED = {"pyproject.toml", "PKG-INFO", ".gitignore"}
"""What hatchling puts into every source distribution."""


def test_source_distribution_holds_what_is_listed_and_nothing_else(sources: set[str]) -> None:
    include: list[str] = PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    listed = [entry.strip("/") for entry in include]
    held = {next((entry for entry in listed if f"{name}/".startswith(f"{entry}/")), name) for name in sources}
    assert held == {*listed, *ADDED}
    assert not [name for name in sources if name.endswith(".pyc")]


def test_source_distribution_can_be_tested(sources: set[str]) -> None:
    assert {
        "pyproject.toml",
        "uv.lock",
        "LICENSE",
        "Makefile",
        "CHANGELOG.md",
        "sample_logs/generate.py",
    } <= sources
    assert tracked(".py", ".tcss", ".typed") <= sources


def test_the_same_sources_make_the_same_wheel(built: Path, tmp_path: Path) -> None:
    """Built from a copy elsewhere, with files of another time, to the last byte."""
    copy = tmp_path / "elsewhere"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "dist")
    shutil.copytree(ROOT, copy, ignore=ignored, copy_function=shutil.copyfile)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=copy,
        check=True,
        capture_output=True,
    )
    (first,), (second,) = built.glob("*.whl"), tmp_path.glob("*.whl")
    assert first.read_bytes() == second.read_bytes()


def test_version_is_the_same_everywhere() -> None:
    import mlwatch

    assert mlwatch.__version__ == PROJECT["project"]["version"]


OTHER_NAMES = {"pynvml": "nvidia-ml-py"}
"""Packages of extras that need not be installed, by the module that they bring."""


def imported() -> Iterator[str]:
    """Yield the top-level name of every absolute import in the packages, wherever it stands."""
    for path in tracked(".py"):
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]


def test_every_import_is_a_declared_dependency() -> None:
    project = PROJECT["project"]
    extras = (line for lines in project["optional-dependencies"].values() for line in lines)
    declared = {re.split(r"[^\w.-]", line)[0].lower() for line in [*project["dependencies"], *extras]}
    providers = metadata.packages_distributions()
    foreign = {name for name in imported() if name not in sys.stdlib_module_names | set(PACKAGES)}
    undeclared = {
        name
        for name in foreign
        if not {p.lower().replace("_", "-") for p in providers.get(name, [OTHER_NAMES.get(name, name)])}
        & declared
    }
    assert undeclared <= {"rich"}, "textual stands on rich and hands it through; everything else is declared"
    assert foreign >= {"duckdb", "numpy", "textual"}


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("mlwatch", {"duckdb", "numpy", "pandas", "scipy", "textual", "httpx"}),
        ("mlwatch.config", {"duckdb", "numpy", "pandas", "scipy", "textual"}),
        ("mlwatch.metrics", {"duckdb", "pandas", "textual", "scipy.stats"}),
        ("widgets", {"duckdb", "pandas", "mlwatch"}),
    ],
)
def test_a_layer_does_not_pull_what_it_must_not(module: str, absent: set[str]) -> None:
    code = f"import sys, {module}; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert module in loaded
    assert not loaded & absent


def test_lock_names_public_places_only() -> None:
    text = (ROOT / "uv.lock").read_text()
    lock = tomllib.loads(text)
    registries = {
        package["source"]["registry"] for package in lock["package"] if "registry" in package["source"]
    }
    assert registries == {"https://pypi.org/simple"}
    hosts = {urlsplit(url).netloc for url in re.findall(r'url = "([^"]+)"', text)}
    assert hosts == {"files.pythonhosted.org"}


def test_lock_has_every_direct_dependency() -> None:
    locked = {package["name"] for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
    groups = PROJECT["dependency-groups"].values()
    lines = [
        *PROJECT["project"]["dependencies"],
        *(line for group in groups for line in group if isinstance(line, str)),
    ]
    assert {re.split(r"[^\w.-]", line)[0].lower() for line in lines} <= locked


def test_tests_with_the_oldest_versions_have_those_that_the_extras_name() -> None:
    extras = {line for lines in PROJECT["project"]["optional-dependencies"].values() for line in lines}
    elsewhere = ("nvidia-ml-py", "pyspark")  # tests have no cards, and Spark an environment of its own
    tested = set(PROJECT["dependency-groups"]["test"])
    assert {line for line in extras if not line.startswith(elsewhere)} <= tested
