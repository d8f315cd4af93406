"""The page of steps names every step, its outputs, and what is refused or deprecated with the words of the definition."""

from __future__ import annotations

import pytest
import support

from appdelivery.catalog import catalog, layouts

KNOWN = catalog.Catalog()


@pytest.mark.parametrize("name", KNOWN.names(layouts.STEP))
def test_a_step_has_its_row(name):
    definition = KNOWN.resolve(layouts.STEP, name)
    with open(f"{support.ROOT}/docs/reference/steps.md", encoding="utf-8") as file:
        row = next(line for line in file if line.startswith((f"| `{name}` ", f"| `{name}`, ")))
    if definition.deprecated:
        assert definition.deprecated in row
    elif definition.use != "refuse":
        assert definition.description in row
        for output in definition.outputs:
            assert f"`{output}`" in row
