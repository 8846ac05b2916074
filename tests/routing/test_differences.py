"""What differs is told in words, and no secret with it."""

from hypothesis import example, given
from hypothesis import strategies as st

from routing.differences import HIDDEN, Difference, differences
from routing.model import Credential, Diversion, Line, OrderScope, Target

RULE = Diversion(id="R1", order="A1", scope=OrderScope(), targets=(Target(number="+496990009000"),))


def test_fields_are_named_by_their_place() -> None:
    other = RULE.model_copy(
        update={
            "armed": True,
            "note": "x",
            "targets": (Target(number="+496990009001"), Target(number="+496990009000", ring_s=20)),
        }
    )
    assert [str(one) for one in differences(RULE, other)] == [
        "armed: no → yes",
        "targets[0].number: +496990009000 → +496990009001",
        "targets[1]: nothing → number +496990009000, keep_extension no, ring_s 20",
        "note: empty → x",
    ]


def test_what_is_absent_differs_as_a_whole() -> None:
    assert [str(one) for one in differences(None, RULE)] == ["absent → present"]
    assert [str(one) for one in differences(RULE, None)] == ["present → absent"]
    assert differences(None, None) == []


def test_secrets_differ_without_being_shown() -> None:
    def line(ha1: str) -> Line:
        credential = Credential(username="u", algorithm="MD5", ha1=ha1)
        return Line(id="L1", order="A1", kind="registered", credentials=(credential,))

    assert differences(line("0" * 32), line("1" * 32)) == [Difference("credentials[0].ha1", HIDDEN, HIDDEN)]
    assert "0" * 32 not in str(differences(line("0" * 32), None))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
STATES = st.dictionaries(st.sampled_from("abcd"), JSON, max_size=4)


@given(STATES, STATES)
@example({"b": []}, {"b": [None]})
@example({"a": [{"b": None}, None]}, {"a": [{}]})
@example({"a": [None, 1]}, {"a": [1]})
def test_there_is_a_difference_when_they_differ(one: dict[str, object], other: dict[str, object]) -> None:
    # A field that is null and one that is absent are alike to a reader, and so is a null at the end of a list; no entity has one.
    def plain(value: object) -> object:
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items() if v is not None}
        if isinstance(value, list):
            last = max((n for n, v in enumerate(value, 1) if v is not None), default=0)
            return [plain(v) for v in value[:last]]
        return value

    found = differences(one, other)
    assert bool(found) or plain(one) == plain(other)
    assert differences(one, one) == []
    assert [(d.path, d.after, d.before) for d in differences(other, one)] == [
        (d.path, d.before, d.after) for d in found
    ] or sorted(d.path for d in differences(other, one)) == sorted(d.path for d in found)
