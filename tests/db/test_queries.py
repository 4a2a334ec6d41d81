"""Every SQL statement of the package, prepared on the real database it is for."""

import importlib
import pkgutil
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import product

import msgspec
import pytest

import callctl.db
import callctl.features
from callctl.db.embedded import EmbeddedPostgres
from callctl.db.pool import Database
from callctl.features.calls import queries
from callctl.features.calls.listing import CONDITIONS, ROWS_OF_PAGE, SORTS, Source, page_query
from callctl.features.calls.model import AttemptView, CallSummary, LegView, RecordingView
from tests.conftest import fresh_database

_VERBS = ("select", "insert", "update", "delete", "with")


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)


def statements() -> Iterator[tuple[str, str]]:
    """(where, SQL) of every constant that is a whole statement."""
    for package in (callctl.features, callctl.db):
        for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            module = importlib.import_module(info.name)
            for name, value in vars(module).items():
                for number, text in enumerate(_strings(value)):
                    words = text.split()
                    if words and words[0] in _VERBS and len(words) > 3:
                        yield f"{info.name}.{name}[{number}]", text


ALL = dict(statements())


def page_queries() -> Iterator[str]:
    """Those that find a page of calls: for each order and source every condition alone, none, and
    all at once."""
    needed = {Source.NUMBER: {"numbers"}, Source.EXTENSION: {"own"}}
    for sort, source in product(SORTS, Source):
        names = [set(), {"cursor"}, {*CONDITIONS, "cursor"}, *({name} for name in CONDITIONS)]
        for given in names:
            yield page_query(sort, source, frozenset(given | needed.get(source, set()))).sql


@pytest.fixture(scope="module")
async def common_db(postgres: EmbeddedPostgres, template_database: str) -> AsyncIterator[Database]:
    """One for all of them: nothing is written."""
    async with fresh_database(postgres, template_database) as url:
        database = await Database.connect(url)
        yield database
        await database.close()


@pytest.mark.parametrize("place", sorted(ALL))
async def test_statement_can_be_prepared(common_db: Database, place: str) -> None:
    async with common_db.connection() as connection:
        await connection.prepare(ALL[place])


@pytest.mark.parametrize("sql", sorted(set(page_queries())))
async def test_every_page_of_calls_can_be_found(common_db: Database, sql: str) -> None:
    async with common_db.connection() as connection:
        columns = [a.name for a in (await connection.prepare(sql)).get_attributes()]
    assert columns == ["id", "at"]


def test_the_statements_are_found() -> None:
    assert len(ALL) > 40


@pytest.mark.parametrize(
    ("sql", "shape"),
    [
        (ROWS_OF_PAGE, CallSummary),
        (queries.ATTEMPTS, AttemptView),
        (queries.LEGS, LegView),
        (queries.RECORDINGS, RecordingView),
    ],
)
async def test_columns_are_the_fields_of_what_is_read(
    common_db: Database, sql: str, shape: type[msgspec.Struct]
) -> None:
    async with common_db.connection() as connection:
        columns = {a.name for a in (await connection.prepare(sql)).get_attributes()}
    assert columns == {f.name for f in msgspec.structs.fields(shape)}
