"""Who changes something: what the audit log keeps of a person, a token or the command line."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Author:
    """`name` is a login, ``token:NAME`` or ``command line``; `user_id` None = it is no person.

    `issued_by` is the user who answers for a token.
    """

    name: str
    user_id: int | None = None
    issued_by: int | None = None

    @property
    def responsible_id(self) -> int | None:
        """The user with whom ends what was made; None = the machine."""
        return self.user_id or self.issued_by


COMMAND_LINE = Author("command line")
"""Whoever runs the machine."""

SYSTEM = Author("callctl")
"""Nobody: the business itself, as when a call is charged."""


def author_of(who: "str | Author") -> Author:
    """A bare name is somebody who is no user."""
    return who if isinstance(who, Author) else Author(who)
