"""Feedback as training rows and as a quality table that a policy can use."""

from support.policies import document
from support.records import record
from turnout.attempt import Attempt
from turnout.feedback import Feedback
from turnout.feedback_export import Rated, TrainingRow, quality_table, training_rows
from turnout.policy_check import parse_policy

POLICY = parse_policy(document())


def rated(
    score: float,
    *,
    tail: str = "0",
    prompt: str | None = "sort it",
    label: str = "",
    **changes: object,
) -> Rated:
    labels = {"category": label} if label else {}
    one = record(1.0, tail=tail, prompt=prompt, **changes)
    return Rated(one, Feedback(one.id, score, 2.0, labels=labels))


def test_a_good_reply_stands_by_its_category() -> None:
    assert list(training_rows([rated(1)])) == [TrainingRow("sort it", "coding")]


def test_a_bad_reply_tells_nothing_of_the_category_unless_the_caller_does() -> None:
    assert list(training_rows([rated(-1)])) == []
    assert list(training_rows([rated(-1, label="math")])) == [TrainingRow("sort it", "math")]
    assert list(training_rows([rated(1, label="math")])) == [TrainingRow("sort it", "math")]


def test_a_prompt_that_is_not_on_record_or_was_not_classified_gives_no_row() -> None:
    assert list(training_rows([rated(1, prompt=None)])) == []
    assert list(training_rows([rated(1, sensed={"category": "unknown"})])) == []


def test_the_table_is_by_the_policy_s_names_and_can_be_used_in_it() -> None:
    judged = [rated(score, tail=str(i)) for i, score in enumerate((1, 1, -1, 0))]
    judged.append(rated(1, tail="9", sensed={"category": "math"}))
    other = (Attempt("mock/unknown", 200, None, 1.0),)
    judged.append(rated(1, tail="8", attempts=other))
    table = quality_table(judged, POLICY, least=1)
    assert table == {"small": {"*": 0.75, "coding": 0.667, "math": 1.0}}
    objective = {"use": ["small"], "objective": {"quality": 1, "cost": 0}}
    parse_policy(document(default=objective, quality=table), categories=("coding", "math"))


def test_a_share_of_too_few_judgements_is_left_out() -> None:
    judged = [rated(1, tail=str(i)) for i in range(3)]
    judged.append(rated(1, tail="9", sensed={"category": "math"}))
    assert quality_table(judged, POLICY, least=3) == {"small": {"*": 1.0, "coding": 1.0}}
    assert quality_table(judged, POLICY, least=5) == {}
