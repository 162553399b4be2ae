"""Write the diagram of states into docs/architecture.md, from the table in rq.rules.status; run it after changes."""

from collections import defaultdict
from pathlib import Path

from rq.rules.status import EVERY, TABLE

PAGE = Path(__file__).with_name('architecture.md')
BEGIN, END = '<!-- made by docs/make_states.py -->', '<!-- end -->'
MANY = 4  # verbs that start from more statuses than this are drawn from "anywhere"


def diagram() -> str:
    """The table of moves as a mermaid diagram; an arrow for each pair of statuses, with its verbs."""
    arrows: dict[tuple[str, str], list[str]] = defaultdict(list)
    for verb, move in TABLE.items():
        label, sources = verb, sorted(move.sources)
        if len(sources) > MANY:
            missing = sorted(EVERY - move.sources)
            sources, label = ['anywhere'], verb + (f' (not from {", ".join(missing)})' if missing else '')
        for source in sources or ['[*]']:  # a verb for jobs that are new
            for target in sorted(move.targets) or ['[*]']:
                # enqueueing a running job leaves it running, and marks it to be queued afterwards
                origin = 'started' if (verb, target) == ('enqueue', 'started') else source
                arrows[origin, target].append(label)
    lines = [f'    {source} --> {target}: {", ".join(verbs)}' for (source, target), verbs in sorted(arrows.items())]
    return '\n'.join(['```mermaid', 'stateDiagram-v2', *lines, '```'])


def renewed(text: str) -> str:
    """The page with the diagram as the table is now."""
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    assert mark, f'{PAGE.name} has lost its marks {BEGIN} and {END}'
    return f'{before}{BEGIN}\n\n{diagram()}\n\n{END}{after}'


if __name__ == '__main__':
    PAGE.write_text(renewed(PAGE.read_text()))
