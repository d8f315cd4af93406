"""Settings of every test: hypothesis profiles, private XDG folders, the marker rules."""

from __future__ import annotations

import gc
import itertools
import os
import signal

import pytest
import support
from hypothesis import HealthCheck, settings

pytest_plugins = ["plane_fixtures", "postgres"]

# A run in the background inherits SIGINT ignored, and so would every command that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

for profile, most in (("dev", 20), ("ci", 150), ("deep", 5000)):
    settings.register_profile(profile, max_examples=most, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(support.PROFILE)

HOMES = itertools.count()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite the golden files and print what changed")


def pytest_collection_finish() -> None:
    """Thousands of tests live to the end of the run: the collector of garbage need not walk through them again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("homes"))


@pytest.fixture(autouse=True)
def private_home(homes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's configuration, store, cache or kubeconfig."""
    home = f"{homes}/{next(HOMES)}"  # `mktemp` would look through all that there are for a number
    os.mkdir(home, 0o700)
    for name, folder in (
        ("HOME", ""),
        ("XDG_CONFIG_HOME", "/config"),
        ("XDG_DATA_HOME", "/data"),
        ("XDG_CACHE_HOME", "/cache"),
    ):
        monkeypatch.setenv(name, home + folder)
    for name in list(os.environ):
        if name == "KUBECONFIG" or (
            name.startswith("APPCTL_") and not name.startswith(("APPCTL_TEST_", "APPCTL_REQUIRE_", "APPCTL_CACHE"))
        ):
            monkeypatch.delenv(name)
