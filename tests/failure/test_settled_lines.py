"""What is said of outcomes that were settled together."""

import logging

from rq.failure.notify import Settlement, tell, tell_all
from rq.rules.lease import Lease
from rq.store.call import Answer


class Heard(logging.Handler):
    """Remembers records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Remember it."""
        self.records.append(record)


def _success(number: int, about: str = 'it') -> Settlement:
    words = {'times': (0.0, 1.0, 1.0), 'result_ttl': 500}
    return Settlement('finish', Lease(f'job{number}', f'e{number}', 'q', 'w'), words, about)


def _heard(
    told: list[tuple[Settlement, Answer]], together: bool, level: int = logging.INFO
) -> list[tuple[object, ...]]:
    log, handler = logging.Logger('rq_test_settled', level), Heard()
    log.addHandler(handler)
    if together:
        tell_all(log, 'w', told, True)
    else:
        for settlement, answer in told:
            tell(log, 'w', settlement, answer, True)
    return [(one.name, one.levelno, one.msg, one.args) for one in handler.records]


def test_others_hear_of_each_line_as_ever() -> None:
    told = [(_success(number, 'long ' * number), Answer.OK) for number in range(60)]
    said = _heard(told, together=True)
    assert said == _heard(told, together=False) and len(said) == 180
    assert said[1] == ('rq_test_settled', logging.INFO, 'Worker %s: %s', ('w', 'q: Job OK (job0)'))
    assert _heard(told, together=True, level=logging.WARNING) == []
    assert _heard([], together=True) == []


def test_what_was_lost_stands_in_its_place() -> None:
    failed = Settlement('fail', Lease('bad', 'e', 'q', 'w'), {}, 'ValueError: x')
    told = [
        (_success(1), Answer.OK), (_success(2), Answer.LOST), (failed, Answer.OK), (_success(3), Answer.ALREADY),
    ]  # fmt: skip
    said = _heard(told, together=True)
    assert said == _heard(told, together=False)
    assert [level for _, level, _, _ in said] == [20] * 3 + [30] * 2 + [20] * 3
