"""Applying, keeping and using an account's routing, on a real PostgreSQL."""

import asyncio
import contextlib
import re

import msgspec
import pytest

from callctl.core.author import COMMAND_LINE
from callctl.features.routing import store as store_module
from callctl.features.routing import watch
from callctl.features.routing.dump import dump_yaml
from callctl.features.routing.objects import KIND_OF_FIELD
from callctl.features.routing.service import RoutingService
from callctl.features.routing.store import RoutingStore
from callctl.features.routing.structs import ExtensionDoc
from callctl.features.routing.watch import watch_routing
from callctl.features.routing.words import format_diff

from .asked import decide, refused
from .conftest import DEMO, SMALL

# Apply, export, diff


async def test_what_is_applied_is_what_is_exported_and_applying_that_changes_nothing(world):
    first = await world.apply()
    assert {change.action for change in first.changes} == {"added", "changed"}
    exported = dump_yaml(world.service.export(world.main))
    assert world.service.diff(world.main, exported) == []
    again = await world.apply(exported)
    assert (again.changes, again.revision) == ([], first.revision)
    assert len(world.tables) == 1
    assert len(await world.service.list_revisions(world.main)) == 1


async def test_a_default_that_is_written_out_is_no_change(world):
    await world.apply(SMALL, world.other)
    exported = dump_yaml(world.service.export(world.other))
    assert (await world.apply(SMALL, world.other)).changes == []
    text = SMALL.replace("timezone:", "max_call_seconds: 14400, timezone:").replace(
        "match:", "transport: udp, number_format: e164, port: 5060, match:"
    )
    assert (await world.apply(text, world.other)).changes == []
    await world.service.load()
    assert dump_yaml(world.service.export(world.other)) == exported


async def test_another_process_reads_the_same_table(world):
    await world.apply()
    await world.apply(SMALL, world.other)
    reader = RoutingService(RoutingStore(world.db))
    await reader.load()
    assert reader.table == world.service.table
    assert reader.credentials == world.service.credentials
    assert reader.export(world.main) == world.service.export(world.main)


async def test_a_diff_shows_fields_before_and_after(world):
    await world.apply()
    text = DEMO.replace("ring_seconds: 3, record: inbound", "ring_seconds: 9, record: inbound")
    text = text.replace("  - {number: 108", "  - {number: 109").replace("extension:108", "109")
    text = text.replace("  - {match: +3690.,", "  - {match: +3691.,").replace("101 3s", "101 9s")
    changes = format_diff(world.service.diff(world.main, text))
    assert "~ extensions 101\n    ring_seconds: 3 -> 9" in changes
    assert "- extensions 108" in changes
    assert "+ extensions 109\n    number: 109" in changes
    assert "    forward_busy: [extension:108] -> [extension:109]" in changes
    assert "- blocklist +3690." in changes


async def test_the_order_of_ordered_kinds_is_kept_and_its_change_is_a_change(world):
    await world.apply()
    document = world.service.export(world.main)
    blocklist = document.blocklist[::-1]
    document = msgspec.structs.replace(document, blocklist=blocklist)
    assert [c.fields[0].field for c in world.service.diff(world.main, document)] == ["order"]
    await world.service.apply(world.main, document, "tester")
    await world.service.load()
    assert world.service.table.accounts[world.main].routing.blocklist[0].match == "+36205550666"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("to: [extension:101, extension:102]}", "to: [extension:999]}",
         "dids[1].to[0]: did +3617000002 leads to extension:999, which does not"),
        ("members: [101, 102, 106]", "members: [101, 102, 999]",
         "hunt_groups[0].members[2]: hunt group sales has member 999, but"),
        ("patterns: [\"+.\"]", "patterns: [\"+.X\"]", "outbound[1].patterns[0]: "),
        ("ring_seconds: 4, may_dial: []", "ring_seconds: four, may_dial: []",
         "extensions[7].ring_seconds: expected a whole number, got the text 'four'"),
        ("weekly: [mon-fri 08:00-17:00]", "weekly: [mon-fry 08:00-17:00]",
         "schedules[0].weekly[0]: 'mon-fry 08:00-17:00': 'fry' is no day"),
        ("country: HU", "country: XX", "account.country: no numbers are known of a country 'XX'"),
        ("code: main", "code: other", "account.code: this document is of account other, not main"),
    ],
)  # fmt: skip
async def test_a_broken_document_changes_nothing_and_says_where(world, old, new, line):
    await world.apply()
    before = world.service.table
    assert old in DEMO
    error = await refused(world.apply(DEMO.replace(old, new)))
    assert error.code == "invalid_routing"
    number = DEMO[: DEMO.index(old)].count("\n") + 1
    assert f"routing.yaml:{number}: {line}" in error.message
    assert error.detail[0]["line"] > 0
    assert world.service.table is before
    assert len(await world.service.list_revisions(world.main)) == 1


