"""``/api/v1/users``, ``groups`` and ``invitations``."""

from callctl.core.permissions import Role, Scope
from callctl.features.people.groups import GroupService
from callctl.features.people.invitations import InvitationService
from callctl.features.people.model import (
    AcceptedInvitation,
    AcceptInvitation,
    CreatedUser,
    GeneratedPassword,
    GroupChange,
    GroupFilters,
    GroupView,
    InvitationFilters,
    InvitationView,
    IssuedInvitation,
    NewGroup,
    NewInvitation,
    NewUser,
    UserChange,
    UserFilters,
    UserView,
)
from callctl.features.people.users import UserService
from callctl.http.decode import path_id
from callctl.http.endpoint import ApiCall, Empty, Endpoint, Page

_TAG = "people"
_USERS = "/api/v1/users"
_GROUPS = "/api/v1/groups"
_INVITATIONS = "/api/v1/invitations"


def endpoints(
    users: UserService, groups: GroupService, invitations: InvitationService
) -> list[Endpoint]:
    return [
        *_user_endpoints(users),
        *_group_endpoints(groups),
        *_invitation_endpoints(invitations),
    ]


def _user_endpoints(service: UserService) -> list[Endpoint]:
    async def list_users(call: ApiCall) -> object:
        return await service.list_users(call.actor, call.query)

    async def get_user(call: ApiCall) -> object:
        return await service.get_user(call.actor, path_id(call.path))

    async def create_user(call: ApiCall) -> object:
        return await service.create_user(call.actor, call.body)

    async def change_user(call: ApiCall) -> object:
        return await service.change_user(call.actor, path_id(call.path), call.body)

    async def reset_password(call: ApiCall) -> object:
        return await service.reset_password(call.actor, path_id(call.path))

    async def reset_second_factor(call: ApiCall) -> object:
        await service.reset_second_factor(call.actor, path_id(call.path))
        return Empty()

    read, write = Scope.USERS_READ, Scope.USERS_WRITE
    return [
        Endpoint(
            "GET", _USERS, "People by login; a group leader sees the group", _TAG, read,
            list_users, Page[UserView], query=UserFilters,
        ),
        Endpoint("GET", f"{_USERS}/{{id}}", "One person", _TAG, read, get_user, UserView),
        Endpoint(
            "POST", _USERS, "Add a person", _TAG, write, create_user, CreatedUser, body=NewUser,
            body_example=NewUser("anna", "Anna Adams", Role.MANAGER, extension="201"),
            status=201, errors=("already_exists",),
        ),
        Endpoint(
            "PATCH", f"{_USERS}/{{id}}", "Change a person, or block them (`active` false)", _TAG,
            write, change_user, UserView, body=UserChange,
            body_example=UserChange(active=False),
            errors=("already_exists", "conflict"),
        ),
        Endpoint(
            "POST", f"{_USERS}/{{id}}/reset-password",
            "Make up a new password, shown this once; ends the person's sessions", _TAG, write,
            reset_password, GeneratedPassword,
        ),
        Endpoint(
            "POST", f"{_USERS}/{{id}}/reset-second-factor",
            "Take a lost second factor away", _TAG, write, reset_second_factor, Empty, status=204,
        ),
    ]  # fmt: skip


def _group_endpoints(service: GroupService) -> list[Endpoint]:
    async def list_groups(call: ApiCall) -> object:
        return await service.list_groups(call.actor, call.query)

    async def get_group(call: ApiCall) -> object:
        return await service.get_group(call.actor, path_id(call.path))

    async def create_group(call: ApiCall) -> object:
        return await service.create_group(call.actor, call.body)

    async def change_group(call: ApiCall) -> object:
        return await service.change_group(call.actor, path_id(call.path), call.body)

    async def delete_group(call: ApiCall) -> object:
        await service.delete_group(call.actor, path_id(call.path))
        return Empty()

    read, write = Scope.USERS_READ, Scope.GROUPS_WRITE
    return [
        Endpoint(
            "GET", _GROUPS, "Groups by name; a group leader sees the own one", _TAG, read,
            list_groups, Page[GroupView], query=GroupFilters,
        ),
        Endpoint("GET", f"{_GROUPS}/{{id}}", "One group", _TAG, read, get_group, GroupView),
        Endpoint(
            "POST", _GROUPS, "Make a group", _TAG, write, create_group, GroupView, body=NewGroup,
            body_example=NewGroup("Support"),
            status=201, errors=("already_exists",),
        ),
        Endpoint(
            "PATCH", f"{_GROUPS}/{{id}}", "Change a group's name or description", _TAG, write,
            change_group, GroupView, body=GroupChange,
            body_example=GroupChange(description="Second floor"),
            errors=("already_exists",),
        ),
        Endpoint(
            "DELETE", f"{_GROUPS}/{{id}}", "Delete a group that nobody belongs to", _TAG, write,
            delete_group, Empty, status=204, errors=("conflict",),
        ),
    ]  # fmt: skip


def _invitation_endpoints(service: InvitationService) -> list[Endpoint]:
    async def list_invitations(call: ApiCall) -> object:
        return await service.list_invitations(call.actor, call.query)

    async def invite(call: ApiCall) -> object:
        return await service.invite(call.actor, call.body)

    async def revoke(call: ApiCall) -> object:
        await service.revoke(call.actor, path_id(call.path))
        return Empty()

    async def accept(call: ApiCall) -> object:
        return await service.accept(call.body)

    write = Scope.USERS_WRITE
    return [
        Endpoint(
            "GET", _INVITATIONS, "Invitations, the newest first", _TAG, write, list_invitations,
            Page[InvitationView], query=InvitationFilters,
        ),
        Endpoint(
            "POST", _INVITATIONS, "Invite somebody; the link works once and is shown this once",
            _TAG, write, invite, IssuedInvitation, body=NewInvitation,
            body_example=NewInvitation(Role.MANAGER, "Anna Adams"),
            status=201,
        ),
        Endpoint(
            "DELETE", f"{_INVITATIONS}/{{id}}", "Revoke an invitation", _TAG, write, revoke, Empty,
            status=204, errors=("conflict",),
        ),
        Endpoint(
            "POST", f"{_INVITATIONS}/accept", "Become a user: choose login and password", _TAG,
            None, accept, AcceptedInvitation, body=AcceptInvitation,
            body_example=AcceptInvitation("the link's secret", "anna", "a long pass phrase"),
            status=201,
            errors=("not_found", "already_exists", "database_unavailable"),
        ),
    ]  # fmt: skip
