"""The documented CloudWatch Logs Insights queries name fields that a real record's log line has."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.servers import RunningTurnout

DOCS = Path(__file__).parents[2] / "docs" / "reports.md"
OBSERVABILITY = DOCS.parents[1] / "infra" / "observability.yaml"
QUERIES = re.findall(r"```insights\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
MOST_FIELDS = 200


def flat(value: Any, path: str = "") -> Iterator[str]:
    """Yield the paths of a value's leaves as Insights names them: items of lists by their number."""
    if isinstance(value, dict | list):
        named = value.items() if isinstance(value, dict) else enumerate(value)
        for name, inner in named:
            yield from flat(inner, f"{path}.{name}" if path else str(name))
    else:
        yield path


def fields_of(query: str) -> set[str]:
    query = re.sub(r'#.*|"[^"]*"', "", query)
    return set(re.findall(r"\bdecision(?:\.\w+)+|\bmessage\b", query))


@pytest.mark.parametrize("query", QUERIES, ids=[query.splitlines()[0] for query in QUERIES])
async def test_every_field_of_a_query_is_in_the_log(turnout: RunningTurnout, query: str) -> None:
    assert (await turnout.chat())[0] == 200
    (line,) = turnout.logged()
    asked = fields_of(query)
    assert {"message"} < asked
    assert asked <= set(flat(line))
    assert len(list(flat(line))) < MOST_FIELDS


def test_there_are_queries_to_check() -> None:
    assert len(QUERIES) == 5


class Stack(yaml.SafeLoader):
    """Reads CloudFormation's YAML; what its short functions stand for is left as it is written."""


Stack.add_multi_constructor("!", lambda loader, suffix, node: node.value)


def test_the_stack_saves_the_documented_queries() -> None:
    stack = yaml.load(OBSERVABILITY.read_text(encoding="utf-8"), Stack)
    kept = [
        resource["Properties"]
        for resource in stack["Resources"].values()
        if resource["Type"] == "AWS::Logs::QueryDefinition"
    ]
    assert [query["QueryString"] for query in kept] == QUERIES
    for query in kept:
        title = query["QueryString"].splitlines()[0].removeprefix("# ")
        assert query["Name"] == f"${{StackName}}/{title}"
