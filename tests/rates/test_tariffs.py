"""Price lists: an import shows what it would change, and changes exactly that."""

import asyncio
import io
from datetime import UTC, datetime, timedelta

import pytest

from callctl.core.errors import CallctlError
from callctl.features.rates.model import (
    ApplyImport,
    AssignmentFilters,
    ImportOptions,
    ImportPreview,
    NewAssignment,
    NewTariff,
    PreviewFilters,
    QuoteQuery,
    RateFilters,
    TariffChange,
    TariffFilters,
)
from callctl.http.endpoint import Actor

from .conftest import World

FIRST = """prefix,destination,price,increment_seconds,hours
36,Hungary,6,60,
3620,Hungary mobile,12,60,
3620,Hungary mobile,24,60,mon-fri 08:00-20:00
44,"=Britain, all",3,1,
"""
SECOND = """prefix;destination;price;increment_seconds;hours
36;Hungary;6,5;60;
3620;Hungary mobile;12;60;
3620;Hungary mobile;24;60;mon-fri 08:00-20:00
49;Germany;4,25;1;
"""


async def upload(
    world: World, owner: Actor, tariff_id: int, text: str, missing: str = "remove"
) -> ImportPreview:
    options = ImportOptions(missing)  # type: ignore[arg-type]
    return await world.tariffs.upload(owner, tariff_id, io.BytesIO(text.encode()), options)


async def new_tariff(world: World) -> int:
    return (await world.tariffs.create_tariff(world.reseller, NewTariff("Retail", "HUF"))).id


async def export(world: World, tariff_id: int, number: int | None = None) -> str:
    pieces = world.tariffs.export_rates(world.reseller, tariff_id, number)
    return b"".join([piece async for piece in pieces]).decode("utf-8-sig")


async def test_an_upload_tells_new_changed_and_gone_rates_with_prices(world: World) -> None:
    tariff = await new_tariff(world)
    first = await upload(world, world.reseller, tariff, FIRST)
    assert (first.new, first.changed, first.gone, first.same) == (4, 0, 0, 0)
    await world.tariffs.apply(world.reseller, tariff, first.id, ApplyImport())
    preview = await upload(world, world.reseller, tariff, SECOND)
    assert (preview.base, preview.new, preview.changed, preview.gone, preview.same) == (
        1, 1, 1, 1, 2,
    )  # fmt: skip
    told = [
        (d.change, d.prefix, d.before and d.before.price, d.after and d.after.price)
        for d in preview.changes
    ]
    assert told == [
        ("changed", "36", 600_000_000, 650_000_000),
        ("gone", "44", 300_000_000, None),
        ("new", "49", None, 425_000_000),
    ]
    # Nothing has changed yet.
    page = await world.tariffs.list_rates(world.reseller, tariff, RateFilters())
    assert (page.items[0].prefix, page.items[0].price) == ("36", 600_000_000)
    applied = await world.tariffs.apply(world.reseller, tariff, preview.id, ApplyImport())
    assert (applied.number, applied.rates) == (2, 4)
    assert await export(world, tariff, 1) == (
        "prefix,destination,price,unit_seconds,connect_fee,minimum_seconds,increment_seconds,"
        "free_seconds,hours\r\n"
        "36,Hungary,6,60,0,0,60,0,\r\n"
        "3620,Hungary mobile,12,60,0,0,60,0,\r\n"
        "3620,Hungary mobile,24,60,0,0,60,0,mon-fri 08:00-20:00\r\n"
        '44,"\'=Britain, all",3,60,0,0,1,0,\r\n'
    )


async def test_an_export_imported_again_changes_nothing(world: World) -> None:
    tariff = await new_tariff(world)
    first = await upload(world, world.reseller, tariff, FIRST)
    await world.tariffs.apply(world.reseller, tariff, first.id, ApplyImport())
    again = await upload(world, world.reseller, tariff, await export(world, tariff))
    assert (again.new, again.changed, again.gone, again.same) == (0, 0, 0, 4)


