"""Where a request stands in a conversation, and conversations put back together."""

from hypothesis import given, settings
from hypothesis import strategies as st

from support.records import record
from turnout.chat import Caller, ChatRequest, Role, Turn
from turnout.conversation import Conversation, place
from turnout.record import DecisionRecord, from_wire, to_wire
from turnout.session import put_together

ALICE = Caller("acme", "alice")


def asked(
    *said: tuple[Role, str], caller: Caller = ALICE, session: str | None = None
) -> Conversation:
    turns = tuple(Turn(role, text) for role, text in said)
    return place(ChatRequest("auto", turns, {}, session=session), caller)


def kept(at: float, conversation: Conversation | None, key: str = "k1") -> DecisionRecord:
    return record(at, conversation=conversation, sensed={"key": key})


FIRST = (("system", "be brief"), ("user", "hi"))
SECOND = (*FIRST, ("assistant", "hello"), ("user", "more"))


def test_a_request_follows_the_one_whose_reply_it_carries() -> None:
    assert asked(*FIRST).follows is None
    assert asked(*SECOND).follows == asked(*FIRST).digest
    tools = (*SECOND, ("assistant", ""), ("assistant", "calling"), ("tool", "42"))
    assert asked(*tools).follows == asked(*SECOND).digest


def test_the_same_words_of_another_key_or_tenant_have_another_digest() -> None:
    owners = [Caller("acme", "alice"), Caller("acme", "bob"), Caller("acm", "ealice")]
    assert len({asked(*FIRST, caller=owner).digest for owner in owners}) == 3


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text()), min_size=2))
def test_how_words_are_divided_into_turns_counts(said: list[tuple[Role, str]]) -> None:
    joined = (said[0][0], said[0][1] + said[1][1])
    assert asked(*said).digest != asked(joined, *said[2:]).digest


def test_a_conversation_is_put_together_from_any_of_its_requests() -> None:
    third = (*SECOND, ("assistant", "there"), ("user", "end"))
    records = [kept(at, asked(*said)) for at, said in ((1, FIRST), (2, SECOND), (3, third))]
    other = kept(2.5, asked(("user", "else")))
    for one in records:
        assert put_together([other, *reversed(records)], one.id) == tuple(records)
    assert put_together([other, *records], other.id) == (other,)


def test_two_conversations_that_begin_alike_part_at_the_later_one() -> None:
    earlier, later, carried = (
        kept(1, asked(*FIRST)),
        kept(2, asked(*FIRST)),
        kept(3, asked(*SECOND)),
    )
    assert put_together([earlier, later, carried], carried.id) == (later, carried)
    assert put_together([earlier, later, carried], earlier.id) == (earlier,)


def test_a_caller_s_own_session_id_is_stronger_than_what_was_said() -> None:
    one = kept(1, asked(*FIRST, session="s"))
    two = kept(2, asked(("user", "unrelated"), session="s"))
    elsewhere = kept(3, asked(*SECOND, session="t"))
    assert put_together([one, two, elsewhere], "s") == (one, two)
    assert put_together([one, two, elsewhere], two.id) == (one, two)


def test_a_trace_holds_together_what_does_not_follow_one_another() -> None:
    one = kept(1, Conversation(None, "a", trace="t1"))
    two = kept(2, Conversation(None, "b", trace="t1"))
    carried = kept(3, Conversation(None, "c", follows="b", trace="t2"))
    assert put_together([one, two, carried], "t1") == (one, two, carried)


def test_another_key_s_conversation_is_another_session() -> None:
    mine, theirs = kept(1, asked(*FIRST)), kept(2, asked(*SECOND), key="k2")
    assert put_together([mine, theirs], mine.id) == (mine,)


def test_a_record_from_before_conversations_is_read_and_stands_alone() -> None:
    wire = to_wire(kept(1, None))
    del wire["conversation"]
    old = from_wire(wire)
    assert put_together([old], old.id) == (old,)
    assert put_together([old], "no such session") == ()
