"""Rights: a role, plus what is granted, less what is withdrawn, as far as the account reaches."""

import ast
from collections import Counter
from pathlib import Path

import pytest

import callctl
from callctl.core.permissions import (
    ALL_SCOPES,
    ROLE_SCOPES,
    SCOPE_MEANINGS,
    SEES_ALL_CALLS,
    WHOLE_ACCOUNT_SCOPES,
    Role,
    Scope,
    extensions_of,
    grantable_scopes,
    rights_of,
    scopes_of_account,
)


def test_a_role_alone_has_its_scopes() -> None:
    for role in Role:
        assert rights_of(role, (), (), "operator") == ROLE_SCOPES[role]


def test_granted_adds_withdrawn_takes_away_and_wins() -> None:
    held = rights_of(Role.MANAGER, ["audit:read"], ["calls:place"], "operator")
    assert held == ROLE_SCOPES[Role.MANAGER] - {"calls:place"} | {"audit:read"}
    assert "audit:read" not in rights_of(Role.MANAGER, ["audit:read"], ["audit:read"], "operator")


def test_who_sees_a_part_of_the_calls_has_no_right_over_the_whole_account() -> None:
    for role in Role:
        may_have = rights_of(role, ALL_SCOPES, (), "operator")
        assert bool(may_have & WHOLE_ACCOUNT_SCOPES) == (role in SEES_ALL_CALLS)
        assert grantable_scopes(role) >= ROLE_SCOPES[role]


@pytest.mark.parametrize("kind", ["reseller", "enterprise"])
def test_only_the_operator_sees_the_machine(kind: str) -> None:
    assert Scope.SYSTEM_READ in rights_of(Role.ADMINISTRATOR, (), (), "operator")
    assert Scope.SYSTEM_READ not in rights_of(Role.ADMINISTRATOR, (), (), kind)


def test_what_is_not_declared_gives_nothing() -> None:
    assert rights_of("emperor", ALL_SCOPES, (), "operator") == frozenset()
    assert scopes_of_account("planet") == frozenset()
    assert rights_of(Role.MANAGER, ["root"], (), "operator") == ROLE_SCOPES[Role.MANAGER]
    assert extensions_of("emperor", None, ["1"]) == ()


@pytest.mark.parametrize(
    ("role", "own", "group", "seen"),
    [
        (Role.ADMINISTRATOR, "1", ["2"], None),
        (Role.HEAD, None, [], None),
        (Role.GROUP_LEADER, "1", ["3", "2"], ("1", "2", "3")),
        (Role.GROUP_LEADER, None, [], ()),
        (Role.MANAGER, "1", ["2"], ("1",)),
        (Role.MANAGER, None, ["2"], ()),
    ],
)
def test_whose_calls_a_role_sees(
    role: Role, own: str | None, group: list[str], seen: tuple[str, ...] | None
) -> None:
    assert extensions_of(role, own, group) == seen


def test_every_scope_has_one_meaning() -> None:
    assert set(SCOPE_MEANINGS) == set(Scope)


def test_no_table_in_the_code_has_a_key_twice() -> None:
    """The first would be lost silently, as a scope's meaning once was."""
    twice = [
        f"{path.name}:{node.lineno}: {key}"
        for path in Path(callctl.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Dict)
        for key, count in Counter(ast.unparse(k) for k in node.keys if k is not None).items()
        if count > 1
    ]
    assert twice == []
