"""The diagram of states in docs/architecture.md is that of the table in rq.rules.status."""

import runpy

from tests.house.tree import PROJECT

MAKER = runpy.run_path(str(PROJECT / 'docs' / 'make_states.py'))


def test_diagram_is_up_to_date() -> None:
    page = (PROJECT / 'docs' / 'architecture.md').read_text()
    assert MAKER['renewed'](page) == page, 'say: .venv/bin/python docs/make_states.py'


def test_diagram_names_every_verb() -> None:
    words = MAKER['diagram']().replace(',', ' ').split()
    assert set(MAKER['TABLE']) <= set(words)
