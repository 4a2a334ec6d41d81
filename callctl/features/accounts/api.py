"""``/api/v1/accounts``."""

from callctl.core.permissions import Scope
from callctl.features.accounts.model import (
    AccountChange,
    AccountFilters,
    AccountItem,
    CreatedAccount,
    FirstAdministrator,
    IssuedInvitation,
    NewAccount,
)
from callctl.features.accounts.service import AccountService
from callctl.http.decode import path_id
from callctl.http.endpoint import ApiCall, Endpoint, Page

_TAG = "accounts"
_PATH = "/api/v1/accounts"


def endpoints(service: AccountService) -> list[Endpoint]:
    async def list_accounts(call: ApiCall) -> object:
        return await service.list_accounts(call.actor, call.query)

    async def get_account(call: ApiCall) -> object:
        return await service.get_account(call.actor, path_id(call.path))

    async def create_account(call: ApiCall) -> object:
        return await service.create_account(call.actor, call.body)

    async def change_account(call: ApiCall) -> object:
        return await service.change_account(call.actor, path_id(call.path), call.body)

    async def invite(call: ApiCall) -> object:
        return await service.invite_administrator(call.actor, path_id(call.path), call.body)

    read, write = Scope.ACCOUNTS_READ, Scope.ACCOUNTS_WRITE
    return [
        Endpoint(
            "GET", _PATH, "One's own account and those below, by code", _TAG, read, list_accounts,
            Page[AccountItem], query=AccountFilters,
        ),
        Endpoint("GET", f"{_PATH}/{{id}}", "One account", _TAG, read, get_account, AccountItem),
        Endpoint(
            "POST", _PATH, "Make an account below, and invite its first administrator", _TAG,
            write, create_account, CreatedAccount, body=NewAccount,
            body_example=NewAccount("acme", "Acme", "enterprise"),
            status=201,
            errors=("not_found", "already_exists"),
        ),
        Endpoint(
            "PATCH", f"{_PATH}/{{id}}", "Change an account below", _TAG, write, change_account,
            AccountItem, body=AccountChange,
            body_example=AccountChange(timezone="Europe/Budapest"),
            errors=("conflict",),
        ),
        Endpoint(
            "POST", f"{_PATH}/{{id}}/invitations", "Invite an administrator to an account below",
            _TAG, write, invite, IssuedInvitation, body=FirstAdministrator,
            body_example=FirstAdministrator("Anna Adams"),
            status=201,
            errors=("conflict",),
        ),
    ]  # fmt: skip
