"""Where places go that nobody has given one."""

from collections.abc import Collection, Iterable

A_ROW = 6
"""As many as are seen beside each other on any screen but a phone's."""


def free_cells(
    taken: Collection[tuple[int, int]], columns: int, rows: int
) -> Iterable[tuple[int, int]]:
    """Cells (x, y), each once: rows of `A_ROW` below what is taken, then whatever is free."""
    first = max((y for _, y in taken), default=-1) + 1
    neat = [(x, y) for y in range(first, rows) for x in range(min(A_ROW, columns))]
    rest = [(x, y) for y in range(rows) for x in range(columns)]
    seen = set(taken)
    for cell in (*neat, *rest):
        if cell not in seen:
            seen.add(cell)
            yield cell
