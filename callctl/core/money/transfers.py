"""Transfers to the superior: who may be paid, and what may become of one (R000-02 to R000-07)."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from callctl.core.author import Author
from callctl.core.errors import CallctlError


class TransferState(StrEnum):
    """Where a transfer is. Only an approved one has moved money."""

    AWAITING_AUDIT = "awaiting_audit"
    APPROVED = "approved"
    REJECTED = "rejected"


class TransferAct(StrEnum):
    """What is done with one after it was made."""

    APPROVE = "approve"
    REJECT = "reject"
    DELETE = "delete"


_ALLOWED: Mapping[TransferState, frozenset[TransferAct]] = MappingProxyType(
    {
        TransferState.AWAITING_AUDIT: frozenset(TransferAct),
        TransferState.APPROVED: frozenset(),
        TransferState.REJECTED: frozenset({TransferAct.DELETE}),
    }
)


def require_act(state: TransferState, act: TransferAct) -> None:
    """Raises CallctlError("transfer_final") for what can no more be done (R000-06, R000-07)."""
    if act not in _ALLOWED[state]:
        raise CallctlError(
            "transfer_final",
            f"the transfer is {state.value}: there is nothing to {act.value}",
            detail={"state": state.value},
        )


def require_superior(target_id: int, superior_id: int | None) -> None:
    """Money goes to the direct superior and nowhere else (R000-02). An account that is not there
    is refused in the same words. Raises CallctlError("not_the_superior")."""
    if superior_id is None or target_id != superior_id:
        whom = "nobody is above this account" if superior_id is None else "it can pay only that one"
        raise CallctlError(
            "not_the_superior", f"this is not the account's direct superior; {whom}", "body.target"
        )


def require_four_eyes(creator: Author, auditor: Author) -> None:
    """Whoever made a transfer never audits it, by a token of theirs neither (R000-05).

    Two tokens of the machine are two only if they have two names. Raises
    CallctlError("own_transfer").
    """
    made_by, audited_by = creator.responsible_id, auditor.responsible_id
    same = creator.name == auditor.name if made_by is None else made_by == audited_by
    if same:
        raise CallctlError("own_transfer", "somebody else must audit what you have made")
