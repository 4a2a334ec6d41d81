"""``GET /api/v1/audit``."""

from callctl.core.permissions import Scope
from callctl.features.audit.model import AuditEntry, AuditFilters
from callctl.features.audit.service import AuditService
from callctl.http.endpoint import ApiCall, Endpoint, Page


def endpoints(service: AuditService) -> list[Endpoint]:
    async def list_entries(call: ApiCall) -> object:
        return await service.list_entries(call.actor, call.query)

    return [
        Endpoint(
            "GET",
            "/api/v1/audit",
            "Who changed what and when, the newest first; a group leader sees the group's changes",
            "people",
            Scope.AUDIT_READ,
            list_entries,
            Page[AuditEntry],
            query=AuditFilters,
        )
    ]
