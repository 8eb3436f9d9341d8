"""The policy language: what is valid, and how what is not is explained."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from support.policies import document, model
from turnout.errors import ConfigurationError, PolicyError
from turnout.policy import fingerprint
from turnout.policy_check import parse_policy
from turnout.policy_document import json_schema
from turnout.policy_file import read_policies, read_policy
from turnout.threshold import parse_threshold

POLICIES = Path(__file__).parents[2] / "infra" / "policies"


def problems_of(bad: object, **options: object) -> list[str]:
    with pytest.raises(PolicyError) as raised:
        parse_policy(bad, **options)  # type: ignore[arg-type]
    return [str(problem) for problem in raised.value.problems]


def route(**changes: object) -> dict[str, object]:
    return {"name": "r", "when": {"category": "coding"}, "use": ["large"], **changes}


@pytest.mark.parametrize("path", sorted(POLICIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_policy_is_valid(path: Path) -> None:
    assert read_policy(path).models


def test_one_name_may_stand_where_a_list_is_expected() -> None:
    policy = parse_policy(document(routes=[route()]))
    assert policy.routes[0].when.category == ("coding",)


def test_a_model_in_use_may_carry_a_weight() -> None:
    policy = parse_policy(document(default={"use": [{"model": "small", "weight": 9}, "large"]}))
    assert [(share.model, share.weight) for share in policy.default.use] == [
        ("small", 9),
        ("large", 1),
    ]


def test_an_unknown_key_is_refused_with_its_path_and_the_nearest_known_key() -> None:
    assert problems_of(document(routes=[route(falback=["small"])])) == [
        "routes.0.falback: unknown key; did you mean 'fallback'?"
    ]


def test_a_model_that_is_not_defined_is_refused_with_the_nearest_name() -> None:
    assert problems_of(document(default={"use": ["smal"]})) == [
        "default.use.0: no model named 'smal'; did you mean 'small'?"
    ]


def test_every_problem_is_told_not_only_the_first() -> None:
    other = {"language": "de"}
    bad = document(routes=[route(use=["a"]), route(when=other, fallback=["b"])])
    assert problems_of(bad) == [
        "routes.0.use.0: no model named 'a'",
        "routes.1.fallback.0: no model named 'b'",
        "routes.1.name: a rule is named 'r' already",
    ]


def test_an_unknown_category_is_refused_with_the_known_ones() -> None:
    bad = document(routes=[route(when={"category": ["codin"]})])
    assert problems_of(bad, categories=("coding", "math")) == [
        "routes.0.when.category.0: unknown category 'codin'; did you mean 'coding'?"
        " (known: coding, math)"
    ]


@pytest.mark.parametrize(
    ("bad", "path"),
    [
        ({}, "version"),
        (None, ""),
        (document(version=2), "version"),
        (document(models={}), "models"),
        (document(models={"m": model(context=0)}), "models.m.context"),
        (document(models={"m": model(can=["fly"])}), "models.m.can.0"),
        (document(default={"use": []}), "default.use"),
        (document(limits={"max_usd_per_request": -1}), "limits.max_usd_per_request"),
        (document(routes=[route(when={"difficulty": "hard"})]), "routes.0.when.difficulty"),
    ],
)
def test_what_is_wrong_is_told_with_its_path(bad: object, path: str) -> None:
    assert problems_of(bad)[0].startswith(f"{path}: " if path else "")


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (">= 0.6", 0.6, 0.59),
        ("> 0.6", 0.61, 0.6),
        ("<0.6", 0.59, 0.6),
        ("<= 0.6", 0.6, 0.61),
        ("== 3", 3, 2.9),
        ("> 100, <= 4000", 4000, 100),
    ],
)
def test_a_threshold_holds_for_what_it_says(text: str, inside: float, outside: float) -> None:
    threshold = parse_threshold(text)
    assert threshold.holds(inside)
    assert not threshold.holds(outside)
    assert str(threshold) == text


@pytest.mark.parametrize("text", ["", "0.6", "=> 0.6", ">= x", ">= 1,", 0.6, None, True])
def test_what_is_no_threshold_is_refused_with_an_example(text: object) -> None:
    with pytest.raises(ValueError, match=r'such as ">= 0\.6"'):
        parse_threshold(text)


def test_the_fingerprint_changes_with_the_content_and_not_otherwise() -> None:
    first = fingerprint(parse_policy(document()))
    assert first == fingerprint(parse_policy(document()))
    assert first != fingerprint(parse_policy(document(limits={"timeout_s": 61})))


def test_a_policy_survives_json() -> None:
    policy = parse_policy(document(routes=[route(when={"difficulty": ">= 0.5"})]))
    assert parse_policy(policy.model_dump(mode="json")) == policy


def test_a_file_that_is_not_yaml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("version: [1")
    with pytest.raises(PolicyError, match="not valid YAML"):
        read_policy(path)


def test_a_missing_file_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read .*absent\.yaml"):
        read_policy(tmp_path / "absent.yaml")


def test_a_folder_gives_each_policy_under_its_files_name() -> None:
    policies = read_policies(POLICIES)
    assert set(policies) == {"default", "frugal"}
    assert str(policies["default"].ref).startswith("default@")


def test_a_folder_with_a_bad_policy_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("version: 1")
    with pytest.raises(ConfigurationError, match=r"bad\.yaml: models: field required"):
        read_policies(tmp_path)


def test_a_folder_without_policies_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no policy"):
        read_policies(tmp_path)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ({}, {"category": "coding"}),
        ({"category": ["coding", "math"]}, {"category": "math"}),
        ({"difficulty": ">= 0.3"}, {"difficulty": "> 0.5, <= 0.9"}),
        ({"needs": "tools"}, {"needs": ["images", "tools"]}),
        ({"metadata": {"team": ["x", "y"]}}, {"metadata": {"team": "x", "tier": "a"}}),
        ({"probability": {"math": "> 0.1"}}, {"probability": {"math": ">= 0.2"}}),
        ({"hours": "08:00-18:00"}, {"hours": "08:00-18:00", "weekday": "mon"}),
    ],
)
def test_a_route_that_an_earlier_one_takes_everything_from_is_refused(
    wide: dict[str, Any], narrow: dict[str, Any]
) -> None:
    hidden = [route(name="wide", when=wide), route(name="narrow", when=narrow)]
    assert problems_of(document(routes=hidden)) == [
        "routes.1: route 'narrow' is never reached: 'wide' before it takes all of it"
    ]
    assert parse_policy(document(routes=hidden[::-1]))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"category": "coding"}, {"category": ["coding", "math"]}),
        ({"difficulty": "> 0.3"}, {"difficulty": ">= 0.3"}),
        ({"language": "de"}, {"category": "coding"}),
        ({"hours": "08:00-18:00"}, {"hours": "09:00-10:00"}),
        ({"weekday": "mon"}, {}),
    ],
)
def test_a_route_that_can_be_reached_is_not_refused(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    routes = [route(name="first", when=first), route(name="second", when=second)]
    assert parse_policy(document(routes=routes))


def test_a_condition_that_no_number_meets_is_refused() -> None:
    bad = document(routes=[route(when={"difficulty": "> 0.8, < 0.2"})])
    assert problems_of(bad) == ["routes.0.when.difficulty: no number is > 0.8, < 0.2"]


def test_an_upstream_that_nobody_configured_is_refused_with_the_nearest_one() -> None:
    bad = document(models={"small": model(upstream="opnai")})
    assert problems_of(bad, upstreams=("openai", "mock")) == [
        "models.small.upstream: no upstream 'opnai'; did you mean 'openai'?"
    ]


def test_an_objective_without_a_quality_to_weigh_is_refused() -> None:
    bad = document(default={"use": ["small"], "objective": {"quality": 1, "cost": 0}})
    assert problems_of(bad) == [
        "default.use.0: an objective weighs quality, and quality.small is not given"
    ]


def test_a_route_may_not_take_a_name_that_decisions_use_for_something_else() -> None:
    assert problems_of(document(routes=[route(name="default")])) == [
        "routes.0.name: a rule is named 'default' already"
    ]


def test_the_json_schema_takes_what_the_parser_takes() -> None:
    schema = json_schema()
    assert schema["additionalProperties"] is False
    for path in sorted(POLICIES.glob("*.yaml")):
        Draft202012Validator(schema).validate(yaml.safe_load(path.read_text()))
    short = document(
        routes=[route(when={"category": "coding", "difficulty": "> 0.5"}, use=["small"])]
    )
    Draft202012Validator(schema).validate(short)
    for bad in (document(modles={}), document(routes=[route(when={"difficulty": 0.5})])):
        assert not Draft202012Validator(schema).is_valid(bad)


def file_problems(folder: Path, text: str) -> list[str]:
    path = folder / "policy.yaml"
    path.write_text(text)
    with pytest.raises(PolicyError) as raised:
        read_policy(path)
    return [str(problem) for problem in raised.value.problems]


YAML = """\
version: 1
models:
  small: {upstream: mock, id: small, context: 100, usd_per_mtok: {input: 1, output: 2}}
