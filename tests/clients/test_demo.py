"""The clients that the demo starts with."""

from callctl.demo.clients import add_clients
from callctl.demo.play import Api
from callctl.demo.script import CALLS
from tests.clients.conftest import Office


async def test_the_demos_callers_have_names_and_two_of_them_are_one_person(office: Office) -> None:
    api = Api(office.url.removesuffix("/api/v1"), office.token, office.session)
    await add_clients(api)
    await add_clients(api)
    status, page = await office.ask("GET", "/clients")
    assert status == 200
    clients = page["items"]
    assert len(clients) == 5
    known = {number["number"] for client in clients for number in client["numbers"]}
    assert known >= {call.from_ for call in CALLS if call.via}
    (company,) = (c for c in clients if c["kind"] == "company")
    assert [c["name"] for c in company["contacts"]] == ["Judit Orosz"]
    keeper, other = (c for c in clients if "Feher" in c["name"] or "Fehér" in c["name"])
    path, loser = f"/clients/{keeper['id']}/merge", {"loser": other["id"]}
    status, merged = await office.ask("POST", path, loser)
    assert (status, len(merged["numbers"])) == (200, 2)


async def test_a_visitors_own_clients_are_left_alone(office: Office) -> None:
    await office.add("Nora Novak")
    await add_clients(Api(office.url.removesuffix("/api/v1"), office.token, office.session))
    assert await office.found() == ["Nora Novak"]
