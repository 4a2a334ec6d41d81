"""Finding clients: any part, any writing, page by page, and by an index."""

import base64
import json
from typing import Any

import pytest

from callctl.core.scope import CallScope
from callctl.db.pool import WRITE_MODE, Database
from callctl.features.clients import store
from callctl.features.clients.keys import question_grams, question_words, search_text, sort_key
from callctl.features.clients.model import ClientFilters
from callctl.features.clients.service import ClientService

from .conftest import Office


def words_find(question: str, text: str) -> bool:
    """Whether `text` would be found, by the rule that the database has."""
    found = f" {search_text(text, '', [], 'HU')} "
    return all((w in found if len(w) > 2 else f" {w}" in found) for w in question_words(question))


@pytest.mark.parametrize(
    ("text", "questions"),
    [
        ("王小明", ("王小明", "小明", "明", "王", "wangxiaoming", "wang xiaoming", "WXM", "xiaom")),
        ("单小明", ("shanxiaoming", "danxiaoming")),
        ("重庆银行", ("chongqing", "cqyh", "银行")),
        ("王先生 Wang & Co.", ("wang", "co", "王先")),
        ("김철수", ("김철수", "철수", "gimcheolsu", "cheol")),
        ("Nguyễn Văn Đức", ("nguyen", "Nguyễn", "duc van", "đức")),
        ("Őszi Árvíztűrő Kft.", ("oszi", "öszi", "ŐSZI", "arvizturo", "rviz", "ár", "kft")),
        ("Müller-Lüdenscheidt", ("muller", "mueller"[:2], "ludensch", "Müller-Lü")),
        ("Иванов", ("иванов", "ivanov", "нов")),
        ("ＡＢＣ株式会社", ("abc", "株式", "会社")),
    ],
)
def test_a_name_is_found_in_any_writing(text: str, questions: tuple[str, ...]) -> None:
    for question in questions:
        assert words_find(question, text), question


@pytest.mark.parametrize(
    ("text", "question"), [("王小明", "汪"), ("王小明", "ang"[::-1]), ("Kovács", "ko bela")]
)
def test_what_is_not_there_is_not_found(text: str, question: str) -> None:
    assert not words_find(question, text)


def test_a_number_is_found_as_it_is_dialled_at_home_and_from_abroad() -> None:
    words = search_text("", "", ["+36201234567"], "HU").split()
    for question in ("+36 20 123-4567", "06 20 123 4567", "(06-20) 123", "20/123", "4567"):
        (word,) = question_words(question)
        assert any(word in w for w in words), question


def test_lists_are_in_the_order_of_letters_whatever_the_writing() -> None:
    names = ["Zoltán", "Ödön", "王小明", "Péter", "Éva", "安娜"]
    assert sorted(names, key=sort_key) == ["安娜", "Éva", "Ödön", "Péter", "王小明", "Zoltán"]


@pytest.mark.parametrize(
    "text", ["", "!!!", "\u0301\u200d", "☎", "\ud7ff\ufffd", "𠮷" * 300, "a" * 9999]
)
def test_any_text_makes_keys(text: str) -> None:
    words = search_text(text, text, [], "HU")
    assert "  " not in words
    assert len(words) < 5000
    assert len(sort_key(text)) <= 200
    question_grams(question_words(text))


async def test_the_database_finds_what_the_keys_say(office: Office) -> None:
    await office.add("王小明", "+36201234567", address="北京市朝阳区 5.")
    await office.add("Őszi Béla", "+3612345678", address="Árnyas út 3., Győr")
    await office.add("Nguyễn Văn Đức")
    await office.add("김철수", "+36301111111")
    for question, names in (
        ("xiaoming", ["王小明"]),
        ("wxm", ["王小明"]),
        ("明", ["王小明"]),
        ("朝阳", ["王小明"]),
        ("beijing 王", ["王小明"]),
        ("oszi gyor", ["Őszi Béla"]),
        ("béla", ["Őszi Béla"]),
        ("ős", ["Őszi Béla"]),
        ("nguyen", ["Nguyễn Văn Đức"]),
        ("철수", ["김철수"]),
        ("06 1 234", ["Őszi Béla"]),
        ("1111", ["김철수"]),
        ("oszi 1111", []),
        ("%", None),
    ):
        status, page = await office.ask("GET", "/clients", params={"q": question})
        found = [c["name"] for c in page["items"]] if status == 200 else None
        assert found == names, question


