"""The policy language: what is valid, and how what is not is explained."""

from pathlib import Path

import pytest

from support.policies import document, model
from turnout.errors import ConfigurationError, PolicyError
from turnout.policy import fingerprint, parse_policy, parse_threshold
from turnout.policy_file import read_policies, read_policy

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
    bad = document(routes=[route(use=["a"]), route(fallback=["b"])])
    assert problems_of(bad) == [
        "routes.0.use.0: no model named 'a'",
        "routes.1.fallback.0: no model named 'b'",
        "routes.1.name: a second route named 'r'",
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
