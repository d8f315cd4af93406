from __future__ import annotations

import pytest

from appdelivery.sandbox.writes import quantities


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("1024Mi", "1Gi"), ("1000m", "1"), ("0.5", "500m"), (1, "1"), (0.25, "250m"), ("1500Mi", "1500Mi"), ("0", "0"),
        ("1e3", "1e3"), ("1000k", "1M"), ("100m", "100m"), ("1.5Gi", "1536Mi"), ("-5", "-5"), ("0Gi", "0"), ("2048Ki", "2Mi"),
    ],
)  # fmt: skip
def test_a_quantity_is_written_as_the_server_writes_it(given, written):
    assert quantities.canonical(given) == written


@pytest.mark.parametrize("given", ["", "x", "1 Gi", "1Q", "--1", "1..2"])
def test_what_is_no_quantity_is_none(given):
    assert quantities.canonical(given) is None
