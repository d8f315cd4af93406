"""Twice the components, twice the work: nothing is done once for every pair of them."""

from __future__ import annotations

import sys
from collections import Counter

import apps

from appdelivery.render import render

READER = """
- name: reader-{0}
  type: config
  properties: {{configMaps: {{of-{0}: {{SOURCE: "${{{{ components.source.name }}}}"}}}}}}
"""
SOURCE = "- name: source\n  type: config\n  properties: {configMaps: {source: {a: b}}}\n"


def bytecodes(text: str) -> int:
    """Instructions of the interpreter that one render takes; unlike time, the same on every run."""
    app = apps.application(apps.text(text))
    render.render(app, apps.shipped().resolve)
    count: Counter[str] = Counter()

    def each(frame, event, _):
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count[event] += 1
        return each

    before = sys.gettrace()
    sys.settrace(each)
    try:
        render.render(app, apps.shipped().resolve)
    finally:
        sys.settrace(before)
    return count["opcode"]


def test_components_that_read_each_other_cost_the_same_in_a_large_application():
    few, many = (SOURCE + "".join([READER.format(i) for i in range(count)]) for count in (100, 200))
    assert bytecodes(many) < 2 * bytecodes(few)
