"""What people install: the wheel, built from the checkout and from the sdist, in an environment that never saw the checkout.

No network: the environment borrows the libraries of this one through a path file, and the wheel is installed without its
dependencies.  A path file is read without the path files beside those libraries, so the editable install of this
checkout does not leak in.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest
import support

if TYPE_CHECKING:
    import pathlib

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("packaging")]

EXAMPLE = f"{support.ROOT}/examples/inference.yaml"
APPCTL = f"{os.path.dirname(sys.executable)}/appctl"


def run(*words: str, **environment: str) -> str:
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "LANG": "C.UTF-8", **environment},
        cwd=os.environ["HOME"],
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """sdist, the wheel of the sdist, the wheel of the checkout."""
    folder = tmp_path_factory.mktemp("dist")
    build = (sys.executable, "-m", "build", "--no-isolation")
    places = {name: f"{folder}/{name}" for name in ("sdist", "tree", "of-sdist", "of-checkout")}
    run(*build, "--sdist", "--outdir", places["sdist"], support.ROOT)
    sdist = only(places["sdist"])
    with tarfile.open(sdist) as archive:
        archive.extractall(places["tree"])
    run(*build, "--wheel", "--outdir", places["of-sdist"], only(places["tree"]))
    run(*build, "--wheel", "--outdir", places["of-checkout"], support.ROOT)
    return {"sdist": sdist, "of-sdist": only(places["of-sdist"]), "of-checkout": only(places["of-checkout"])}


def only(folder: str) -> str:
    (name,) = [name for name in os.listdir(folder) if not name.startswith(".")]
    return f"{folder}/{name}"


def content(wheel: str) -> dict[str, str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


@pytest.fixture(scope="module")
def installed(built: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of programs of an environment that has the wheel."""
    folder = str(tmp_path_factory.mktemp("environment"))
    run(sys.executable, "-m", "venv", folder)
    python = f"{folder}/bin/python"
    own = run(python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])").strip()
    with open(f"{own}/borrowed.pth", "w", encoding="utf-8") as file:
        file.write(f"{sysconfig.get_paths()['purelib']}\n")
    run(
        python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--force-reinstall", built["of-sdist"],
        PIP_DISABLE_PIP_VERSION_CHECK="1",
    )  # fmt: skip
    return f"{folder}/bin"


def test_the_wheel_of_the_sdist_is_the_wheel_of_the_checkout(built: dict[str, str]) -> None:
    assert content(built["of-sdist"]) == content(built["of-checkout"])


def test_the_wheel_holds_all_data(built: dict[str, str]) -> None:
    names = set(content(built["of-checkout"]))
    for folder in ("components", "components/_shared", "traits", "workflows"):
        files = [name for name in os.listdir(f"{support.ROOT}/{folder}") if name.endswith(".yaml")]
        assert files
        assert {f"appdelivery/_shipped/{folder}/{name}" for name in files} <= names
    migrations = "appdelivery/store/migrations"
    files = [name for name in os.listdir(f"{support.ROOT}/{migrations}/versions") if name.endswith(".py")]
    assert {f"{migrations}/versions/{name}" for name in files} <= names
    more = {
        f"{migrations}/env.py",
        f"{migrations}/script.py.mako",
        "appdelivery/store/z1.dictionary",
        "appdelivery/py.typed",
    }
    assert more <= names


def test_the_wheel_holds_every_module_and_nothing_else(built: dict[str, str]) -> None:
    names = set(content(built["of-checkout"]))
    for folder, _, files in os.walk(f"{support.ROOT}/appdelivery"):
        place = os.path.relpath(folder, support.ROOT)
        assert {f"{place}/{name}" for name in files if name.endswith(".py")} <= names
    strangers = [name for name in names if not name.startswith(("appdelivery/", "appdelivery-"))]
    assert not strangers
    assert not [name for name in names if "__pycache__" in name or "/tests/" in name or "/test_" in name]


def test_the_sdist_can_run_the_tests(built: dict[str, str]) -> None:
    with tarfile.open(built["sdist"]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = ("README.md", "LICENSE", "Makefile", "tests/conftest.py", "examples/inference.yaml", "requirements/dev.txt")
    assert set(wanted) <= names
    assert not [name for name in names if name.startswith((".venv", ".cache", ".git/", "dist/"))]


def test_the_installed_package_is_not_the_checkout(installed: str) -> None:
    place = run(f"{installed}/python", "-c", "import appdelivery; print(appdelivery.__file__)").strip()
    assert place.startswith(os.path.dirname(installed))
    assert not place.startswith(support.ROOT)


def test_the_installed_command_does_what_the_checkout_does(installed: str) -> None:
    for words in (
        ("version",),
        ("render", EXAMPLE),
        ("definition", "list", "-o", "json"),
        ("explain", "webservice"),
        ("help",),
    ):
        assert run(f"{installed}/appctl", *words) == run(APPCTL, *words), words


def test_the_shipped_definitions_pass_their_cases_where_they_are_installed(installed: str) -> None:
    last = run(f"{installed}/appctl", "test").splitlines()[-1]
    passed, failed = (int(part.split()[0]) for part in last.split(", ")[:2])
    assert passed > 100
    assert failed == 0


def test_the_installed_command_makes_and_checks_a_store(installed: str, tmp_path: pathlib.Path) -> None:
    """Migrations and the compression dictionary are read from the wheel."""
    store = str(tmp_path / "store.db")
    run(f"{installed}/appctl", "db", "migrate", "--store", store)
    run(f"{installed}/appctl", "db", "check", "--deep", "--store", store)


def test_module_and_script_are_the_same_command(installed: str) -> None:
    assert run(f"{installed}/python", "-m", "appdelivery.cli", "version") == run(f"{installed}/appctl", "version")
