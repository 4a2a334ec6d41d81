"""Orders to Asterisk: what is kept of each, so that none is sent twice."""

from enum import StrEnum


class OrderState(StrEnum):
    """Every state but `SENDING` is final; `SENDING` found later is as `UNCERTAIN`."""

    SENDING = "sending"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"
