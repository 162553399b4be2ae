"""The figures as pictures: horizontal bars in groups, as SVG that reads well on light and on dark pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from bars import Row, Setting, settings_of
from catalog import PEERS, PRODUCERS
from tables import number

WIDTH = 860
LABELS = 250  # width of the column of names
VALUES = 120  # room for the figure behind the longest bar
LINE = 24
BAR = 15
EDGE = 20
STYLE = """
  text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #24292f }
  .title { font-size: 16px; font-weight: 600 }
  .group { font-weight: 600 }
  .quiet { fill: #59636e; font-size: 12px }
  .ours { fill: #0969da }
  .base { fill: #6e7781 }
  .other { fill: #b4bec8 }
  .range { stroke: #24292f; stroke-opacity: .45; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .quiet { fill: #9198a1 }
    .ours { fill: #4493f8 }
    .base { fill: #9198a1 }
    .other { fill: #4d565f }
    .range { stroke: #e6edf3 }
  }
"""
STYLES = {'ours': 'ours', 'rq': 'base'}


@dataclass(frozen=True)
class Line:
    """One bar."""

    label: str
    value: float
    least: float
    most: float
    style: str
    mark: str = ''


@dataclass(frozen=True)
class Group:
    """Bars on one scale under one heading."""

    heading: str
    unit: str
    lines: list[Line]


def line_of(one: Setting, figure: str, label: str = '') -> Line:
    """The bar of one setting."""
    values = [float(run[figure]) for run in one.runs.values()]
    described = one.described
    works = bool(described.command)
    mark = ('†' if works and not described.acknowledges else '') + ('‡' if works and not described.stores else '')
    return Line(label or one.label, one.median(figure), min(values), max(values), STYLES.get(one.peer, 'other'), mark)


def group(runs: list[Row], suites: tuple[str, ...], figure: str, heading: str, unit: str, least: bool = False) -> Group:
    """The best setting of each queue in these suites; of ours each setting."""
    settings = [one for suite in suites for one in settings_of(runs, suite)]
    settings.sort(key=lambda one: one.median(figure), reverse=not least)
    lines, seen = [], set()
    for one in settings:
        if one.peer in seen and one.peer != 'ours':
            continue
        seen.add(one.peer)
        lines.append(line_of(one, figure, PEERS[one.peer].title if suites[0] in PRODUCERS else ''))
    return Group(heading, unit, lines)


def picture(title: str, groups: list[Group], foot: str) -> str:
    """One SVG."""
    parts: list[str] = []
    y = EDGE + 16
    parts.append(f'<text class="title" x="{EDGE}" y="{y}">{escape(title)}</text>')
    for one in groups:
        y += 34
        parts.append(f'<text class="group" x="{EDGE}" y="{y}">{escape(one.heading)}</text>')
        most = max(max(line.value, line.most) for line in one.lines) or 1.0
        for line in one.lines:
            y += LINE
            parts += drawn(line, y, (WIDTH - LABELS - VALUES - EDGE) / most, one.unit)
    for text in foot.splitlines():
        y += LINE + (6 if text == foot.splitlines()[0] else -4)
        parts.append(f'<text class="quiet" x="{EDGE}" y="{y}">{escape(text)}</text>')
    height = y + EDGE
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    body = '\n'.join(parts)
    return f'{head} role="img">\n<title>{escape(title)}</title>\n<style>{STYLE}</style>\n{body}\n</svg>\n'


def drawn(line: Line, y: int, scale: float, unit: str) -> list[str]:
    """Name, bar, range and figure of one line."""
    middle = y - 4
    width = max(1.0, line.value * scale)
    end = LABELS + max(width, line.most * scale)
    found = [
        f'<text x="{LABELS - 10}" y="{y}" text-anchor="end">{escape(line.label)} {line.mark}</text>',
        f'<rect class="{line.style}" x="{LABELS}" y="{middle - BAR / 2}" width="{width:.1f}" height="{BAR}" rx="2"/>',
    ]
    if line.most > line.least:
        left, right = LABELS + line.least * scale, LABELS + line.most * scale
        found.append(f'<line class="range" x1="{left:.1f}" x2="{right:.1f}" y1="{middle}" y2="{middle}"/>')
    found.append(f'<text x="{end + 8:.1f}" y="{y}">{number(line.value)} {escape(unit)}</text>')
    return found


def throughput(runs: list[Row]) -> list[Group]:
    """Jobs per second, by the way in which jobs are kept apart."""
    return [
        group(runs, ('fresh',), 'rate', 'A new process for each job, one at a time', '/s'),
        group(runs, ('reused', 'batched'), 'rate', 'One process for many jobs, one at a time', '/s'),
        group(runs, ('cores',), 'rate', 'Both cores, best setting', '/s'),
        group(runs, ('failing',), 'rate', 'Jobs that fail, one at a time', '/s'),
        group(runs, ('retry',), 'rate', 'Jobs that fail twice, then succeed: executions', '/s'),
        group(runs, ('io',), 'rate', 'Jobs that wait 50 ms, 100 side by side (2,000/s is the ideal)', '/s'),
    ]


def enqueueing(runs: list[Row]) -> list[Group]:
    """The side of the producer."""
    return [
        group(runs, ('enqueue',), 'rate', 'One call a job', '/s'),
        group(runs, ('bulk',), 'rate', 'In calls of 1,000 jobs', '/s'),
        group(runs, ('enqueue',), 'bytes', 'Memory of the server for each queued job', 'bytes', True),
    ]


def latency(runs: list[Row]) -> list[Group]:
    """An idle worker."""
    return [
        group(runs, ('latency',), 'p50', 'Median', 'ms', True),
        group(runs, ('latency',), 'p99', '99 of 100', 'ms', True),
        group(runs, ('latency',), 'pss', 'Memory of the idle worker', 'MiB', True),
    ]


def costs(runs: list[Row]) -> list[Group]:
    """What a no-op job costs."""
    return [
        group(runs, ('reused', 'batched'), 'worker_cpu', 'The worker', 's', True),
        group(runs, ('reused', 'batched'), 'server_cpu', 'The server', 's', True),
    ]


PICTURES = {
    'throughput': ('Jobs per second', throughput),
    'enqueue': ('Enqueueing', enqueueing),
    'latency': ('From the call to the start of the job, idle worker', latency),
    'cost': ('CPU seconds for 1,000 jobs, one process for many jobs, one at a time', costs),
}


def draw(found: dict[str, Any]) -> dict[str, str]:
    """Name -> SVG, for every picture that these runs have figures for."""
    foot = (
        f'{found["day"]}, {found["machine"]["cores"]} cores, {found["server"]}, medians of {found["repetitions"]} '
        'interleaved runs; the thin line is the range.\n'
        '† takes a job off before it runs: a crash loses it.   ‡ stores no result.'
    )
    finished = {}
    for name, (title, groups) in PICTURES.items():
        with_figures = [one for one in groups(found['runs']) if one.lines]
        if with_figures:
            finished[name] = picture(title, with_figures, foot)
    return finished
