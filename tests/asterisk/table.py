"""A small routing table: enough phones and carriers for every kind of step."""

from callctl.core.routing.model import (
    Account,
    AccountRouting,
    Destination,
    DialPattern,
    Did,
    EmergencyNumber,
    Extension,
    HuntGroup,
    Member,
    OutboundRoute,
    RecordPolicy,
    RingStrategy,
    RoutingTable,
    Trunk,
    build_table,
)

ACCOUNT = Account(
    id=1, code="main", name="Main; ${SHELL(id)}", country="HU", timezone="Europe/Budapest"
)


def extension(number: str, **more: object) -> Extension:
    return Extension(number=number, name=f"Phone {number}", endpoint=number, **more)  # type: ignore[arg-type]


def trunk(name: str, host: str, **more: object) -> Trunk:
    return Trunk(name=name, host=host, endpoint=name, match=(host,), **more)  # type: ignore[arg-type]


def routing() -> AccountRouting:
    to = Destination.parse
    return AccountRouting(
        account=ACCOUNT,
        extensions=(
            extension("101", ring_seconds=3, may_dial=("national", "international")),
            extension("102", record=RecordPolicy.INBOUND),
            extension("103"),
            extension("104"),
            extension("105"),
            extension("106"),
        ),
        trunks=(
            trunk("carrier-a", "127.0.2.21", qualify_seconds=1),
            trunk("carrier-b", "127.0.2.22", qualify_seconds=1),
            trunk("carrier-dead", "127.0.2.23", qualify_seconds=1),
            trunk("carrier-one", "127.0.2.24", qualify_seconds=1, max_channels=1),
        ),
        dids=(
            Did("+3617000001", (to("extension:101"),)),
            Did("+3617000002", (to("extension:101"), to("extension:102"))),
        ),
        hunt_groups=(
            HuntGroup(
                "sales",
                (Member("103"), Member("104", ring_seconds=7)),
                number="600",
                strategy=RingStrategy.ROUND_ROBIN,
            ),
        ),
        outbound=(
            OutboundRoute(
                "national", (DialPattern("+36X."),), ("carrier-dead", "carrier-b"), "national"
            ),
            OutboundRoute("zero", (DialPattern("0X.", strip=1),), ("carrier-a",), "national"),
        ),
        emergency=(EmergencyNumber("112", ("carrier-a",)),),
    )


def small_table() -> RoutingTable:
    return build_table((routing(),), revision=7)