routes:
  - name: r
    when:
      category: coding
    use: [smal]
default:
  use:
    - model: small
      weight: -1
"""


def test_a_problem_in_a_file_is_told_with_its_line(tmp_path: Path) -> None:
    assert file_problems(tmp_path, YAML) == [
        "line 12, default.use.0.weight: input should be greater than 0"
    ]
    assert file_problems(tmp_path, YAML.replace("-1", "1")) == [
        "line 8, routes.0.use.0: no model named 'smal'; did you mean 'small'?"
    ]


def test_a_missing_key_is_told_with_the_line_of_what_should_hold_it(tmp_path: Path) -> None:
    assert file_problems(tmp_path, YAML.replace("weight: -1", "").replace("id: small, ", "")) == [
        "line 3, models.small.id: field required"
    ]


def test_a_key_given_twice_is_refused(tmp_path: Path) -> None:
    assert file_problems(tmp_path, f"{YAML}version: 2\n") == ["line 13, version: given twice"]


def test_text_that_is_no_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    problems = file_problems(tmp_path, "version: 1\nmodels: [1\nroutes: 2\n")
    assert problems == ["line 3, not valid YAML: expected ',' or ']', but got ':'"]


def test_yaml_that_holds_itself_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    assert file_problems(tmp_path, "version: 1\nmodels: &a {x: *a}\ndefault: {use: [x]}\n")
