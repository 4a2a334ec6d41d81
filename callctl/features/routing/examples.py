"""Examples of every kind of object, for the API's document."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from callctl.features.routing import structs

EXAMPLES: Mapping[type[structs.Doc], Any] = MappingProxyType(
    {
        structs.ExtensionDoc: structs.ExtensionDoc(
            "201", "Front desk", forward_no_answer=["hunt_group:sales"]
        ),
        structs.TrunkDoc: structs.TrunkDoc("carrier", "sip.carrier.example", match=["192.0.2.10"]),
        structs.DidDoc: structs.DidDoc("+3617000001", ["extension:201", "hangup:busy"]),
        structs.HuntGroupDoc: structs.HuntGroupDoc("sales", ["201", "202"]),
        structs.ScheduleDoc: structs.ScheduleDoc("office", ["mon-fri 08:00-17:00"]),
        structs.BlockRuleDoc: structs.BlockRuleDoc("+3690*", "premium rate"),
        structs.OutboundRouteDoc: structs.OutboundRouteDoc("national", ["+36."], ["carrier"]),
        structs.EmergencyDoc: structs.EmergencyDoc("112", ["carrier"]),
        structs.ExpectationDoc: structs.ExpectationDoc(
            "+36201234567", "+3617000001", ["ring 201"], name="the desk rings"
        ),
    }
)

EXAMPLE = structs.Document(
    structs.AccountDoc("main", timezone="Europe/Budapest", country="HU"),
    extensions=[EXAMPLES[structs.ExtensionDoc]],
)
"""A whole document, as short as can be."""