async def test_what_the_file_does_not_name_may_be_kept(world: World) -> None:
    tariff = await new_tariff(world)
    first = await upload(world, world.reseller, tariff, FIRST)
    await world.tariffs.apply(world.reseller, tariff, first.id, ApplyImport())
    more = await upload(world, world.reseller, tariff, "prefix,price\nin:+36 80,1\n36,7\n", "keep")
    assert (more.new, more.changed, more.gone, more.same) == (1, 1, 0, 3)
    assert [c.prefix for c in more.changes if c.change == "new"] == ["in:3680"]


async def test_an_import_is_applied_once_and_only_on_what_it_was_compared_with(
    world: World,
) -> None:
    tariff = await new_tariff(world)
    one, two = [await upload(world, world.reseller, tariff, FIRST) for _ in range(2)]
    await world.tariffs.apply(world.reseller, tariff, one.id, ApplyImport())
    with pytest.raises(CallctlError) as again:
        await world.tariffs.apply(world.reseller, tariff, one.id, ApplyImport())
    assert again.value.code == "not_found"
    with pytest.raises(CallctlError) as late:
        await world.tariffs.apply(world.reseller, tariff, two.id, ApplyImport())
    assert late.value.code == "conflict"
    await world.tariffs.discard(world.reseller, tariff, two.id)
    with pytest.raises(CallctlError):
        await world.tariffs.get_import(world.reseller, tariff, two.id, PreviewFilters())


async def test_of_many_who_apply_at_once_one_wins(world: World) -> None:
    tariff = await new_tariff(world)
    drafts = [await upload(world, world.reseller, tariff, FIRST) for _ in range(6)]
    results = await asyncio.gather(
        *(world.tariffs.apply(world.reseller, tariff, d.id, ApplyImport()) for d in drafts),
        return_exceptions=True,
    )
    assert sum(not isinstance(r, CallctlError) for r in results) == 1
    versions = await world.tariffs.list_versions(world.reseller, tariff)
    assert [v.number for v in versions.items] == [1]


async def test_an_applied_version_can_never_be_changed(world: World) -> None:
    tariff = await world.tariff(world.reseller, "Retail", "36,6")
    for sql in (
        "update tariff_rates set price = 0",
        "delete from tariff_rates",
        "insert into tariff_rates select version_id, '37', hours, destination, 0, unit_seconds,"
        " connect_fee, minimum_seconds, increment_seconds, free_seconds from tariff_rates",
        "update tariff_versions set valid_from = now()",
        "delete from tariff_versions",
    ):
        with pytest.raises(Exception, match="never changed"):
            await world.db.execute(sql)
    assert (await world.tariffs.get_tariff(world.reseller, tariff)).version == 1
    await world.db.execute("delete from tariffs")


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("", 1, "prefix"),
        ("prefix\n36\n", 1, "price"),
        ("prefix,price,colour\n36,1,red\n", 1, "colour"),
        ("prefix,price\n36,-1\n", 2, "price"),
        ("prefix,price\n36,1e3\n", 2, "price"),
        ("prefix,price\n36,0.000000001\n", 2, "price"),
        ("prefix,price\n36,\n", 2, "price"),
        ("prefix,price\n0036,1\n", 2, "prefix"),
        ("prefix,price\n36x,1\n", 2, "prefix"),
        ("prefix,price\n36,1\n36,2\n", 3, "prefix"),
        ("prefix,price,hours\n36,1,monday morning\n", 2, "hours"),
        ("prefix,price,hours\n36,1,mon 08:00-20:00\n", 2, "hours"),
        ("prefix,price,unit_seconds\n36,1,0\n", 2, "unit_seconds"),
        ("prefix,price,unit_seconds\n36,1,1.5\n", 2, "unit_seconds"),
        ("prefix,price\n36,1,2\n", 2, None),
        ('prefix,price\n36,"1\n', 2, None),
        ("prefix,price,destination\n36,1,a\x07b\n", 2, "destination"),
    ],
)
async def test_a_wrong_file_changes_nothing_and_is_told_where(
    world: World, text: str, line: int, column: str | None
) -> None:
    tariff = await new_tariff(world)
    with pytest.raises(CallctlError) as told:
        await upload(world, world.reseller, tariff, text)
    assert told.value.code == "invalid_import"
    error = told.value.detail[0]
    assert (error.line, error.column) == (line, column)
    assert await world.db.fetchval("select count(*) from tariff_versions") == 0


