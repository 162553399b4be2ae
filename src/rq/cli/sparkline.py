"""A row of numbers as a row of bars."""

from __future__ import annotations

from collections.abc import Sequence

BARS = '▁▂▃▄▅▆▇█'
PLAIN_BARS = '_-:=+*%#'  # for terminals whose encoding has no bars
NOTHING = {BARS: '·', PLAIN_BARS: '.'}


def sparkline(numbers: Sequence[int], columns: int, bars: str = BARS) -> str:
    """The numbers, oldest first, in so many bars; a dot is none at all, the highest bar the highest sum."""
    sums = gathered(numbers, columns)
    highest = max(sums, default=0)
    if highest <= 0:
        return NOTHING[bars] * len(sums)
    return ''.join(_bar(number, highest, bars) for number in sums)


def gathered(numbers: Sequence[int], columns: int) -> list[int]:
    """Sums of neighbours, so many that they fill the columns; fewer numbers than columns stay as they are."""
    if columns <= 0:
        return []
    if len(numbers) <= columns:
        return [max(number, 0) for number in numbers]
    edges = [len(numbers) * column // columns for column in range(columns + 1)]
    return [sum(max(one, 0) for one in numbers[edges[at] : edges[at + 1]]) for at in range(columns)]


def _bar(number: int, highest: int, bars: str) -> str:
    if number <= 0:
        return NOTHING[bars]
    return bars[(number * len(bars) - 1) // highest]


def bars_for(encoding: str | None) -> str:
    """The bars that a terminal of this encoding can show."""
    try:
        BARS.encode(encoding or 'ascii')
    except (UnicodeEncodeError, LookupError):
        return PLAIN_BARS
    return BARS
