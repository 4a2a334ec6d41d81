"""A small typed client of callctl's API: calls, what changed, events, and webhooks' signatures.

from callctl.client import Client
async with Client("https://calls.example.org", token) as callctl:
    async for call in callctl.calls(since=yesterday, has_recording=True):
        print(call.from_number, call.talk_seconds)
"""

from callctl.client.client import Client
from callctl.client.errors import ApiError
from callctl.client.webhooks import WebhookError, read_webhook
from callctl.features.calls.model import CallDetail, CallFilters, CallSummary
from callctl.features.events.model import EventView, LiveView

__all__ = [
    "ApiError",
    "CallDetail",
    "CallFilters",
    "CallSummary",
    "Client",
    "EventView",
    "LiveView",
    "WebhookError",
    "read_webhook",
]
