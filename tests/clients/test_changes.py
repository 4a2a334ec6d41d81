"""What the audit log keeps of clients: who, what, before and after (R003-87)."""

from typing import Any

from .conftest import Office
from .test_transfer import send

NUMBER, SECOND = "+36201234567", "+3612345678"
AUTHOR = "token:main"


async def lines(office: Office) -> list[tuple[str, str, Any, Any]]:
    """(action, subject, before, after), the oldest first; all are by the one who asks."""
    rows = await office.db.fetch(
        "select account_id, author, action, subject, before, after from audit"
        " where author <> 'command line' order by id"
    )
    assert {(row[0], row[1]) for row in rows} <= {(office.account_id, AUTHOR)}
    return [tuple(row)[2:] for row in rows]


async def test_a_change_is_told_by_the_fields_that_differ(office: Office) -> None:
    ann = await office.add("Ann", NUMBER, notes="x")
    subject = f"client:{ann['id']}"
    change = {"name": "Anna", "numbers": [{"number": SECOND, "label": "desk"}]}
    for _ in range(2):
        await office.ask("PATCH", f"/clients/{ann['id']}", change)
    await office.ask("DELETE", f"/clients/{ann['id']}")
    created, changed, deleted = await lines(office)
    assert created[:3] == ("client.created", subject, None)
    assert created[3]["numbers"] == [{"number": NUMBER, "label": ""}]
    assert changed == (
        "client.changed",
        subject,
        {"name": "Ann", "numbers": [{"number": NUMBER, "label": ""}]},
        {"name": "Anna", "numbers": [{"number": SECOND, "label": "desk"}]},
    )
    assert (deleted[0], deleted[2]["name"], deleted[2]["notes"]) == ("client.deleted", "Anna", "x")
    assert deleted[3] is None


async def test_of_a_merge_both_clients_have_a_line(office: Office) -> None:
    winner, loser = await office.add("Ann"), await office.add("Ben", NUMBER, nature="calm")
    await office.ask("POST", f"/clients/{winner['id']}/merge", {"loser": loser["id"]})
    merged, gone = (await lines(office))[2:]
    assert merged == (
        "client.merged",
        f"client:{winner['id']}",
        {"nature": "", "numbers": []},
        {"nature": "calm", "numbers": [{"number": NUMBER, "label": ""}], "loser": loser["id"]},
    )
    assert gone[:2] == ("client.deleted", f"client:{loser['id']}")
    assert (gone[2]["name"], gone[3]) == ("Ben", {"merged_into": winner["id"]})


async def test_an_import_is_one_line_if_it_is_kept(office: Office) -> None:
    await send(office, "name\nAnn\nBen\n", dry_run=1)
    await send(office, "name,numbers\nAnn,what\n")
    assert await lines(office) == []
    await send(office, "name\nAnn\nBen\n")
    after = {"created": 2, "updated": 0, "failed": 0}
    assert await lines(office) == [("client.imported", "clients", None, after)]


async def test_what_changes_nothing_is_no_line(office: Office) -> None:
    ann, company = await office.add("Ann"), await office.add("Acme", kind="company")
    path = f"/clients/{ann['id']}/companies/{company['id']}"
    group = (await office.ask("POST", "/client-groups", {"name": "g"}))[1]["id"]
    for _ in range(2):
        await office.ask("PUT", path)
        await office.ask("POST", f"/client-groups/{group}/members", {"clients": [ann["id"]]})
        await office.ask("PUT", "/client-settings", {"register": True})
    for _ in range(2):
        await office.ask("DELETE", path)
        await office.ask("DELETE", f"/client-groups/{group}/members/{ann['id']}")
    await office.ask("POST", f"/clients/{ann['id']}/convert", {"kind": "person"})
    assert [(action, before, after) for action, _, before, after in (await lines(office))[3:]] == [
        ("client.linked", None, {"company": company["id"]}),
        ("client_group.joined", None, {"clients": [ann["id"]]}),
        ("client_settings.changed", {"register": False}, {"register": True}),
        ("client.unlinked", {"company": company["id"]}, None),
        ("client_group.left", {"clients": [ann["id"]]}, None),
    ]
