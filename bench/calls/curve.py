"""The curve of a switch under ever more load, and its knee."""

from collections.abc import Sequence
from dataclasses import dataclass

BAR = 30
"""Characters of the longest bar."""


@dataclass(frozen=True, slots=True)
class Point:
    """One step. Rates in calls per second, times (INVITE to 180) in milliseconds."""

    offered: float
    carried: float
    succeeded: float
    retransmissions: int
    p50: float
    p99: float

    @property
    def holds(self) -> bool:
        """Every call went through, and nothing had to be said twice."""
        return self.succeeded == 1.0 and self.retransmissions == 0


def knee(points: Sequence[Point]) -> float:
    """The last rate before the first that did not hold; 0 when even the first did not."""
    last = 0.0
    for point in points:
        if not point.holds:
            break
        last = point.offered
    return last


def draw_curve(ours: Sequence[Point], bare: Sequence[Point]) -> str:
    """Both as a Markdown table, with bars of the median time to ringing on a common scale."""
    longest = max((p.p50 for p in (*ours, *bare)), default=1.0) or 1.0
    lines = [
        "| Calls/s offered | | through | retransmissions | INVITE to 180, p50 | p99 | |",
        "|---:|---|---:|---:|---:|---:|:---|",
    ]
    for rate in sorted({p.offered for p in (*ours, *bare)}):
        for name, points in (("callctl", ours), ("bare", bare)):
            for p in (p for p in points if p.offered == rate):
                bar = "▇" * max(1, round(BAR * p.p50 / longest))
                lines.append(
                    f"| {rate:.0f} | {name} | {p.succeeded:.1%} | {p.retransmissions} "
                    f"| {p.p50:.0f} ms | {p.p99:.0f} ms | {bar} |"
                )
    return "\n".join(lines)