async def test_every_wrong_line_is_told(world: World) -> None:
    tariff = await new_tariff(world)
    with pytest.raises(CallctlError) as told:
        await upload(world, world.reseller, tariff, "prefix,price\n36,x\n44,1\n49,y\n")
    assert [(e.line, e.column) for e in told.value.detail] == [(2, "price"), (4, "price")]


async def test_tariffs_of_others_are_not_there(world: World) -> None:
    tariff = await world.tariff(world.reseller, "Retail", "36,6")
    for stranger in (world.operator, world.enterprise):
        assert (await world.tariffs.list_tariffs(stranger, TariffFilters())).items == []
        for act in (
            world.tariffs.get_tariff(stranger, tariff),
            world.tariffs.list_rates(stranger, tariff, RateFilters()),
            world.tariffs.rename_tariff(stranger, tariff, TariffChange("x")),
            upload(world, stranger, tariff, FIRST),
        ):
            with pytest.raises(CallctlError) as told:
                await act
            assert told.value.code == "not_found"


async def test_names_are_unique_in_an_account(world: World) -> None:
    await new_tariff(world)
    with pytest.raises(CallctlError) as told:
        await new_tariff(world)
    assert told.value.code == "already_exists"
    with pytest.raises(CallctlError, match="time zone"):
        await world.tariffs.create_tariff(world.reseller, NewTariff("x", "HUF", "Mars/Base"))
    with pytest.raises(CallctlError, match="currency"):
        await world.tariffs.create_tariff(world.reseller, NewTariff("x", "XXX"))


# Who pays by which


@pytest.mark.parametrize(
    ("payer", "trunk", "code"),
    [
        ("operator", None, "not_found"),
        ("reseller", None, "invalid_field"),
        ("enterprise", "nowhere", "not_found"),
        ("operator", "trunk", "not_found"),
    ],
)
async def test_only_accounts_directly_below_pay_and_only_known_trunks(
    world: World, payer: str, trunk: str | None, code: str
) -> None:
    tariff = await world.tariff(world.reseller, "Retail", "36,6")
    with pytest.raises(CallctlError) as told:
        await world.assign(world.reseller, getattr(world, payer), tariff, trunk)
    assert told.value.code == code


async def test_who_is_not_directly_below_does_not_pay(world: World) -> None:
    tariff = await world.tariff(world.operator, "Wholesale", "36,6")
    with pytest.raises(CallctlError) as told:
        await world.assign(world.operator, world.enterprise, tariff)
    assert told.value.code == "invalid_field"


async def test_a_tariff_must_be_in_force_and_in_the_payers_currency(world: World) -> None:
    empty = await new_tariff(world)
    with pytest.raises(CallctlError, match="no version in force"):
        await world.assign(world.reseller, world.enterprise, empty)
    euros = await world.tariffs.create_tariff(world.reseller, NewTariff("Euro", "EUR"))
    with pytest.raises(CallctlError, match="pays in HUF"):
        await world.assign(world.reseller, world.enterprise, euros.id)
    with pytest.raises(CallctlError) as told:
        await world.assign(world.reseller, world.enterprise, 999)
    assert (told.value.code, told.value.field) == ("not_found", "body.tariff_id")


