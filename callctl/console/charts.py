"""Charts as SVG that the server draws: they need no script, and look right in both colours."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720, 220
_LEFT, _BOTTOM, _TOP = 36, 24, 8
_MOST_LABELS = 12

Series = tuple[str, str, Sequence[int]]
"""A name, a colour's token, a value for each place on the axis."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One rectangle, with what it stands for in words."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    said: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A word beside an axis; `at` is the place on it."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Stacked bars. `legend` is names with their colours; `rows` the same as a table."""

    pieces: list[Piece]
    below: list[Mark]
    beside: list[Mark]
    legend: list[tuple[str, str]]
    labels: list[str]
    rows: list[tuple[str, list[int]]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    base: int = HEIGHT - _BOTTOM

    @property
    def is_empty(self) -> bool:
        return not self.pieces


def bars(labels: Sequence[str], series: Sequence[Series]) -> Chart:
    """Bars for `labels`, those of all series on top of each other."""
    sums = [sum(values[i] for _, _, values in series) for i in range(len(labels))]
    top = _round_up(max(sums, default=0))
    base = HEIGHT - _BOTTOM
    step = (WIDTH - _LEFT) / max(1, len(labels))
    wide = min(step * 0.72, 48)
    pieces: list[Piece] = []
    for place, label in enumerate(labels):
        y = float(base)
        x = _LEFT + place * step + (step - wide) / 2
        for name, colour, values in series:
            if not values[place]:
                continue
            tall = values[place] * (base - _TOP) / top
            y -= tall
            said = f"{label}: {name} {values[place]}"
            x0, y0, w, h = (round(edge, 1) for edge in (x, y, wide, tall))
            pieces.append(Piece(x0, y0, w, h, colour, said))
    every = -(-len(labels) // _MOST_LABELS) if labels else 1
    below = [
        Mark(round(_LEFT + place * step + step / 2, 1), label)
        for place, label in enumerate(labels)
        if place % every == 0
    ]
    beside = [
        Mark(round(base - (base - _TOP) * part / 4, 1), f"{top * part // 4:,}".replace(",", " "))
        for part in range(5)
        if top % 4 == 0 or part in (0, 4)
    ]
    return Chart(
        pieces,
        below,
        beside,
        [(name, colour) for name, colour, _ in series],
        list(labels),
        [(name, list(values)) for name, _, values in series],
    )


def _round_up(value: int) -> int:
    """The next round figure, so that the axis has whole numbers."""
    size = 4
    while size < value:
        for factor in (2, 2.5, 2):
            if size >= value:
                break
            size = int(size * factor)
    return size
