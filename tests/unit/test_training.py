"""Training's pure parts. Fitting itself needs PyTorch, and is tested where that is installed."""

import gzip
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from turnout_training.altered import altered
from turnout_training.data import CATEGORIES, Row, digest, in_conversation, read_rows
from turnout_training.evaluation import report, routing_report
from turnout_training.routellm import curve
from turnout_training.scores import score

from turnout.classifier import Classifier

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "layers" / "classifier"
SEED = ROOT / "training" / "seed"


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_rows_are_read_from_files_folders_and_gzip(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", {"text": "x", "category": "coding", "context": "System: y"})
    with gzip.open(tmp_path / "b.jsonl.gz", "wt") as packed:
        packed.write(
            json.dumps({"text": "z", "weak_correct": False, "strong_correct": True}) + "\n"
        )
    first, second = read_rows([tmp_path])
    assert (first.category, first.context, first.difficulty) == ("coding", "System: y", None)
    assert (second.category, second.difficulty, second.outcome) == (None, 1.0, (0.0, 1.0))


@pytest.mark.parametrize("line", ["", "{", "[]", "{}", '{"text": "x"}'])
def test_a_bad_row_is_told_with_its_file_and_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"text": "x", "category": "coding"}}\n{line}\n')
    with pytest.raises(ValueError, match=r"a\.jsonl:2: not a labelled prompt"):
        read_rows([path])


def test_a_row_may_accept_other_categories_and_may_have_none(tmp_path: Path) -> None:
    told = {"text": "x", "category": "planning", "also": ["education"]}
    path = write(tmp_path / "a.jsonl", told, {"text": "y", "category": None})
    first, second = read_rows([path])
    assert first.also == ("education",)
    assert (second.category, second.difficulty, second.also) == (None, None, ())


def test_a_second_opinion_stands_beside_the_rows_own_and_names_no_text(tmp_path: Path) -> None:
    def opinion(text: str, *categories: str) -> dict[str, object]:
        return {"of": hashlib.sha256(text.encode()).hexdigest()[:16], "categories": categories}

    path = write(
        tmp_path / "a.jsonl",
        {"text": "x", "category": "planning"},
        {"text": "y", "category": None},
        {"text": "z", "category": "coding"},
        opinion("x", "education", "planning"),
        opinion("y", "math", "reasoning"),
        opinion("a text that is not there", "math"),
    )
    rows = read_rows([path])
    assert [(row.category, row.also) for row in rows] == [
        ("planning", ("education",)),
        ("math", ("reasoning",)),
        ("coding", ()),
    ]


def test_the_second_opinions_name_known_categories() -> None:
    lines = (ROOT / "training" / "opinions" / "second.jsonl").read_text().splitlines()
    opinions = [json.loads(line) for line in lines]
    assert len({opinion["of"] for opinion in opinions}) == len(opinions) > 4000
    assert all(set(opinion["categories"]) <= set(CATEGORIES) for opinion in opinions)
    assert all(opinion["categories"] for opinion in opinions)


@given(st.lists(st.text(), max_size=5), st.integers(0, 5))
def test_altered_prompts_have_no_label_and_are_the_same_for_a_seed(
    texts: list[str], seed: int
) -> None:
    rows = [Row(text, "coding", 0.3, "seed", "train") for text in texts]
    made = altered(rows, seed)
    assert made == altered(rows, seed)
    assert all(row.text.strip() and row.category is None and not row.by_people for row in made)
    assert len({row.text for row in made}) == len(made)


def test_altered_prompts_are_made_of_words_and_of_letters_where_there_are_no_spaces() -> None:
    rows = [
        Row("write one small test", "coding", None, "seed", "train"),
        Row("写一个小测试", "coding", None, "seed", "train"),
    ]
    words = {"write", "one", "small", "test", *"写一个小测试"}
    made = altered(rows, 0)
    assert len(made) > 10
    for row in made:
        parts = re.sub(r"([\u4e00-\u9fff])", r" \1 ", row.text).replace(".", " ").split()
        assert set(parts) <= words


