"""Every error that callctl tells anyone about, declared once.

The API renders them as ``{"error": {"code", "message", "field"?, "detail"?}}``; docs/errors.md is
made from the same table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One kind of error: its stable code, its HTTP status, what it means and what to do."""

    code: str
    status: int
    meaning: str
    remedy: str


_ALL = (
    ErrorCode(
        "malformed_request",
        400,
        "The request is not HTTP, or its body is not the JSON it claims to be.",
        "Send UTF-8 JSON with Content-Type: application/json.",
    ),
    ErrorCode(
        "unauthenticated",
        401,
        "No valid token or session came with the request.",
        "Send Authorization: Bearer with a token that is neither expired nor revoked, or sign in.",
    ),
    ErrorCode(
        "wrong_credentials",
        401,
        "The login or the password is wrong, or the user is blocked.",
        "Check both. `callctl user reset-password` sets a new password.",
    ),
    ErrorCode(
        "second_factor_required",
        401,
        "The password is right, and this user has a second factor.",
        "Send `code` as well: the app's six digits, or one of the recovery codes.",
    ),
    ErrorCode(
        "insufficient_funds",
        402,
        "The account's wallet, less what is held, does not cover this; `detail` has `needed`, "
        "`available` and `shortfall` in minor units of `currency`.",
        "Top the account up, then ask again. Nothing was posted.",
    ),
    ErrorCode(
        "package_required",
        402,
        "The account's seller demands a package for this, and it is missing or over, or the "
        "extension's user has no seat; `detail` says what is missing.",
        "Buy or renew the package (POST /api/v1/quotes), or give the user a seat.",
    ),
    ErrorCode(
        "forbidden",
        403,
        "The token or the user's role lacks the scope that this needs; `detail` names it.",
        "Use a token with that scope, or ask an administrator.",
    ),
    ErrorCode(
        "own_transfer",
        403,
        "Whoever has made a transfer cannot audit it, nor can a token of theirs.",
        "Ask somebody else who may audit transfers.",
    ),
    ErrorCode(
        "bad_signature",
        403,
        "A payment provider's message is not signed with the secret, or is not of these minutes.",
        "Check `payment_provider_secret` and the clocks of both machines.",
    ),
    ErrorCode(
        "cross_origin",
        403,
        "A browser sent a changing request from another site's page with this user's session.",
        "Use the console itself, or a token. Behind a proxy, set `http_public_url`.",
    ),
    ErrorCode(
        "not_found",
        404,
        "There is no such path, or no such object in this account.",
        "Check the path and the id.",
    ),
    ErrorCode(
        "method_not_allowed",
        405,
        "The path exists, but not with this method.",
        "The Allow header names the methods.",
    ),
    ErrorCode(
        "request_timeout",
        408,
        "The body did not arrive in time.",
        "Send it again, at once.",
    ),
    ErrorCode(
        "conflict",
        409,
        "The request does not fit the state that the object is in.",
        "Read the object again, then decide.",
    ),
    ErrorCode(
        "already_exists",
        409,
        "An object of that name exists.",
        "Choose another name, or change the one that exists.",
    ),
    ErrorCode(
        "idempotency_conflict",
        409,
        "The idempotency key was used before, with another request.",
        "Use a new key for a new request.",
    ),
    ErrorCode(
        "revision_conflict",
        409,
        "The routing was changed by someone else meanwhile.",
        "Export it again, merge your change, apply.",
    ),
    ErrorCode(
        "quote_expired",
        409,
        "The quote was valid for some minutes, and they are over. Nothing was paid.",
        "Ask for a new quote.",
    ),
    ErrorCode(
        "quote_outdated",
        409,
        "The package is not what it was when the quote was made. Nothing was paid.",
        "Ask for a new quote.",
    ),
    ErrorCode(
        "quote_paid",
        409,
        "The quote was paid before; each is paid once.",
        "Look at the package: it has what was bought.",
    ),
    ErrorCode(
        "seats_taken",
        409,
        "Every seat has a member.",
        "Remove a member, or buy more seats; `detail` has the counts.",
    ),
    ErrorCode(
        "transfer_final",
        409,
        "The transfer was audited: `detail` has its `state`. An approved one stays for ever, a "
        "rejected one can only be deleted.",
        "Make a new transfer.",
    ),
    ErrorCode(
        "body_too_large",
        413,
        "The body is larger than this server takes.",
        "Send less; `detail` names the limit in bytes.",
    ),
    ErrorCode(
        "unsupported_media_type",
        415,
        "The body is not of a type that is read here.",
        "Send Content-Type: application/json.",
    ),
    ErrorCode(
        "range_not_satisfiable",
        416,
        "The Range header asks for bytes that the file does not have.",
        "Ask within the size that the Content-Range header names.",
    ),
    ErrorCode(
        "invalid_field",
        422,
        "A field is unknown, missing, of the wrong type or out of range; `field` names it.",
        "Correct that field; /api/v1/openapi.json has its schema.",
    ),
    ErrorCode(
        "currency_mismatch",
        422,
        "The money is of another currency than a wallet that it touches; `detail` has both.",
        "Give the wallet's currency.",
    ),
    ErrorCode(
        "not_the_superior",
        422,
        "A transfer goes to the direct superior: not to oneself, not to a sibling, not further up, "
        "not down.",
        "Take a target of GET /api/v1/transfers/targets.",
    ),
    ErrorCode(
        "invalid_import",
        422,
        "Lines of the file cannot be taken; `detail` lists the first of them, each with its place.",
        "Correct the named lines, or ask for `partial`. Nothing was changed.",
    ),
    ErrorCode(
        "invalid_routing",
        422,
        "The routing document contradicts itself; `detail` lists each problem with its place.",
        "Correct the named places. Nothing was changed.",
    ),
    ErrorCode(
        "broken_expectation",
        422,
        "The routing would break an expectation that it carries; `detail` shows both plans.",
        "Correct the routing or the expectation. Nothing was changed.",
    ),
    ErrorCode(
        "too_many_attempts",
        429,
        "Too many failed sign-ins for this login or from this address.",
        "Wait for the seconds that the Retry-After header names.",
    ),
    ErrorCode(
        "too_many_exports",
        429,
        "As many exports of this account as may be wait or run; `detail` names the limit.",
        "Wait until one is done, or cancel one.",
    ),
    ErrorCode(
        "too_many_streams",
        429,
        "As many streams of events are open as `event_streams` allows.",
        "Close one; a program needs one stream only, whatever the number of its users.",
    ),
    ErrorCode(
        "internal",
        500,
        "callctl made a mistake.",
        "Look into the log for the request id that the answer carries, and report it.",
    ),
    ErrorCode(
        "recording_damaged",
        500,
        "The encrypted file of a recording is not what was written: changed, cut or another's.",
        "Restore it from the backup; the log names the recording.",
    ),
    ErrorCode(
        "call_failed",
        502,
        "Asterisk refused to place the call.",
        "`detail` holds Asterisk's words. The call was not placed; it is safe to ask again.",
    ),
    ErrorCode(
        "call_uncertain",
        502,
        "The connection to Asterisk broke after the order to call was sent.",
        "Look at the phone or the call history before asking again.",
    ),
    ErrorCode(
        "provider_unavailable",
        502,
        "The provider of numbers did not answer, or not so that it could be understood.",
        "Try again later, or take a number of the stock. Nothing was bought.",
    ),
    ErrorCode(
        "payment_refused",
        502,
        "The payment provider refused to take the payment; `detail` has its status.",
        "Look at the provider's account. No money has moved.",
    ),
    ErrorCode(
        "database_unavailable",
        503,
        "PostgreSQL cannot be reached. Calls go on, and their records follow.",
        "Start PostgreSQL; callctl reconnects by itself.",
    ),
    ErrorCode(
        "recording_key_unavailable",
        503,
        "The master key of encrypted recordings is missing, or is another than they were made by.",
        "Put the right key where `recordings_key_file` or `recordings_key` says; `callctl doctor` "
        "tells which one that is. A first one: `callctl recordings make-key`.",
    ),
    ErrorCode(
        "payment_provider_unavailable",
        503,
        "No payment provider is set, or it cannot be reached.",
        "Set `payment_provider_url` and `payment_provider_secret`. It is safe to ask again with "
        "the same Idempotency-Key.",
    ),
    ErrorCode(
        "asterisk_unavailable",
        503,
        "There is no connection to Asterisk's manager interface.",
        "Start Asterisk; check `ami_host`, `ami_port`, the secret. callctl reconnects by itself.",
    ),
)

ERRORS: Mapping[str, ErrorCode] = MappingProxyType({error.code: error for error in _ALL})


class CallctlError(Exception):
    """An error of the catalogue, with words for this one case.

    `field` is the path of the field that is wrong (``body.steps[2].seconds``); `detail` is any
    JSON value. Raises KeyError for a code that is not declared.
    """

    def __init__(
        self, code: str, message: str, field: str | None = None, detail: Any = None
    ) -> None:
        self.error = ERRORS[code]
        self.message = message
        self.field = field
        self.detail = detail
        super().__init__(f"{code}: {message}" if field is None else f"{code}: {field}: {message}")

    @property
    def code(self) -> str:
        return self.error.code

    @property
    def status(self) -> int:
        """HTTP status."""
        return self.error.status

    def body(self) -> dict[str, Any]:
        """The one shape of an error (design of the API), ready for JSON."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.field is not None:
            error["field"] = self.field
        if self.detail is not None:
            error["detail"] = self.detail
        return {"error": error}
