"""Where places go that nobody has put anywhere."""

from itertools import islice

from callctl.core.workplaces import A_ROW, free_cells


def test_rows_begin_below_what_is_there() -> None:
    cells = list(islice(free_cells({(3, 1)}, 12, 40), A_ROW + 1))
    assert cells == [*((x, 2) for x in range(A_ROW)), (0, 3)]


def test_every_free_cell_comes_once_and_none_that_is_taken() -> None:
    taken = {(0, 0), (7, 2)}
    cells = list(free_cells(taken, 8, 3))
    assert len(cells) == len(set(cells)) == 8 * 3 - 2
    assert taken.isdisjoint(cells)