def test_large_sources_of_one_format_weigh_less_than_people() -> None:
    rows = read_rows([SEED])
    assert {row.weight for row in rows if row.split == "train"} == {3.0}
    assert {row.source for row in rows if row.split != "train"} == {"seed-held-out"}
    assert digest(rows) == digest(rows[::-1])


def test_the_seed_corpus_is_sound() -> None:
    rows = read_rows([SEED])
    assert {row.category for row in rows} <= set(CATEGORIES)
    assert all(row.text.strip() for row in rows)
    assert all(row.difficulty is not None and 0 <= row.difficulty <= 1 for row in rows)
    texts = [(row.text, row.context) for row in rows]
    assert len(set(texts)) == len(texts)


def test_a_row_in_conversation_comes_after_another_kind_of_work() -> None:
    rows = read_rows([SEED])
    kinds = {row.text: row.category for row in rows}
    talked = in_conversation(rows, seed=0)
    assert len(talked) > len(rows) / 2
    for row in talked:
        assert kinds[row.context.removeprefix("User: ")] != row.category
    assert talked == in_conversation(rows, seed=0)


def test_scores_of_a_perfect_and_of_a_wrong_classifier() -> None:
    truth = np.array([0, 1, 1, 0])
    perfect = np.eye(2, dtype=np.float32)[truth]
    right, wrong = score(perfect, truth, ("a", "b")), score(1 - perfect, truth, ("a", "b"))
    assert (right.accuracy, right.macro_f1, right.calibration_error) == (1, 1, 0)
    assert (wrong.accuracy, wrong.macro_f1, wrong.calibration_error) == (0, 0, 1)


def test_a_label_without_rows_does_not_count() -> None:
    truth = np.array([0, 0])
    assert score(np.eye(3, dtype=np.float32)[truth], truth, ("a", "b", "c")).f1 == {"a": 1.0}


def test_an_oracle_recovers_the_gap_with_the_fewest_strong_calls() -> None:
    weak = np.array([1.0, 0, 0, 1, 0] * 20)
    strong = np.array([1.0, 1, 0, 1, 1] * 20)
    oracle = curve(strong - weak, weak, strong)
    assert oracle.cpt(0.5) == 0.2
    assert oracle.cpt(1.0) == 0.4
    assert oracle.apgr == pytest.approx(0.8, abs=0.01)
    reverse = curve(weak - strong, weak, strong)
    assert reverse.apgr == pytest.approx(0.2, abs=0.01)


@given(st.integers(0, 2**32 - 1))
def test_a_random_router_recovers_half_of_the_gap(seed: int) -> None:
    random = np.random.default_rng(seed)
    weak = random.random(4000)
    strong = np.clip(weak + random.normal(0.2, 0.3, 4000), 0, 1)
    assert curve(random.random(4000), weak, strong).apgr == pytest.approx(0.5, abs=0.06)


def test_a_strong_model_that_is_no_better_has_no_curve() -> None:
    right = np.array([1.0, 0.0])
    with pytest.raises(ValueError, match="not better"):
        curve(np.array([0.1, 0.2]), right, right)


def test_an_evaluation_tells_scores_and_latency_and_draws(tmp_path: Path) -> None:
    path = write(
        tmp_path / "rows.jsonl",
        {"text": "Write a Python function that adds.", "category": "coding"},
        {"text": "Translate into French: good morning", "category": "translation"},
    )
    lines, pictures = report(Classifier.load(LAYER), LAYER, read_rows([path]))
    assert lines[1].startswith("2 rows: accuracy 1.000, macro-F1 1.000")
    assert "one thread: about 64 tokens" in lines[-1]
    assert all(picture.startswith("<svg ") for picture in pictures.values())


