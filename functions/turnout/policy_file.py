"""Policies in files: YAML or JSON read, checked and named."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from turnout.errors import ConfigurationError, PolicyError, Problem
from turnout.known_models import known_models
from turnout.policy import ActivePolicy, Policy, PolicyRef, fingerprint
from turnout.policy_check import parse_policy


def read_policy(path: Path, *, categories: Collection[str] | None = None) -> Policy:
    """Return the policy in a YAML file, or in a JSON one, as packages for Lambda hold it.

    Raises ConfigurationError when the file cannot be read, PolicyError when it is no policy.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"cannot read {path}: it is not UTF-8 text") from None
    if path.suffix == ".json":
        return parse_policy(_filled_in(_json(text)), categories=categories)
    return _read_yaml(text, categories)


def read_policies(
    folder: Path, *, categories: Collection[str] | None = None
) -> dict[str, ActivePolicy]:
    """Return every policy of a folder under its file's name; its version is a fingerprint.

    Raises ConfigurationError, naming the file, for the first that cannot be used.
    """
    policies: dict[str, ActivePolicy] = {}
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.json")]):
        try:
            policy = read_policy(path, categories=categories)
        except PolicyError as error:
            raise ConfigurationError(f"{path}: {error}") from None
        policies[path.stem] = ActivePolicy(PolicyRef(path.stem, fingerprint(policy)), policy)
    if not policies:
        raise ConfigurationError(f"no policy (*.yaml, *.json) in {folder}")
    return policies


def _read_yaml(text: str, categories: Collection[str] | None) -> Policy:
    # Not at import: a deployed function, whose policies are JSON, starts sooner without it.
    import yaml

    from turnout.yaml_lines import lines_of

    try:
        node = yaml.compose(text, yaml.SafeLoader)
        lines = lines_of(node)
        document = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        message = f"not valid YAML: {error.problem or error.context or 'unreadable'}"
        raise PolicyError([Problem("", message, line)]) from None
    except yaml.YAMLError as error:
        raise PolicyError([Problem("", f"not valid YAML: {_one_line(str(error))}")]) from None
    try:
        return parse_policy(_filled_in(document), categories=categories)
    except PolicyError as error:
        raise PolicyError(
            [Problem(p.path, p.message, lines.find(p.path)) for p in error.problems]
        ) from None


def _filled_in(document: object) -> object:
    """Fill in what is known of models; the catalogue is read only where something is left out."""
    models = document.get("models") if isinstance(document, dict) else None
    told = models.values() if isinstance(models, dict) else ()
    if all(isinstance(model, dict) and {"context", "usd_per_mtok"} <= set(model) for model in told):
        return document
    return known_models().fill_in(document)


def _json(text: str) -> Any:
    try:
        return from_json(text)
    except ValueError as error:
        raise PolicyError([Problem("", f"not valid JSON: {_one_line(str(error))}")]) from None


def _one_line(text: str) -> str:
    return " ".join(text.split())
