"""The calls of the demo: who calls whom, and how everyone behaves."""

from collections.abc import Mapping
from dataclasses import dataclass

from callctl.demo.sip import BUSY, DECLINE, Answer, Behaviour, RingOut


@dataclass(frozen=True, slots=True)
class DemoCall:
    """One call. `from_` is an extension, or an outside number (then `via` is its carrier).

    `tried` names who is to be tried, in order: extensions or trunks. `answers` is the one of them
    that answers, None when nobody does. `talk` seconds the caller talks before hanging up; None =
    the other side hangs up.
    """

    title: str
    from_: str
    to: str
    tried: tuple[str, ...]
    behaviours: Mapping[str, Behaviour]
    answers: str | None = None
    via: str | None = None
    talk: float | None = None
    recorded: bool = False


CALLS: tuple[DemoCall, ...] = (
    DemoCall(
        title="a customer calls, 101 answers at once",
        from_="+36201110001",
        via="carrier-a",
        to="+3617000001",
        tried=("101",),
        behaviours={"101": Answer(after=0.3)},
        answers="101",
        talk=2.0,
        recorded=True,
    ),
    DemoCall(
        title="101 rings out, 102 answers; the conversation is recorded",
        from_="+36201110002",
        via="carrier-a",
        to="+3617000002",
        tried=("101", "102"),
        behaviours={"101": RingOut(), "102": Answer(after=0.5, talk=2.0)},
        answers="102",
        recorded=True,
    ),
    DemoCall(
        title="103 is busy, 104 declines, 105 is offline, 106 answers",
        from_="+36201110003",
        via="carrier-a",
        to="+3617000003",
        tried=("103", "104", "105", "106"),
        behaviours={"103": BUSY, "104": DECLINE, "106": Answer(after=0.5)},
        answers="106",
        talk=2.0,
        recorded=True,
    ),
    DemoCall(
        title="nobody answers: missed by 101 and 102",
        from_="+36201110004",
        via="carrier-b",
        to="+3617000004",
        tried=("101", "102"),
        behaviours={"101": RingOut(), "102": RingOut()},
    ),
    DemoCall(
        title="101 calls out; the first carrier is down, the second takes the call",
        from_="101",
        to="06301234567",
        tried=("carrier-dead", "carrier-b"),
        behaviours={"carrier-b": Answer(after=0.5)},
        answers="carrier-b",
        talk=2.0,
    ),
    DemoCall(
        title="102 calls 108, inside the house",
        from_="102",
        to="108",
        tried=("108",),
        behaviours={"108": Answer(after=0.3, talk=1.5)},
        answers="108",
    ),
)