async def test_nothing_is_in_force_before_it_is_said(world: World) -> None:
    tariff = await world.tariff(world.reseller, "Retail", "36,6")
    world.now = datetime(2026, 6, 1, tzinfo=UTC)
    new = NewAssignment(world.enterprise.account_id, tariff, since=world.now - timedelta(days=1))
    with pytest.raises(CallctlError, match="past"):
        await world.assignments.assign(world.reseller, new)
    draft = await upload(world, world.reseller, tariff, "prefix,price\n36,7\n")
    early = ApplyImport(world.now - timedelta(days=1))
    with pytest.raises(CallctlError, match="past"):
        await world.tariffs.apply(world.reseller, tariff, draft.id, early)


async def test_what_is_planned_comes_into_force_at_its_time(world: World) -> None:
    """Prices rise in June, and from July on there is no tariff."""
    tariff = await world.tariff(world.reseller, "Retail", "36,6")
    await world.assign(world.reseller, world.enterprise, tariff)
    june, july = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    draft = await upload(world, world.reseller, tariff, "prefix,price\n36,9\n")
    await world.tariffs.apply(world.reseller, tariff, draft.id, ApplyImport(june))
    none = NewAssignment(world.enterprise.account_id, None, since=july)
    await world.assignments.assign(world.reseller, none)
    prices = []
    for at in (june - timedelta(seconds=1), june, july - timedelta(seconds=1), july):
        view = await world.quotes.quote(world.enterprise, QuoteQuery("+3612345678", 60, at))
        prices.append([line.amount for line in view.lines])
    assert prices == [[600], [900], [900], []]
    page = await world.assignments.list_assignments(world.reseller, AssignmentFilters())
    assert [(a.account, a.tariff) for a in page.items] == [
        ("enterprise", None), ("enterprise", "Retail"),
    ]  # fmt: skip


# What would it cost


async def test_each_sees_what_it_pays_and_is_paid_and_no_more(world: World) -> None:
    retail = await world.tariff(world.reseller, "Retail", "36,6")
    wholesale = await world.tariff(world.operator, "Wholesale", "36,3")
    carrier = await world.tariff(world.operator, "Carrier", "36,1")
    await world.assign(world.reseller, world.enterprise, retail)
    await world.assign(world.operator, world.reseller, wholesale)
    await world.assign(world.operator, world.enterprise, carrier, "trunk")
    enterprise = world.enterprise.account_id
    seen = {}
    for name in ("operator", "reseller", "enterprise"):
        query = QuoteQuery("06 1 234 5678", 60, account_id=enterprise)
        view = await world.quotes.quote(getattr(world, name), query)
        seen[name] = [(line.side, line.tariff, line.amount) for line in view.lines]
    assert seen == {
        "operator": [("price", "Wholesale", 300), ("carrier", "Carrier", 100)],
        "reseller": [("price", "Retail", 600), ("price", None, 300)],
        "enterprise": [("price", None, 600)],
    }
    with pytest.raises(CallctlError):
        await world.quotes.quote(
            world.enterprise, QuoteQuery("1", account_id=world.reseller.account_id)
        )


async def test_a_quote_says_why(world: World) -> None:
    retail = await world.tariff(world.reseller, "Retail", "3620,12,6,5", "36,6,1")
    await world.assign(world.reseller, world.enterprise, retail)
    view = await world.quotes.quote(world.enterprise, QuoteQuery("06201234567", 95))
    [line] = view.lines
    assert (view.number, line.amount, line.billed_seconds) == ("+36201234567", 2420, 96)
    assert line.why == (
        "prefix 3620: 95 s of talk count as 96 s at 12 HUF per 60 s, and 5 HUF to connect: "
        "24.20 HUF"
    )
    for number, reason in (("+441212345678", "no_rate"), ("1818", "no_number")):
        [line] = (await world.quotes.quote(world.enterprise, QuoteQuery(number))).lines
        assert (line.amount, line.reason) == (None, reason)
