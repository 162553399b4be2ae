"""What a soak says in the end: a table for people, the same as Markdown for docs/reliability.md and as JSON."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.crash.soak_field import Fault

SHOWN = 40  # violations in the report; all of them stand in the evidence


@dataclass
class Report:
    """The outcome of one soak."""

    seed: int
    minutes: float
    profile: str
    rows: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # extra executions and repeated calls, one by one
    directory: str = ''
    mixed: bool = False

    @property
    def kept(self) -> bool:
        """Whether every promise was."""
        return not self.violations

    def recoveries(self) -> list[tuple[str, str, int, float, float]]:
        """Group, kind, how many, median and longest time to recover."""
        times: dict[tuple[str, str], list[float]] = {}
        counts: dict[tuple[str, str], int] = {}
        for fault in self.faults:
            key = fault.group, fault.name
            counts[key] = counts.get(key, 0) + 1
            if fault.recovered_in is not None:
                times.setdefault(key, []).append(fault.recovered_in)
        found = []
        for key in sorted(counts):
            some = sorted(times.get(key, [0.0]))
            found.append((*key, counts[key], some[len(some) // 2], some[-1]))
        return found

    def text(self) -> str:
        """For the terminal."""
        head = f'soak: {self.minutes:g} minutes, seed {self.seed}, {self.profile}'
        lines = [head, *(f'  {name:<34} {value}' for name, value in self.rows.items())]
        lines += ['', f'  {"fault":<32} {"times":>5} {"median s":>9} {"longest s":>9}']
        lines += [
            f'  {group} {name:<30} {times:>5} {middle:>9.2f} {longest:>9.2f}'
            for group, name, times, middle, longest in self.recoveries()
        ]
        if self.violations:
            lines += ['', f'BROKEN: {len(self.violations)} violations', *self.violations[:SHOWN]]
            again = f'again: make soak MINUTES={self.minutes:g} SEED={self.seed}{" MIXED=1" if self.mixed else ""}'
            lines += ['', f'evidence: {self.directory}', again]
        return '\n'.join(lines)

    def markdown(self) -> str:
        """For the docs."""
        lines = [f'Soak of {self.minutes:g} minutes, seed {self.seed}, {self.profile}.', '']
        lines += ['| what | |', '|---|---:|', *(f'| {name} | {value} |' for name, value in self.rows.items())]
        lines += ['', '| | fault | times | median, s | longest time to recover, s |', '|---|---|---:|---:|---:|']
        lines += [
            f'| {group} | {name} | {times} | {middle:.2f} | {longest:.2f} |'
            for group, name, times, middle, longest in self.recoveries()
        ]
        return '\n'.join(lines) + '\n'

    def write(self, out: Path) -> None:
        """`out`.md and `out`.json."""
        out.parent.mkdir(parents=True, exist_ok=True)
        out.with_suffix('.md').write_text(self.markdown())
        data = {'seed': self.seed, 'minutes': self.minutes, 'profile': self.profile, 'rows': self.rows}
        data |= {'recoveries': self.recoveries(), 'violations': self.violations}
        out.with_suffix('.json').write_text(json.dumps(data, indent=1) + '\n')

    def write_evidence(self, directory: Path) -> None:
        """Beside ledgers, witness, faults and logs: what was broken, and the last lines of every worker."""
        (directory / 'violations.txt').write_text(self.text() + '\n\n' + '\n\n'.join(self.violations) + '\n')
        (directory / 'notes.txt').write_text('\n'.join(self.notes) + '\n')
        with (directory / 'last-lines.txt').open('w') as file:
            for log in sorted(directory.glob('*.log'), key=lambda one: one.stat().st_mtime):
                last = log.read_text(errors='replace').splitlines()[-12:]
                file.write(f'--- {log.name}\n' + '\n'.join(line[:400] for line in last) + '\n')
