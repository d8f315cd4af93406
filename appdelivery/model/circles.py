"""Circles in a graph of names: types that contain themselves, components and steps that wait for each other."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def find(edges: Mapping[str, Iterable[str]]) -> list[str]:
    """The first circle, its first name again at the end: [a, b, a]; empty when there is none."""
    done: set[str] = set()
    for start in edges:
        if start in done:
            continue
        trail, ways = [start], [iter(edges[start])]
        while ways:
            name = next(ways[-1], None)
            if name is None:
                ways.pop()
                done.add(trail.pop())
            elif name in trail:
                return [*trail[trail.index(name) :], name]
            elif name not in done:
                trail.append(name)
                ways.append(iter(edges.get(name, ())))
    return []
