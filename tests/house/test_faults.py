"""The faults to survive, by their ids: each one has a test of real processes that names it."""

import re
from pathlib import Path

CRASH = Path(__file__).parents[1] / 'crash'
FAULTS = (
    *('a1', 'a2', 'a3', 'a5', 'a6', 'a7', 'a8', 'a9', 'a11', 'a12', 'a13', 'a14', 'a15'),
    *('b2', 'b4', 'b5', 'b6', 'b7', 'b8', 'b10', 'b11', 'b12', 'b13', 'b14'),
    *('c1', 'c2', 'c3', 'c5', 'c6', 'c8', 'c9', 'c10', 'c11', 'c12', 'c14', 'c15', 'c16'),
    *('d2', 'd3', 'd4', 'd5', 'd6', 'd7', 'd8', 'd10', 'd11', 'd12'),
    *('e2', 'e3', 'e4', 'e5', 'e6'),
    *('f2', 'f3', 'f4', 'f5', 'f6', 'f7', 'f8', 'f9'),
    *('g2', 'g3', 'g4', 'g5', 'g6', 'g7'),
    *('h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'h7', 'h9'),
    *('i2', 'i3', 'i4', 'i5', 'i6', 'i7'),
)


def test_each_has_a_test() -> None:
    found = [re.findall(r'def test_([a-i]\d+)_', path.read_text()) for path in sorted(CRASH.glob('test_*.py'))]
    tested = {one for names in found for one in names}
    assert sorted(set(FAULTS) - tested) == []
    assert sorted(tested - set(FAULTS)) == []


def test_none_is_skipped() -> None:
    words = re.compile(r'pytest\.(skip|xfail|mark\.skip|mark\.xfail)')
    assert [path.name for path in CRASH.glob('*.py') if words.search(path.read_text())] == []
