"""The figures as Markdown: against the bars, and suite by suite."""

from __future__ import annotations

from typing import Any

from bars import Row, Setting, Verdict, best, cost, judge, ratio, settings_of
from catalog import PEERS, PRODUCERS, SUITES

NONE = '–'


def number(value: float) -> str:
    """Three figures that matter, thousands apart."""
    if value >= 100:
        return f'{value:,.0f}'
    if value >= 10:
        return f'{value:.1f}'
    return f'{value:.2f}' if value >= 0.1 else f'{value:.3f}'


def spread(one: Setting, figure: str) -> str:
    """Median, least and most."""
    values = [run[figure] for run in one.runs.values() if run.get(figure) is not None]
    if not values:
        return NONE
    if len(values) == 1:
        return number(values[0])
    return f'{number(one.median(figure))} ({number(min(values))} to {number(max(values))})'


def against_bars(runs: list[Row]) -> list[str]:
    """The table of the bars."""
    lines = ['| work | ours | beside | ratio | bar | | CPU, theirs : ours |', '|---|---|---|---|---|---|---|']
    for one in judge(runs):
        lines.append(line_of(one))
    return lines


def line_of(one: Verdict) -> str:
    """One row of the table of the bars."""
    bar = one.bar
    ours = f'{number(one.ours.median(bar.figure))}{bar.unit if bar.fixed == 1.0 else ""} ({one.ours.variant})'
    beside = f'{one.rival.label}: {number(one.rival.median(bar.figure))}' if one.rival else NONE
    value = f'{number(one.value)}{" ×" if one.rival else bar.unit if bar.fixed != 1.0 else ""}'
    asked = f'{"≤" if bar.least else "≥"} {number(bar.bar)}' + (f', aim {number(bar.aim)}' if bar.aim else '')
    costs = (cost(one.rival), cost(one.ours)) if one.rival and bar.figure == 'rate' else (None, None)
    times = f'{number(costs[0] / costs[1])} ×' if costs[0] and costs[1] else NONE
    verdict = 'ok' if one.reached else 'missed'
    return f'| {bar.work} | {ours} | {beside} | {value} | {asked} | {verdict} | {times} |'


def of_suite(runs: list[Row], suite: str) -> list[str]:
    """Every setting of a suite, the best first."""
    settings = settings_of(runs, suite)
    if suite == 'latency':
        return latencies(settings)
    settings.sort(key=lambda one: -one.median('rate'))
    first = best([one for one in settings if one.peer == 'rq'], 'rate')
    if suite in PRODUCERS:
        lines = ['| queue | jobs/s | × RQ 3.0 | producer CPU | server CPU | bytes a job |', '|---|---|---|---|---|---|']
        costs = ('producer_cpu', 'server_cpu', 'bytes')
    else:
        lines = ['| queue | jobs/s | × RQ 3.0 | worker CPU | server CPU | PSS MiB | |', '|---|---|---|---|---|---|---|']
        costs = ('worker_cpu', 'server_cpu', 'pss')
    for one in settings:
        times = number(ratio(one, first, 'rate')) if first else NONE
        cells = [one.label if suite not in PRODUCERS else PEERS[one.peer].title, spread(one, 'rate'), times]
        cells += [number(one.median(cost)) for cost in costs]
        if suite not in PRODUCERS:
            cells.append(remarks(one))
        lines.append(f'| {" | ".join(cells)} |')
    return lines


def latencies(settings: list[Setting]) -> list[str]:
    """Idle to start, and the memory of the idle worker."""
    lines = ['| queue | p50 ms | p99 ms | PSS MiB, idle | |', '|---|---|---|---|---|']
    for one in sorted(settings, key=lambda one: one.median('p50')):
        late = sum(int(run['late']) for run in one.runs.values())
        cells = [one.label, spread(one, 'p50'), spread(one, 'p99'), number(one.median('pss'))]
        lines.append(f'| {" | ".join(cells)} | {f"{late} jobs did not start in 5 s" if late else ""} |')
    return lines


def remarks(one: Setting) -> str:
    """What sets a setting apart: promises it does not make, and jobs that did not run exactly once."""
    described = one.described
    found = [described.note] if described.note else []
    if not described.acknowledges:
        found.append('a crash loses the job')
    if not described.stores:
        found.append('no result')
    for figure, word in (('lost', 'did not run to the end'), ('doubled', 'ran too often')):
        total = sum(int(run[figure]) for run in one.runs.values())
        if total:
            found.append(f'**{total} jobs {word}**')
    short = sum(run['number'] - run['recorded'] for run in one.runs.values() if run['recorded'] is not None)
    if short > 0:
        found.append(f'**{short} outcomes not recorded**')
    return '; '.join(found)


def page(found: dict[str, Any]) -> str:
    """The whole report."""
    machine, runs = found['machine'], found['runs']
    marks = sorted(run['calibration_ms'] for run in runs)
    lines = [
        f'# Ours beside the others, {found["day"]}',
        '',
        f'{machine["cores"]} cores ({machine["processor"]}), {machine["memory_gib"]} GiB, {machine["system"]}; '
        f'{found["server"]} on the loopback, without persistence; {found["repetitions"]} repetitions, interleaved in '
        'random order, medians (least to most). Ratios are medians of the ratios within a repetition. '
        'CPU is seconds per 1,000 jobs (executions for retries), of the worker with all its processes.',
        '',
        f'A fixed loop beside each run took {marks[0]:.1f} to {marks[-1]:.1f} ms: that much the machine drifted.',
        '',
        '## Against the bars',
        '',
        *against_bars(runs),
    ]
    for suite, words in SUITES.items():
        if settings_of(runs, suite):
            lines += ['', f'## {suite}: {words}', '', *of_suite(runs, suite)]
    failed = [run for run in runs if 'error' in run]
    if failed:
        lines += ['', '## No figures', '']
        lines += [f'- {run["peer"]}, {run["variant"]}, {run["suite"]}: {run["error"]}' for run in failed]
    if found['left_out']:
        lines += ['', '## Left out', '', *[f'- {reason}' for reason in found['left_out']]]
    lines += ['', '## Versions', '']
    lines += [
        f'- {PEERS[name].title}: {", ".join(f"{p} {v}" for p, v in v.items())}' for name, v in found['versions'].items()
    ]
    return '\n'.join(lines) + '\n'
