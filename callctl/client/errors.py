"""What the API answers when it does not do what was asked."""

from typing import Any


class ApiError(Exception):
    """An answer that is an error: its HTTP `status`, and the fields of docs/errors.md."""

    def __init__(
        self, status: int, code: str, message: str, field: str | None = None, detail: Any = None
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.detail = detail
