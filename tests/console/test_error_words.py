"""What is said of an error to who sits before the page."""

from typing import Annotated, Any

import msgspec
import pytest

from callctl.console.error_words import details, place_in_words, sentence
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope
from callctl.features.people.users import require_givable
from callctl.http.decode import field_error
from callctl.http.endpoint import Actor


class Form(msgspec.Struct):
    login: Annotated[str, msgspec.Meta(pattern="^[a-z]+$")] = "ada"
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=4)] = "Ada"
    scopes: Annotated[list[str], msgspec.Meta(min_length=1)] = msgspec.field(default_factory=list)
    ring_seconds: Annotated[int, msgspec.Meta(ge=1, le=600)] = 20


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"login": "A b"}, "Login: has a sign that cannot be there."),
        ({"name": ""}, "Name: is missing."),
        ({"name": "Adele"}, "Name: is too long: 4 at most."),
        ({"scopes": []}, "Scopes: choose at least one."),
        ({"ring_seconds": 0}, "Rings (s): is 1 or more."),
        ({"ring_seconds": 601}, "Rings (s): is 600 or less."),
        ({"ring_seconds": "ten"}, "Rings (s): is a whole number."),
    ],
)
def test_what_the_decoder_says_is_said_in_words(given: dict[str, Any], said: str) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert(given, Form)
    assert sentence(field_error(refused.value, "body")) == said


def routing_error(*mistakes: tuple[str, str]) -> CallctlError:
    detail = [{"path": path, "message": message} for path, message in mistakes]
    return CallctlError("invalid_routing", ": ".join(mistakes[0]), detail=detail)


def test_one_mistake_in_the_routing_is_told_once_and_without_its_path() -> None:
    error = routing_error(("extensions[9].number", "101 is there already, as extensions[1]"))
    assert sentence(error) == "Extension 10, number: 101 is there already, as extension 2."
    assert list(details(error)) == []


def test_several_mistakes_are_told_one_by_one() -> None:
    error = routing_error(("hunt_groups[0].then[0]", "wrong"), ("dids[1].to", "wrong, too"))
    assert sentence(error) == "There are several mistakes."
    assert list(details(error)) == [
        "hunt group 1, when nobody answers: wrong",
        "number 2, goes to: wrong, too",
    ]


def test_a_missing_right_is_said_without_its_scope() -> None:
    error = CallctlError("forbidden", "this needs the scope x:y", detail={"scope": "x:y"})
    assert "x:y" not in sentence(error)


def test_rights_that_one_cannot_give_are_named_by_what_they_are_for() -> None:
    actor = Actor(1, "lea", frozenset())
    with pytest.raises(CallctlError) as refused:
        require_givable(actor, frozenset({Scope.RECORDINGS_READ, Scope.REPORTS_READ}))
    assert "you lack yourself" in sentence(refused.value)
    assert list(details(refused.value)) == [
        "Listen to recordings and download them.", "Read reports and the dashboard.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", ""),
        ("body", ""),
        ("body.until", "To day"),
        ("form.first_day", "first day"),
        ("query.since", "From day"),
        ("body.administrator.name", "administrator, name"),
    ],
)
def test_a_place_has_the_name_that_the_page_gives_it(path: str, said: str) -> None:
    assert place_in_words(path) == said


def test_of_a_page_of_digits_that_somebody_wrote_no_number_is_made() -> None:
    """Python refuses to, and then there would be no page that says what is wrong."""
    hostile = f"extensions[{'9' * 5000}]"
    assert hostile in sentence(CallctlError("not_found", f"there is no hunt group {hostile}"))
    assert place_in_words(f"body.{hostile}")
