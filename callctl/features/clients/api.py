"""``/api/v1/clients``, ``companies``, ``client-types``, ``client-groups``, ``client-settings``."""

from callctl.core.permissions import Scope
from callctl.db.pool import Database
from callctl.features.clients.groups import ClientGroups
from callctl.features.clients.merging import merge_clients
from callctl.features.clients.model import (
    ClientChange,
    ClientFilters,
    ClientGroupView,
    ClientSettings,
    ClientView,
    CompanyFilters,
    Conversion,
    Copy,
    GroupFilters,
    Members,
    Merge,
    NewClient,
    NewGroup,
    NewType,
    NumberInput,
    TypeChange,
    TypeOrder,
    TypeView,
)
from callctl.features.clients.service import ClientService
from callctl.features.clients.transfer_api import transfer_endpoints
from callctl.features.clients.types import ClientTypes
from callctl.http.decode import path_id
from callctl.http.endpoint import ApiCall, Empty, Endpoint, Page

_READ, _WRITE, _DELETE = Scope.CLIENTS_READ, Scope.CLIENTS_WRITE, Scope.CLIENTS_DELETE
_SETTINGS = Scope.CLIENTS_SETTINGS
_ONE = "/api/v1/clients/{id}"


def endpoints(db: Database) -> list[Endpoint]:
    return [
        *_client_endpoints(db),
        *transfer_endpoints(db),
        *_type_endpoints(ClientTypes(db)),
        *_group_endpoints(ClientGroups(db)),
    ]


def _client_endpoints(db: Database) -> list[Endpoint]:
    service = ClientService(db)

    async def list_clients(call: ApiCall) -> object:
        return await service.list_clients(call.actor.calls, call.query)

    async def list_companies(call: ApiCall) -> object:
        return await service.list_clients(call.actor.calls, call.query, "company")

    async def create(call: ApiCall) -> object:
        return await service.create_client(call.actor, call.body)

    async def get(call: ApiCall) -> object:
        return await service.get_client(call.actor.account_id, path_id(call.path))

    async def change(call: ApiCall) -> object:
        return await service.change_client(call.actor, path_id(call.path), call.body)

    async def delete(call: ApiCall) -> object:
        await service.delete_client(call.actor, path_id(call.path))
        return Empty()

    async def convert(call: ApiCall) -> object:
        return await service.convert_client(call.actor, path_id(call.path), call.body.kind)

    async def copy(call: ApiCall) -> object:
        return await service.copy_client(call.actor, path_id(call.path), call.body.name)

    async def merge(call: ApiCall) -> object:
        return await merge_clients(db, call.actor, path_id(call.path), call.body.loser)

    async def link(call: ApiCall) -> object:
        person, company = path_id(call.path), path_id(call.path, "company")
        return await service.link(call.actor, person, company)

    async def unlink(call: ApiCall) -> object:
        person, company = path_id(call.path), path_id(call.path, "company")
        await service.unlink(call.actor, person, company)
        return Empty()

    tag, one_company = "clients", f"{_ONE}/companies/{{company}}"
    return [
        Endpoint(
            "GET", "/api/v1/clients", "Clients, found by any part of name, address or number", tag,
            _READ, list_clients, Page[ClientView], query=ClientFilters,
        ),
        Endpoint(
            "GET", "/api/v1/companies", "Companies, each with its first contacts", tag, _READ,
            list_companies, Page[ClientView], query=CompanyFilters,
        ),
        Endpoint(
            "POST", "/api/v1/clients", "Add a client", tag, _WRITE, create, ClientView,
            body=NewClient,
            body_example=NewClient("Alice Adams", numbers=[NumberInput("+36201234567", "mobile")]),
            status=201, errors=("conflict",),
        ),
        Endpoint("GET", _ONE, "One client; where it went, if it was merged", tag, _READ, get,
                 ClientView),
        Endpoint(
            "PATCH", _ONE, "Change what is named", tag, _WRITE, change, ClientView,
            body=ClientChange, body_example=ClientChange(type="VIP"), errors=("conflict",),
        ),
        Endpoint(
            "DELETE", _ONE, "Delete a client; its numbers are unknown again", tag, _DELETE, delete,
            Empty, status=204,
        ),
        Endpoint(
            "POST", f"{_ONE}/convert", "Make a company of a person, or the reverse", tag, _WRITE,
            convert, ClientView, body=Conversion,
            body_example=Conversion("company"),
            errors=("conflict",),
        ),
        Endpoint(
            "POST", f"{_ONE}/copy", "A new client like this one, without its numbers", tag, _WRITE,
            copy, ClientView, body=Copy,
            body_example=Copy("Alice Adams, at home"),
            status=201, errors=("conflict",),
        ),
        Endpoint(
            "POST", f"{_ONE}/merge", "Merge another client into this one; history follows", tag,
            _DELETE, merge, ClientView, body=Merge, body_example=Merge(8), errors=("conflict",),
        ),
        Endpoint(
            "PUT", one_company, "Put a person with a company", tag, _WRITE, link, ClientView,
            errors=("conflict",),
        ),
        Endpoint(
            "DELETE", one_company, "Part a person from a company", tag, _WRITE, unlink, Empty,
            status=204,
        ),
    ]  # fmt: skip