async def test_filters_find_what_they_say(office: Office) -> None:
    owner = await office.db.fetchval("select id from users")
    ann = await office.add("Ann", type="VIP", owner_id=owner)
    await office.add("Ben", type="problem")
    await office.add("Acme", kind="company", type="VIP")
    group = (await office.ask("POST", "/client-groups", {"name": "G"}))[1]
    await office.ask("POST", f"/client-groups/{group['id']}/members", {"clients": [ann["id"]]})
    assert await office.found(type="VIP") == ["Acme", "Ann"]
    assert await office.found(type="no such") == []
    assert await office.found(owner=owner) == ["Ann"]
    assert await office.found(group=group["id"]) == ["Ann"]
    assert await office.found(kind="person", q="an") == ["Ann"]
    assert await office.found("/companies", q="an") == []
    assert await office.found(registered="true") == []
    assert await office.found(sort="-created_at") == ["Acme", "Ben", "Ann"]


@pytest.mark.parametrize("sort", ["name", "-created_at"])
async def test_pages_neither_skip_nor_repeat(office: Office, sort: str) -> None:
    for name in ("B", "a", "b", "王", "!", "?", "Á", "B", "c"):
        await office.add(name)
    whole = await office.found(sort=sort)
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        params = {"sort": sort, "limit": "2", "cursor": cursor}
        _, page = await office.ask("GET", "/clients", params=params)
        seen += [c["name"] for c in page["items"]]
        cursor = page["next"]
    assert seen == whole
    assert len(seen) == 9


def _cursor(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


async def test_hostile_cursors_are_refused(office: Office) -> None:
    await office.add("A")
    for cursor in (
        "x",
        "!!!",
        "é",
        _cursor("name", "a"),
        _cursor("name", "a", 2**64),
        _cursor("name", "a\0b", 1),
        _cursor("name", "\ud800", 1),
        _cursor("name", None, 1),
        _cursor("name", "a" * 500, 1),
        _cursor("-created_at", None, 1),
        _cursor("id; drop table clients", "a", 1),
    ):
        status, refused = await office.ask("GET", "/clients", params={"cursor": cursor})
        assert (status, refused["error"]["field"]) == (422, "query.cursor"), cursor


# Many

_MANY = """
insert into clients (account_id, kind, name, sort_key, search)
select $1, case when i % 10 = 0 then 'company' else 'person' end, word || ' ' || i,
       word || ' ' || i, word || ' ' || i || ' 3620' || lpad((i * 7919 % 10000000)::text, 7, '0')
from generate_series(1, $2::int) i
cross join lateral (
    select translate(left(md5((i / 7)::text), 9), '0123456789', 'ghijklmnop') as word
) w
"""


async def test_a_search_among_200_000_clients_reads_its_index(db: Database) -> None:
    account_id = await db.fetchval(
        "insert into accounts (code, name, kind) values ('big', 'Big', 'reseller') returning id"
    )
    async with db.transaction() as connection:
        await connection.execute(WRITE_MODE)
        await connection.execute("drop index clients_grams, clients_by_type, clients_by_age")
        await connection.execute(_MANY, account_id, 200_000, timeout=120)
        index = "create index clients_grams on clients using gin (grams)"
        await connection.execute(index, timeout=120)
    await db.execute("analyze clients")
    name = await db.fetchval("select name from clients order by id offset 123456 limit 1")
    word, number = name.split()
    for question, index in (
        (name, "clients_grams"),
        (word[1:6], "clients_grams"),
        (f"20 {int(number) * 7919 % 10_000_000:07}", "clients_grams"),
        (None, "clients_by_name"),
    ):
        filters = ClientFilters(q=question)
        page = await ClientService(db).list_clients(CallScope(account_id), filters)
        assert name in [c.name for c in page.items] or question is None
        words = question_words(question) if question else None
        grams = question_grams(words) if words else None
        used = await _reads(db, account_id, grams, words, *[None] * 8, 51)
        assert index in used, question
        assert "clients" not in used, "the whole table was read"


async def _reads(db: Database, *args: Any) -> set[str]:
    """Indexes that the list is read from, and tables that are read as a whole."""
    plan = await db.fetchval("explain (format json) " + store.LIST_CLIENTS["name", False], *args)
    found: set[str] = set()

    def look(node: dict[str, Any]) -> None:
        if node["Node Type"] == "Seq Scan":
            found.add(node["Relation Name"])
        found.add(node.get("Index Name", ""))
        for inner in node.get("Plans", ()):
            look(inner)

    look(plan[0]["Plan"])
    return found
