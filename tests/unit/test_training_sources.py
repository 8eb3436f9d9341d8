"""Rows made of public data, from small checkouts in the shape of the real ones."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from turnout_training.sources import (
    auto_j,
    banking77,
    clinc150,
    gpteacher,
    grade_school_math,
    mt_bench,
    query_wellformedness,
    t0,
)


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def lines(path: Path, rows: Iterable[Any]) -> None:
    write(path, "".join(json.dumps(row) + "\n" for row in rows))


def test_auto_js_prompts_come_without_what_it_is_evaluated_on(tmp_path: Path) -> None:
    scenarios = tmp_path / "other_resources" / "scenario_classifier_data"
    known = [
        {"category": "code_generation", "instruction": "labelled elsewhere", "input": ""},
        {"category": "value_judgement", "instruction": "is it right", "input": "to lie?"},
        {"category": "default", "instruction": "evaluated on,  as a scenario", "input": ""},
    ]
    lines(scenarios / "traindata.jsonl", known)
    lines(scenarios / "testdata.jsonl", [{"instruction": "Evaluated on, as a scenario"}])
    tests = tmp_path / "data" / "test"
    lines(tests / "testdata_pairwise.jsonl", [{"prompt": "evaluated on, by pairs"}])
    lines(tests / "testdata_critique.jsonl", [{"prompt": "evaluated on, alone"}])
    prompts = ("evaluated on, by pairs", "evaluated on, alone", "fix this", "fix this")
    lines(
        tmp_path / "data" / "training" / "single_independent" / "usescenario.jsonl",
        [{"meta": {"prompt": prompt, "scenario": "text_correction"}} for prompt in prompts],
    )
    assert [(row["text"], row["category"]) for row in auto_j(tmp_path)] == [
        ("fix this", "editing"),
        ("is it right\n\nto lie?", None),
    ]


@pytest.mark.parametrize(("steps", "difficulty"), [(0, 0.0), (2, 0.25), (11, 1.0)])
def test_a_word_problem_is_as_hard_as_it_has_steps(
    tmp_path: Path, steps: int, difficulty: float
) -> None:
    answer = "so <<1+1=2>>" * steps
    path = tmp_path / "grade_school_math" / "data" / "train.jsonl"
    lines(path, [{"question": "How many?", "answer": answer}])
    (row,) = grade_school_math(tmp_path)
    assert (row["text"], row["category"], row["difficulty"]) == ("How many?", None, difficulty)


def test_mt_benchs_scores_are_the_mean_of_both_turns_and_never_trained_on(tmp_path: Path) -> None:
    folder = tmp_path / "routellm" / "evals" / "mt_bench"
    lines(folder / "contaminated_prompts.jsonl", [{"eval_prompt": "known"}])
    questions = [
        {"question_id": i, "turns": [text, "go on"]} for i, text in enumerate(("new", "known"))
    ]
    lines(folder / "question.jsonl", questions)
    judged = [("gpt-4-1106-preview", 10), ("gpt-4-1106-preview", 8), ("mistralai/Mixtral", 5)]
    lines(
        folder / "judgements.jsonl",
        [{"question_id": 0, "model": model, "score": score} for model, score in judged],
    )
    (row,) = mt_bench(tmp_path)
    assert (row["text"], row["weak_correct"], row["strong_correct"]) == ("new", 0.5, 0.9)
    assert row["split"] != "train"


def test_the_others_have_no_category_for_teachers_to_tell(tmp_path: Path) -> None:
    write(tmp_path / "data" / "data_full.json", json.dumps({"train": [["set an alarm", "alarm"]]}))
    write(tmp_path / "banking_data" / "train.csv", 'text,category\n"where, is my card",lost\n')
    write(tmp_path / "train.tsv", "who is that ?\t0.4\n")
    task = [{"instruction": "Sort this.", "input": "3 1", "response": "1 3"}]
    write(tmp_path / "Codegen" / "codegen-instruct.json", json.dumps(task))
    role = tmp_path / "Roleplay" / "roleplay-simple-deduped-roleplay-instruct.json"
    write(role, json.dumps([{"instruction": "Be a pirate.", "input": "", "response": "Arr"}]))
    templates = tmp_path / "data" / "finetuning" / "t0_train_50k" / "data_per_template"
    lines(templates / "a.jsonl", [{"prompt": f"Is it {i}?", "completion": "no"} for i in range(61)])
    told = {
        make.__name__: list(make(tmp_path))
        for make in (clinc150, banking77, query_wellformedness, gpteacher, t0)
    }
    assert [row["text"] for name in told if name != "t0" for row in told[name]] == [
        "set an alarm",
        "where, is my card",
        "who is that ?",
        "Sort this.\n3 1",
        "Be a pirate.",
    ]
    assert len(told["t0"]) == 60
    assert all(row["category"] is None for rows in told.values() for row in rows)