async def test_a_broken_expectation_is_refused_with_both_plans(world):
    await world.apply()
    text = DEMO.replace("to: [extension:101, extension:102]}", "to: [extension:102]}")
    error = await refused(world.apply(text))
    assert error.code == "broken_expectation"
    assert error.detail[0]["expected"] == ["ring 101 3s record", "ring 102 5s record", "hangup"]
    assert error.detail[0]["planned"] == ["ring 102 5s record", "hangup"]
    assert error.detail[0]["before"] == ["ring 101 3s record", "ring 102 5s record", "hangup"]
    assert "expected: ring 101 3s record; ring 102 5s record; hangup" in error.message
    assert "planned:  ring 102 5s record; hangup" in error.message
    line = DEMO[: DEMO.index("- name: the second one gets")].count("\n") + 1
    assert error.message.startswith(f"routing.yaml:{line}: expectation 'the second one gets")
    assert error.detail[0]["line"] == line


async def test_an_expectation_that_cannot_be_tried_is_broken(world):
    text = DEMO.replace("from: 101\n", "from: extension:999\n")
    error = await refused(world.apply(text))
    assert error.code == "broken_expectation"
    assert "there is no extension 999" in error.message


async def test_a_stale_revision_is_refused(world):
    first = await world.apply()
    changed = DEMO.replace("ring_seconds: 12", "max_seconds: 10").replace(
        "max_seconds: 12", "max_seconds: 11"
    )
    await world.apply(changed, base_revision=first.revision)
    error = await refused(world.apply(DEMO, base_revision=first.revision))
    assert error.code == "revision_conflict"


async def test_history_tells_who_applied_what_without_secrets(world):
    text = DEMO.replace("{number: 108,", "{number: 108, secret: very-secret-1,")
    await world.apply(text)
    (revision,) = await world.service.list_revisions(world.main)
    assert revision.applied_by == "tester"
    assert revision.document["account"]["code"] == "main"
    assert "very-secret" not in str(revision.document)
    assert await world.service.list_revisions(world.main, before=revision.id) == []


async def test_applies_at_once_come_one_after_the_other(world):
    texts = [DEMO.replace("max_seconds: 12", f"max_seconds: {n}") for n in range(12, 22)]
    results = await asyncio.gather(*(world.apply(text) for text in texts))
    assert len({r.revision for r in results}) == len(texts)
    group = world.service.table.accounts[world.main].hunt_groups["sales"]
    reader = RoutingService(RoutingStore(world.db))
    await reader.load()
    assert reader.table.accounts[world.main].hunt_groups["sales"] == group


# Several accounts


async def test_a_change_that_is_committed_after_a_newer_one_is_taken_over_too(world):
    await world.apply()
    await world.apply(SMALL, world.other)
    store = RoutingStore(world.db)
    snapshot = await store.get_snapshot()
    stored = next(a for a in snapshot.accounts if a.account.id == world.main)
    own = {name: snapshot.credentials[name] for name in ("101", "102")}
    async with store.transaction() as connection:
        older = await store.save_in(connection, stored, own, COMMAND_LINE, None)
        newer = await world.apply(
            SMALL.replace("ring_seconds: 10", "ring_seconds: 11"), world.other
        )
        assert newer.revision > older
        assert not await world.service.refresh()
    assert await world.service.refresh()
    assert not await world.service.refresh()


