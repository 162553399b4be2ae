"""Clocks that lie: Debian's libfaketime in the environment of one process. Its steady clock stays true."""

from pathlib import Path

FOUND = sorted(Path('/usr/lib').glob('*/faketime/libfaketimeMT.so.1'))


class Clock:
    """The clock of whoever is started with `environment`; `set` changes it while they run."""

    def __init__(self, directory: Path, offset: str = '+0') -> None:
        assert FOUND, 'libfaketime is not here: make neighbours installs it'
        self.file = directory / 'clock'
        self.set(offset)
        self.environment = {
            'LD_PRELOAD': str(FOUND[0]),
            'FAKETIME_TIMESTAMP_FILE': str(self.file),
            'FAKETIME_NO_CACHE': '1',
            'FAKETIME_DONT_FAKE_MONOTONIC': '1',
            'DONT_FAKE_MONOTONIC': '1',
        }

    def set(self, offset: str) -> None:
        """Beside the truth from now on, such as `+120` or `-1h`."""
        fresh = self.file.with_suffix('.fresh')
        fresh.write_text(f'{offset}\n')
        fresh.replace(self.file)
