"""Where in a YAML text each part of its document is, and keys that are given twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from yaml import MappingNode, Node, ScalarNode, SequenceNode

from turnout.errors import PolicyError, Problem


@dataclass(frozen=True, slots=True)
class Lines:
    """The line of each dotted path, from 1."""

    by_path: Mapping[str, int]

    def find(self, path: str) -> int | None:
        """Return the line of the path, or of the nearest part around it that is in the text."""
        while path not in self.by_path and path:
            path = path.rpartition(".")[0]
        return self.by_path.get(path)


def lines_of(node: Node | None) -> Lines:
    """Return the lines of a composed document. Raises PolicyError for a key given twice."""
    lines: dict[str, int] = {}
    twice: list[Problem] = []
    seen: set[int] = set()

    def walk(node: Node, path: str) -> None:
        # An alias brings the same node again, and could do so for ever.
        if id(node) in seen:
            return
        seen.add(id(node))
        prefix = f"{path}." if path else ""
        if isinstance(node, MappingNode):
            keys: set[str] = set()
            for key, value in node.value:
                name = key.value if isinstance(key, ScalarNode) else "?"
                where, line = f"{prefix}{name}", key.start_mark.line + 1
                if name in keys:
                    twice.append(Problem(where, "given twice", line))
                keys.add(name)
                lines[where] = line
                walk(value, where)
        elif isinstance(node, SequenceNode):
            for i, value in enumerate(node.value):
                lines[f"{prefix}{i}"] = value.start_mark.line + 1
                walk(value, f"{prefix}{i}")

    if node is not None:
        walk(node, "")
    if twice:
        raise PolicyError(twice)
    return Lines(lines)