async def test_a_number_belongs_to_one_account(world):
    await world.apply()
    text = SMALL.replace("+3618000001", "+3617000001")
    error = await refused(world.apply(text, world.other))
    assert error.code == "invalid_routing"
    assert "+3617000001 belongs to account main already" in error.message


async def test_a_number_taken_meanwhile_by_another_process_is_refused_by_the_database(world):
    await world.apply()
    behind = RoutingStore(world.db)
    snapshot = await behind.get_snapshot()
    stored = next(a for a in snapshot.accounts if a.account.id == world.main)
    await world.db.execute(
        "insert into routing_objects (account_id, kind, name, body)"
        " values ($1, 'did', '+3618000009', '{}')", world.other,
    )  # fmt: skip
    dids = [*stored.document.dids]
    dids.append(dids[0].__class__("+3618000009", ["extension:101"]))
    document = stored.document.__class__(stored.document.account, dids=dids)
    error = await refused(
        behind.save(store_module.StoredAccount(stored.account, document, {}), {}, "x", None)
    )
    assert error.code == "already_exists"
    assert "+3618000009" in str(error.detail)


async def test_colliding_endpoints_are_named_apart_and_keep_their_names(world):
    await world.apply()
    await world.apply(SMALL, world.other)
    index = world.service.table.accounts[world.other]
    assert index.extensions["101"].endpoint == "101-other"
    assert index.extensions["201"].endpoint == "201"
    assert index.trunks["carrier-a"].endpoint == "carrier-a-other"
    await world.apply(DEMO.replace("max_seconds: 12", "max_seconds: 11"))
    await world.apply(SMALL.replace("ring_seconds: 10", "ring_seconds: 11"), world.other)
    assert world.service.table.accounts[world.other].extensions["101"].endpoint == "101-other"
    plan = decide(world.service, "carrier-a-other", "+3618000001")
    assert plan.account_id == world.other
    assert plan.steps[0].targets[0].endpoint == "101-other"
    assert decide(world.service, "carrier-a-other", "+3617000001").route == "unknown"


# Secrets


async def test_sip_secrets_are_made_once_and_kept(world):
    await world.apply()
    before = dict(world.service.credentials)
    assert {c.username for c in before.values()} == {str(n) for n in range(101, 109)}
    assert all(re.fullmatch(r"[A-Za-z0-9]{20}", c.secret) for c in before.values())
    assert len({c.secret for c in before.values()}) == 8
    await world.apply(DEMO.replace("ring_seconds: 4, may_dial", "ring_seconds: 6, may_dial"))
    assert world.service.credentials == before


async def test_secrets_are_exported_only_when_asked_for(world):
    text = DEMO.replace("{number: 108,", "{number: 108, secret: very-secret-1,")
    await world.apply(text)
    assert world.service.credentials["108"].secret == "very-secret-1"
    assert "secret" not in dump_yaml(world.service.export(world.main))
    full = dump_yaml(await world.service.export_with_secrets(world.main))
    assert "secret: very-secret-1" in full
    assert (await world.apply(full)).changes == []
    assert world.service.credentials["108"].secret == "very-secret-1"


async def test_a_new_secret_alone_is_a_change_that_is_provisioned(world):
    await world.apply()
    await world.apply(DEMO.replace("{number: 108,", "{number: 108, secret: very-secret-2,"))
    assert world.service.credentials["108"].secret == "very-secret-2"
    assert len(world.tables) == 2


TRUNK = SMALL.replace("match: [192.0.2.9]", "register: true, username: u1")


async def test_a_carriers_password_comes_from_the_document_or_the_environment(world):
    error = await refused(world.apply(TRUNK, world.other))
    assert "trunks[0].secret: trunk carrier-a registers, so it needs secret or" in error.message
    await world.apply(TRUNK.replace("u1", "u1, secret: carrier-pass"), world.other)
    assert world.service.credentials["carrier-a"].secret == "carrier-pass"
    await world.apply(TRUNK, world.other)
    assert world.service.credentials["carrier-a"].secret == "carrier-pass"
    world.environ["CALLCTL_SECRET_A"] = "from-environ"
    await world.apply(TRUNK.replace("u1", "u1, secret_env: CALLCTL_SECRET_A"), world.other)
    assert world.service.credentials["carrier-a"].secret == "from-environ"
    assert "secret_env: CALLCTL_SECRET_A" in dump_yaml(world.service.export(world.other))


