"""Public data that this repository does not hold, as rows to train on.

    python -m turnout_training.sources auto-j CHECKOUT > auto-j.jsonl

CHECKOUT is a checkout of the repository that holds it:

    auto-j                GAIR-NLP/auto-j                 Chatbot Arena's users' prompts, CC-BY-4.0
    grade-school-math     openai/grade-school-math        word problems and their steps, MIT
    clinc150              clinc/oos-eval                  what people ask assistants, CC-BY-3.0
    banking77             PolyAI-LDN/task-specific-datasets   what people ask their bank, CC-BY-4.0
    query-wellformedness  google-research-datasets/query-wellformedness   questions, CC-BY-SA-4.0
    gpteacher             teknium1/GPTeacher              instructions written by a model, MIT
    t0                    yizhongw/self-instruct          P3's templates filled in, Apache-2.0

    mt-bench              lm-sys/RouteLLM                 two models' scores, Apache-2.0: to evaluate on

Those from clinc150 to t0 have no category of ours: teachers tell what they are.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any, Final

_SCENARIOS: Final = {
    "coding": "code_generation code_correction_rewriting code_simplification explaining_code"
    " code_to_code_translation",
    "math": "math_reasoning solving_exam_question_with_math",
    "creative_writing": "creative_writing writing_song_lyrics",
    "copywriting": "writing_advertisement writing_marketing_materials writing_product_description"
    " writing_social_media_post writing_blog_post title_generation",
    "business_writing": "writing_email writing_job_application writing_legal_document"
    " writing_technical_document writing_presentation_script writing_news_article"
    " writing_scientific_paper functional_writing",
    "editing": "language_polishing instructional_rewriting paraphrasing text_simplification"
    " text_correction",
    "summarization": "text_summarization note_summarization post_summarization",
    "translation": "text_to_text_translation",
    "extraction": "information_extraction keywords_extraction topic_modeling data_analysis"
    " classification_identification reading_comprehension",
    "question_answering": "open_question verifying_fact solving_exam_question_without_math",
    "education": "explaining_general asking_how_to_question question_generation",
    "planning": "brainstorming planning recommendation seeking_advice writing_cooking_recipe",
    "conversation": "chitchat roleplay",
}
_CATEGORIES: Final = {s: c for c, scenarios in _SCENARIOS.items() for s in scenarios.split()}
_HARDEST_STEPS: Final = 8


def auto_j(checkout: Path) -> Iterator[dict[str, Any]]:
    """Yield the prompts of Auto-J's critiques, and those whose scenario is none of our categories, with
    null for theirs. What its evaluation sets hold too is left out.
    """
    data = checkout / "data"
    tests = [data / "test" / f"testdata_{name}.jsonl" for name in ("pairwise", "critique")]
    seen = {_key(_prompt(row)) for path in tests for row in _rows(path)}
    scenarios = checkout / "other_resources" / "scenario_classifier_data"
    seen |= {_key(_prompt(row)) for row in _rows(scenarios / "testdata.jsonl")}
    critiques = data / "training" / "single_independent" / "usescenario.jsonl"
    of_other_scenarios = (
        row for row in _rows(scenarios / "traindata.jsonl") if row["category"] not in _CATEGORIES
    )
    for row in [*(critique["meta"] for critique in _rows(critiques)), *of_other_scenarios]:
        text = _prompt(row)
        if text and _key(text) not in seen:
            seen.add(_key(text))
            category = _CATEGORIES.get(row.get("scenario", ""))
            yield {"text": text, "category": category, "source": "auto-j"}


def grade_school_math(checkout: Path) -> Iterator[dict[str, Any]]:
    """Yield word problems whose difficulty is the share of eight steps that their solution takes."""
    for row in _rows(checkout / "grade_school_math" / "data" / "train.jsonl"):
        steps = row["answer"].count("<<")
        difficulty = min(1.0, steps / _HARDEST_STEPS)
        fields = {"text": row["question"], "category": None, "difficulty": difficulty}
        yield {**fields, "source": "grade-school-math"}


def clinc150(checkout: Path) -> Iterator[dict[str, Any]]:
    """Yield short requests to an assistant."""
    parts = json.loads((checkout / "data" / "data_full.json").read_text(encoding="utf-8"))
    yield from (_untold(text, "clinc150") for part in parts.values() for text, _ in part)


def banking77(checkout: Path) -> Iterator[dict[str, Any]]:
    """Yield questions of a bank's customers."""
    with (checkout / "banking_data" / "train.csv").open(encoding="utf-8", newline="") as lines:
        yield from (_untold(row["text"], "banking77") for row in csv.DictReader(lines))


def query_wellformedness(checkout: Path) -> Iterator[dict[str, Any]]:
    """Yield questions, well formed or not."""
    lines = (checkout / "train.tsv").read_text(encoding="utf-8").splitlines()
    yield from (_untold(line.partition("\t")[0], "query-wellformedness") for line in lines)


def gpteacher(checkout: Path) -> Iterator[dict[str, Any]]:
    """Yield instructions to code and to play a role, with their input."""
    for name in ("Codegen/codegen-instruct", "Roleplay/roleplay-simple-deduped-roleplay-instruct"):
        for row in json.loads((checkout / f"{name}.json").read_text(encoding="utf-8")):
            text = "\n".join(part for part in (row["instruction"], row["input"]) if part)
            yield _untold(text, "gpteacher")


def t0(checkout: Path) -> Iterator[dict[str, Any]]:
    """Yield sixty fillings of each of P3's templates."""
    folder = checkout / "data" / "finetuning" / "t0_train_50k" / "data_per_template"
    for path in sorted(folder.glob("*.jsonl")):
        for row in islice(_rows(path), 60):
            yield _untold(row["prompt"], "t0")


def mt_bench(checkout: Path) -> Iterator[dict[str, Any]]:
    """Yield MT-Bench's first turns with the mean scores of Mixtral-8x7B and GPT-4, in 0..1, but for those
    that RouteLLM takes for contaminated. They are never trained on."""
    folder = checkout / "routellm" / "evals" / "mt_bench"
    known = {row["eval_prompt"] for row in _rows(folder / "contaminated_prompts.jsonl")}
    scores: dict[tuple[int, bool], list[float]] = defaultdict(list)
    for row in _rows(folder / "judgements.jsonl"):
        scores[row["question_id"], row["model"].startswith("gpt-4")].append(row["score"] / 10)
    for question in _rows(folder / "question.jsonl"):
        text = question["turns"][0]
        if text not in known:
            weak, strong = (fmean(scores[question["question_id"], s]) for s in (False, True))
            told = {"text": text, "weak_correct": weak, "strong_correct": strong}
            yield {**told, "source": "routellm-mt-bench", "split": "valid"}


def _untold(text: str, source: str) -> dict[str, Any]:
    return {"text": text.strip()[:2_000], "category": None, "source": source}


def _prompt(row: dict[str, Any]) -> str:
    parts = (row.get("prompt") or row["instruction"], row.get("input"))
    return "\n\n".join(part.strip() for part in parts if part)[:2_000]


def _key(text: str) -> str:
    return " ".join(text.lower().split())[:80]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


_SOURCES: Final = {
    "auto-j": auto_j,
    "grade-school-math": grade_school_math,
    "clinc150": clinc150,
    "banking77": banking77,
    "query-wellformedness": query_wellformedness,
    "gpteacher": gpteacher,
    "t0": t0,
    "mt-bench": mt_bench,
}

if __name__ == "__main__":
    name, folder = sys.argv[1:]
    for written in _SOURCES[name](Path(folder)):
        print(json.dumps(written, ensure_ascii=False))
