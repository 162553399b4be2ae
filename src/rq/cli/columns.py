"""Texts in the columns of a terminal: how wide they are, cut to fit, escaped. No connection, no clock."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from rq.cli.seen import printable

LONGEST = 8 * 1024  # characters of one text that are looked at: what a screen shows of it is less
NARROWEST = 40
INDENT = '  '


def plain(text: object) -> str:
    """A text of somebody else's on one line: bounded, and what cannot be printed is escaped."""
    words = str(text)
    return printable(words if len(words) <= LONGEST else f'{words[:LONGEST]}...')


def plain_lines(text: str, most: int = 200) -> list[str]:
    """The lines of a text of somebody else's, each escaped; of many the first few and the last ones."""
    lines = text.expandtabs(4).splitlines()
    if len(lines) > most:
        first = most // 4
        left_out = len(lines) - most + 1
        lines = [*lines[:first], f'... {left_out} lines ...', *lines[len(lines) - (most - first - 1) :]]
    return [plain(line) for line in lines]


def cells(text: str) -> int:
    """How many columns a printable text takes; wide letters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(_cells(letter) for letter in text)


def _cells(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in 'WF' else 1


def cut(text: str, width: int) -> str:
    """A printable text in so many columns at most; three dots tell that something is missing."""
    if cells(text) <= width:
        return text
    room = max(width - 3, 0)
    kept = ''
    for letter in text:
        room -= _cells(letter)
        if room < 0:
            break
        kept += letter
    return f'{kept}...'[: max(width, 0)] if width < 3 else f'{kept}...'


def tail(text: str, width: int) -> str:
    """The end of a printable text in so many columns, for paths: theirs says more than their beginning."""
    if cells(text) <= width:
        return text
    kept, room = '', max(width - 3, 0)
    for letter in reversed(text):
        room -= _cells(letter)
        if room < 0:
            break
        kept = letter + kept
    return cut(f'...{kept}', width)


def pad(text: str, width: int, right: bool = False) -> str:
    """A printable text in exactly so many columns, cut or followed by blanks; with `right`, after them."""
    fitting = cut(text, width)
    blanks = ' ' * (width - cells(fitting))
    return blanks + fitting if right else fitting + blanks


def joined(parts: Iterable[str], width: int, between: str = '  ') -> str:
    """As many of the parts on one line as fit, the first ones; the very first is cut if it must be."""
    line = ''
    for part in parts:
        if not line:
            line = cut(part, width)
        elif part and cells(line) + cells(between) + cells(part) <= width:
            line += between + part
    return line


def wrapped(text: str, width: int, indent: str = '') -> list[str]:
    """A printable text in lines of that width; words that are longer than a line are cut into some."""
    room = max(width - cells(indent), 10)
    lines, line = [], ''
    for word in text.split():
        if line and cells(line) + 1 + cells(word) <= room:
            line += f' {word}'
            continue
        if line:
            lines.append(line)
        *full, line = _pieces(word, room)
        lines += full
    return [indent + each for each in [*lines, line] if each]


def _pieces(word: str, room: int) -> list[str]:
    pieces, piece, left = [], '', room
    for letter in word:
        if _cells(letter) > left:
            pieces.append(piece)
            piece, left = '', room
        piece += letter
        left -= _cells(letter)
    return [*pieces, piece]


def table(rows: Sequence[Sequence[str]], width: int, grows: int, right: Sequence[int] = ()) -> list[str]:
    """Rows of printable cells under each other; the column `grows` gives way when the screen is narrow."""
    if not rows:
        return []
    widths = [max(cells(row[column]) for row in rows) for column in range(len(rows[0]))]
    others = sum(widths) - widths[grows] + 2 * (len(widths) - 1)
    widths[grows] = max(min(widths[grows], width - others), 8)
    lines = []
    for row in rows:
        padded = [pad(text, widths[column], column in right) for column, text in enumerate(row)]
        lines.append(cut('  '.join(padded).rstrip(), width))
    return lines