async def test_a_document_cannot_fish_in_the_environment(world):
    world.environ["CALLCTL_DATABASE_URL"] = "postgresql://secret"
    text = TRUNK.replace("u1", "u1, secret_env: CALLCTL_DATABASE_URL")
    error = await refused(world.apply(text, world.other))
    assert "must begin with CALLCTL_SECRET_" in error.message


@pytest.mark.parametrize(
    "secret", ["short", '"a b c d e f"', '"abc;defgh"', "'abc\n\ndefgh'", "é" * 9]
)
async def test_a_secret_that_could_break_the_configuration_is_refused(world, secret):
    text = SMALL.replace("{number: 201}", f"{{number: 201, secret: {secret}}}")
    error = await refused(world.apply(text, world.other))
    assert "extensions[1].secret: a secret has 6 to 64 ASCII characters" in error.message


# Objects one by one, other processes, no database


async def test_objects_are_changed_one_by_one_and_checked_whole(world):
    await world.apply()
    service, extensions = world.service, KIND_OF_FIELD["extensions"]
    await service.put_object(world.main, extensions, None, ExtensionDoc("120"), "tester")
    assert "120" in service.table.accounts[world.main].extensions
    await service.put_object(
        world.main, extensions, "120", ExtensionDoc("120", ring_seconds=9), "tester"
    )
    assert service.get_object(world.main, extensions, "120").ring_seconds == 9
    again = service.put_object(world.main, extensions, None, ExtensionDoc("120"), "tester")
    assert (await refused(again)).code == "already_exists"
    error = await refused(service.delete_object(world.main, extensions, "108", "tester"))
    assert "extension 107 leads to extension:108, which does not exist" in error.message
    await service.delete_object(world.main, extensions, "120", "tester")
    assert (await refused(service.delete_object(world.main, extensions, "120", "t"))).code == (
        "not_found"
    )
    assert "120" not in service.credentials


async def test_a_running_daemon_takes_over_what_another_process_applies(world):
    taken: asyncio.Event = asyncio.Event()

    async def on_change(table):
        if world.main in table.accounts and table.accounts[world.main].extensions:
            taken.set()

    daemon = RoutingService(RoutingStore(world.db), on_change)
    await daemon.load()
    task = asyncio.create_task(watch_routing(world.db, daemon))
    try:
        await world.apply()
        await asyncio.wait_for(taken.wait(), 10)
        assert daemon.table == world.service.table
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_change_whose_notification_is_lost_is_taken_over_all_the_same(world, monkeypatch):
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.05)
    looked, taken = asyncio.Event(), asyncio.Event()

    class Looking(RoutingService):
        async def refresh(self):
            changed = await super().refresh()
            looked.set()
            return changed

    async def on_change(table):
        if table.accounts[world.main].account.name == "renamed":
            taken.set()

    daemon = Looking(RoutingStore(world.db), on_change)
    await daemon.load()
    task = asyncio.create_task(watch.watch_routing(world.db, daemon))
    try:
        await asyncio.wait_for(looked.wait(), 10)
        await world.db.execute("update accounts set name = 'renamed' where id = $1", world.main)
        await asyncio.wait_for(taken.wait(), 10)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_calls_are_decided_without_the_database(world):
    await world.apply()
    await world.db.close()
    assert decide(world.service, "carrier-a", "+3617000001").route == "did:+3617000001"
    assert (await refused(world.apply(SMALL, world.other))).code == "database_unavailable"
    assert decide(world.service, "carrier-a", "+3617000005").steps[0]
    assert (await refused(world.service.save_memory())).code == "database_unavailable"


async def test_every_query_of_the_store_is_prepared_by_postgresql(world):
    queries = [
        value
        for name, value in vars(store_module).items()
        if name.startswith("_") and isinstance(value, str) and not name.startswith("__")
    ]
    assert len(queries) >= 15
    async with world.db.connection() as connection:
        for query in queries:
            await connection.prepare(query)
