"""The classifier that is shipped, and what becomes of a broken one."""

import math
import time
from pathlib import Path

import pytest

from support.policies import active, document
from turnout.api.openai import parse_chat
from turnout.chat import Caller
from turnout.classifier import Classifier
from turnout.decision import decide
from turnout.errors import ClassifierError
from turnout.sensing import Sensor

LAYER = Path(__file__).parents[2] / "layers" / "classifier"

PLAIN_PROMPTS = [
    ("coding", "Write a Python function that merges two sorted lists."),
    ("coding", "写一个 Python 函数来反转字符串"),
    ("math", "Solve for x: 3x + 7 = 22"),
    ("creative_writing", "Write a short story about a dragon who is afraid of fire."),
    ("copywriting", "Write an Instagram caption for our new coffee shop."),
    ("business_writing", "Write a formal email to my landlord about the broken heating."),
    ("editing", "Proofread this and correct the grammar: me and him goes to school every days"),
    (
        "summarization",
        "Summarize the following article in three bullet points:\n\nThe city council ...",
    ),
    ("translation", "Translate into German: I would like a cup of tea."),
    ("question_answering", "Who was the first person to walk on the moon?"),
    ("planning", "Plan a weekend in Rome for a family with two kids."),
    ("conversation", "hi, how are you today?"),
]


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(LAYER)


def test_the_model_layer_is_small() -> None:
    assert sum(path.stat().st_size for path in LAYER.iterdir()) <= 10_000_000


@pytest.mark.parametrize(("category", "prompt"), PLAIN_PROMPTS)
def test_a_plain_prompt_of_each_kind_is_told(
    classifier: Classifier, category: str, prompt: str
) -> None:
    assert classifier.classify(prompt).category == category


def test_probabilities_sum_to_one_and_the_likeliest_is_the_category(classifier: Classifier) -> None:
    told = classifier.classify("Write a poem about the sea.")
    assert math.isclose(sum(told.categories.values()), 1, abs_tol=1e-5)
    assert told.categories[told.category] == told.confidence == max(told.categories.values())
    assert tuple(told.categories) == classifier.labels
    assert 0 <= told.difficulty <= 1


def test_the_same_text_is_always_told_the_same(classifier: Classifier) -> None:
    assert classifier.classify("2 + 2") == classifier.classify("2 + 2")


@pytest.mark.parametrize(
    "text",
    ["", " ", "\x00", "\ud800", "🙂", "a" * 1_000_000, "\n" * 5000, "中" * 100_000, "﷽" * 3000],
    ids=repr,
)
def test_no_text_is_too_strange(classifier: Classifier, text: str) -> None:
    assert classifier.classify(text[:1_000_000]).category in classifier.labels


@pytest.mark.parametrize(
    ("turn", "before", "category"),
    [
        ("continue", "User: Write a fairy tale about a dragon who bakes.", "creative_writing"),
        ("and the second one?", "User: Fix this Python function: def f(x): retrun x", "coding"),
    ],
)
def test_a_short_turn_is_read_in_the_light_of_those_before(
    classifier: Classifier, turn: str, before: str, category: str
) -> None:
    assert classifier.classify(turn).category != category
    assert classifier.classify(turn, before).category == category


def test_a_turn_that_says_what_it_wants_is_not_taken_for_those_before(
    classifier: Classifier,
) -> None:
    turn = (
        "Explain photosynthesis to my ten year old daughter in simple words, "
        "with an example from the garden that she will like."
    )
    before = "User: Write a Python function that sorts a list.\nAssistant: def sort_list(xs): ..."
    told = classifier.classify(turn, before)
    assert told == classifier.classify(turn)
    assert told.category == "education"


def test_a_long_text_costs_no_more_than_the_longest_that_is_read(classifier: Classifier) -> None:
    def cost(text: str) -> float:
        classifier.classify(text)
        started = time.process_time()
        for _ in range(20):
            classifier.classify(text)
        return time.process_time() - started

    words = "several different words in an ordinary sentence "
    assert cost(words * 20_000) < 3 * cost(words * 90)


def test_an_instruction_at_the_end_of_a_long_text_is_read(classifier: Classifier) -> None:
    article = "The river rose again on Tuesday, and the old bridge was closed to traffic. " * 400
    without = classifier.classify(article)
    instructed = classifier.classify(f"{article}\n\nSummarize the text above.")
    assert instructed.categories["summarization"] > 2 * without.categories["summarization"]


def test_a_missing_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match="cannot load the classifier"):
        Classifier.load(tmp_path)


@pytest.mark.parametrize("broken", ["model.onnx", "tokenizer.json"])
def test_a_corrupt_file_is_told(tmp_path: Path, broken: str) -> None:
    for path in LAYER.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / broken).write_bytes(b"not what it says")
    with pytest.raises(ClassifierError, match="cannot load the classifier"):
        Classifier.load(tmp_path)


def test_a_classifier_that_fails_gives_the_default_route_and_a_warning() -> None:
    class Failing:
        version = "1"
        labels = ("coding",)

        def classify(self, text: str, context: str = "") -> None:
            raise ClassifierError("out of order")

    warnings = []
    sensor = Sensor(Failing(), lambda *warning: warnings.append(warning))  # type: ignore[arg-type]
    request = parse_chat({"model": "auto", "messages": [{"role": "user", "content": "x"}]})
    signals, classifier = sensor.sense(request, Caller("t", "k"), ("mock",))
    assert warnings == [("classifier_failed", "out of order")]
    assert (signals.category, signals.confidence) == ("unknown", 0.0)
    assert classifier.version == "unavailable"
    decision = decide(active(document()), signals, 0)
    assert decision.chosen is not None
    assert decision.chosen.rule == "default"