def _type_endpoints(types: ClientTypes) -> list[Endpoint]:
    async def list_types(call: ApiCall) -> object:
        return await types.list_types(call.actor.account_id)

    async def create(call: ApiCall) -> object:
        return await types.create_type(call.actor, call.body.name)

    async def change(call: ApiCall) -> object:
        return await types.change_type(call.actor, path_id(call.path), call.body)

    async def order(call: ApiCall) -> object:
        return await types.order_types(call.actor, call.body.ids)

    async def get_settings(call: ApiCall) -> object:
        return await types.get_settings(call.actor.account_id)

    async def save_settings(call: ApiCall) -> object:
        return await types.save_settings(call.actor, call.body)

    tag, path, settings = "client types", "/api/v1/client-types", "/api/v1/client-settings"
    return [
        Endpoint("GET", path, "Client types in their order", tag, _READ, list_types,
                 Page[TypeView]),
        Endpoint(
            "POST", path, "Add a client type", tag, _SETTINGS, create, TypeView, body=NewType,
            body_example=NewType("VIP"),
            status=201, errors=("already_exists", "conflict"),
        ),
        Endpoint(
            "PUT", path, "Put the client types into an order", tag, _SETTINGS, order,
            Page[TypeView],
            body=TypeOrder, body_example=TypeOrder([2, 1, 3]), errors=("conflict",),
        ),
        Endpoint(
            "PATCH", f"{path}/{{id}}", "Rename a client type, retire it, or take it back", tag,
            _SETTINGS, change, TypeView, body=TypeChange,
            body_example=TypeChange(retired=True),
            errors=("already_exists",),
        ),
        Endpoint("GET", settings, "Whether unknown callers become clients", tag, _READ,
                 get_settings, ClientSettings),
        Endpoint("PUT", settings, "Switch the registration of unknown callers", tag, _SETTINGS,
                 save_settings, ClientSettings, body=ClientSettings,
                 body_example=ClientSettings(True, ["inbound"])),
    ]  # fmt: skip


def _group_endpoints(groups: ClientGroups) -> list[Endpoint]:
    async def list_groups(call: ApiCall) -> object:
        return await groups.list_groups(call.actor.account_id, call.query)

    async def create(call: ApiCall) -> object:
        return await groups.create_group(call.actor, call.body.name)

    async def get(call: ApiCall) -> object:
        return await groups.get_group(call.actor.account_id, path_id(call.path))

    async def rename(call: ApiCall) -> object:
        return await groups.rename_group(call.actor, path_id(call.path), call.body.name)

    async def delete(call: ApiCall) -> object:
        await groups.delete_group(call.actor, path_id(call.path))
        return Empty()

    async def add(call: ApiCall) -> object:
        return await groups.add_members(call.actor, path_id(call.path), call.body.clients)

    async def remove(call: ApiCall) -> object:
        id_, client = path_id(call.path), path_id(call.path, "client")
        await groups.remove_member(call.actor, id_, client)
        return Empty()

    tag, path, one = "client groups", "/api/v1/client-groups", "/api/v1/client-groups/{id}"
    taken = ("already_exists",)
    return [
        Endpoint("GET", path, "Client groups with the number of their members", tag, _READ,
                 list_groups, Page[ClientGroupView], query=GroupFilters),
        Endpoint("POST", path, "Add a client group", tag, _WRITE, create, ClientGroupView,
                 body=NewGroup, body_example=NewGroup("Debtors"), status=201, errors=taken),
        Endpoint("GET", one, "One client group", tag, _READ, get, ClientGroupView),
        Endpoint("PUT", one, "Rename a client group", tag, _WRITE, rename, ClientGroupView,
                 body=NewGroup, body_example=NewGroup("Debtors"), errors=taken),
        Endpoint("DELETE", one, "Delete a client group; its members stay", tag, _DELETE, delete,
                 Empty, status=204),
        Endpoint("POST", f"{one}/members", "Put clients into a group", tag, _WRITE, add,
                 ClientGroupView, body=Members, body_example=Members([7, 8])),
        Endpoint("DELETE", f"{one}/members/{{client}}", "Take a client out of a group", tag,
                 _WRITE, remove, Empty, status=204),
    ]  # fmt: skip
