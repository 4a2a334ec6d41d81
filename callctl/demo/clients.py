"""Whom the demo's callers are known as: clients of the demo's company, with their numbers."""

from typing import Any

from callctl.demo.play import Api

COMPANY: dict[str, Any] = {
    "name": "Kék Duna Kft.",
    "kind": "company",
    "address": "1011 Budapest, Fő utca 1.",
    "numbers": [{"number": "+36301234567", "label": "front desk"}],
}
CONTACTS: tuple[dict[str, Any], ...] = (
    {
        "name": "Judit Orosz",
        "email": "judit.orosz@kekduna.example",
        "numbers": [{"number": "+36201110004", "label": "mobile"}],
    },
)
# The first two are one person, to be merged: each has had a call by then.
PEOPLE: tuple[dict[str, Any], ...] = (
    {
        "name": "Márta Fehér",
        "email": "marta.feher@mail.example",
        "numbers": [{"number": "+36201110001", "label": "mobile"}],
    },
    {
        "name": "Marta Feher",
        "email": "marta.feher@mail.example",
        "notes": "Calls from her office, too.",
        "numbers": [{"number": "+36201110002", "label": "office"}],
    },
    {"name": "Zoltán Halász", "numbers": [{"number": "+36201110003", "label": "mobile"}]},
)


async def add_clients(api: Api) -> None:
    """Where there is none yet: a visitor's own are left alone. Raises RuntimeError."""
    if (await api.get("/api/v1/clients", limit="1"))["items"]:
        return
    company = await api.send("POST", "/api/v1/clients", COMPANY)
    for contact in CONTACTS:
        made = await api.send("POST", "/api/v1/clients", contact)
        await api.send("PUT", f"/api/v1/clients/{made['id']}/companies/{company['id']}")
    for person in PEOPLE:
        await api.send("POST", "/api/v1/clients", person)
