"""Make the catalogue of well-known models from the price lists of the package genai-prices.

    python infra/catalogue/build.py functions/turnout/models.json

Prices are those of today. Where a provider charges more beyond some length of prompt, the catalogue's
context stops there, so that estimates and bills stay true.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import yaml
from genai_prices.data import providers

UPSTREAMS: Final = {
    "anthropic": "anthropic",
    "aws": "bedrock",
    "deepseek": "deepseek",
    "google": "gemini",
    "groq": "groq",
    "mistral": "mistral",
    "openai": "openai",
    "openrouter": "openrouter",
    "together": "together",
    "x-ai": "xai",
}
"""Turnout's names for the providers of the price lists."""


def catalogue(now: datetime) -> dict[str, Any]:
    """Return the catalogue: models by `upstream/id`, with context, prices and capabilities."""
    patterns = yaml.safe_load((Path(__file__).parent / "capabilities.yaml").read_text())
    models = {
        name: {**facts, "can": _can(name, patterns)}
        for provider in providers
        if provider.id in UPSTREAMS
        for name, facts in _models(provider, patterns, now)
    }
    return {
        "as_of": now.date().isoformat(),
        "source": f"genai-prices {version('genai-prices')}",
        "models": dict(sorted(models.items())),
    }


def _models(
    provider: Any, patterns: list[dict[str, Any]], now: datetime
) -> Iterator[tuple[str, dict[str, Any]]]:
    for model in provider.models:
        name, prices = f"{UPSTREAMS[provider.id]}/{model.id}", model.get_prices(now)
        # What makes embeddings puts nothing out.
        output = prices.output_mtok or ("embeddings" in _can(name, patterns) and 0.0)
        if not (model.context_window and prices.input_mtok) or output is False or output is None:
            continue
        cheap_up_to = getattr(prices.input_mtok, "tiers", ())
        context = min([model.context_window, *(tier.start for tier in cheap_up_to)])
        usd = {"input": _base(prices.input_mtok), "output": _base(output)}
        if prices.cache_read_mtok:
            usd["cached_input"] = _base(prices.cache_read_mtok)
        yield name, {"context": context, "usd_per_mtok": usd}


def _base(price: Any) -> float:
    return float(getattr(price, "base", price))


def _can(name: str, patterns: list[dict[str, Any]]) -> list[str]:
    return next((p["can"] for p in patterns if fnmatchcase(name, p["model"])), [])


if __name__ == "__main__":
    made = catalogue(datetime.now(UTC))
    Path(sys.argv[1]).write_text(json.dumps(made, separators=(",", ":")), encoding="utf-8")
    print(f"{len(made['models'])} well-known models as of {made['as_of']}, {made['source']}")