def test_an_evaluation_counts_any_acceptable_category_right(tmp_path: Path) -> None:
    path = write(
        tmp_path / "rows.jsonl",
        {"text": "Write a Python function that adds.", "category": "math", "also": ["coding"]},
        {"text": "Translate into French: good morning", "category": "translation"},
    )
    lines, _ = report(Classifier.load(LAYER), LAYER, read_rows([path]))
    assert lines[1].startswith("2 rows: accuracy 0.500")
    at = lines.index("any acceptable category counted right:")
    assert lines[at + 1].startswith("2 rows: accuracy 1.000, macro-F1 1.000")


def test_an_evaluation_on_an_unknown_category_is_refused(tmp_path: Path) -> None:
    rows = read_rows([write(tmp_path / "rows.jsonl", {"text": "x", "category": "cooking"})])
    with pytest.raises(ValueError, match="does not know cooking"):
        report(Classifier.load(LAYER), LAYER, rows)


def test_a_routing_evaluation_tells_each_benchmark(tmp_path: Path) -> None:
    def row(text: str, source: str, *, weak: bool) -> dict[str, object]:
        return {"text": text, "source": source, "weak_correct": weak, "strong_correct": True}

    path = write(
        tmp_path / "rows.jsonl",
        *(row(f"question {i}", f"one:{i % 3}", weak=i % 2 == 0) for i in range(20)),
        *(row(f"question {i}", "two", weak=i % 4 == 0) for i in range(20)),
    )
    lines, pictures = routing_report(Classifier.load(LAYER), read_rows([path]))
    assert [line.partition(":")[0] for line in lines] == ["one", "two"]
    assert "APGR" in lines[0]
    assert "cost-quality" in pictures


def test_a_small_model_is_trained_exported_and_loaded_and_is_the_same_for_a_seed(
    tmp_path: Path,
) -> None:
    pytest.importorskip("torch", reason="PyTorch is installed for training alone")
    pytest.importorskip("onnx", reason="onnx is installed for training alone")
    from turnout_training.training import Recipe, train

    kinds = {"cooking": "bake boil fry simmer", "gardening": "plant water prune weed"}
    rows = [
        {
            "text": f"{word} number {i}",
            "category": kind,
            "split": "valid" if i % 5 == 0 else "train",
        }
        for kind, words in kinds.items()
        for word in words.split()
        for i in range(20)
    ]
    data = write(tmp_path / "rows.jsonl", *rows)
    for name in ("one", "two"):
        scores = train([data], tmp_path / name, Recipe(epochs=4))
        assert scores["validation"].accuracy == 1
    first, second = (Classifier.load(tmp_path / name) for name in ("one", "two"))
    assert first.labels == ("cooking", "gardening")
    assert first.classify("prune number 99").category == "gardening"
    assert first.classify("prune number 99") == second.classify("prune number 99")


def test_a_model_is_taught_by_teachers_and_nothing_of_them_is_left(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is installed for training alone")
    pytest.importorskip("onnx", reason="onnx is installed for training alone")
    from turnout_training.training import Recipe, train

    rows = [
        {"text": f"{word} number {i}", "category": kind}
        for kind, word in (("cooking", "bake"), ("gardening", "prune"))
        for i in range(12)
    ]
    data = write(tmp_path / "rows.jsonl", *rows, {"text": "boil", "category": None})
    made: list[str] = []
    recipe = Recipe(epochs=1, teachers=2, teacher_layers=1)
    train([data], tmp_path / "layer", recipe, lambda what, done, through: made.append(what))
    assert list(dict.fromkeys(made))[:2] == ["teacher 1 of 2", "teacher 2 of 2"]
    assert Classifier.load(tmp_path / "layer").labels == ("cooking", "gardening")
    assert {path.name for path in (tmp_path / "layer").iterdir()} == {
        "model.onnx",
        "tokenizer.json",
    }
