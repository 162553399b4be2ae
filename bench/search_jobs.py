"""What bench/search.py has failed: twenty functions, two causes each. Requeued they tell a witness; some fail again."""

import os

from rq import get_current_job

TYPES = (ValueError, LookupError)


def _run(number: int, cause: int) -> None:
    path = os.environ.get('RQ_BENCH_WITNESS')
    if path:
        job = get_current_job()
        assert job is not None
        with open(path, 'ab', buffering=0) as witness:
            witness.write(f'{job.id}\n'.encode())
        if number % 10:
            return
    raise TYPES[cause](f'order {number} of customer {number * 7919 % 100003} was not accepted')


def job_00(number: int, cause: int) -> None:
    _run(number, cause)


def job_01(number: int, cause: int) -> None:
    _run(number, cause)


def job_02(number: int, cause: int) -> None:
    _run(number, cause)


def job_03(number: int, cause: int) -> None:
    _run(number, cause)


def job_04(number: int, cause: int) -> None:
    _run(number, cause)


def job_05(number: int, cause: int) -> None:
    _run(number, cause)


def job_06(number: int, cause: int) -> None:
    _run(number, cause)


def job_07(number: int, cause: int) -> None:
    _run(number, cause)


def job_08(number: int, cause: int) -> None:
    _run(number, cause)


def job_09(number: int, cause: int) -> None:
    _run(number, cause)


def job_10(number: int, cause: int) -> None:
    _run(number, cause)


def job_11(number: int, cause: int) -> None:
    _run(number, cause)


def job_12(number: int, cause: int) -> None:
    _run(number, cause)


def job_13(number: int, cause: int) -> None:
    _run(number, cause)


def job_14(number: int, cause: int) -> None:
    _run(number, cause)


def job_15(number: int, cause: int) -> None:
    _run(number, cause)


def job_16(number: int, cause: int) -> None:
    _run(number, cause)


def job_17(number: int, cause: int) -> None:
    _run(number, cause)


def job_18(number: int, cause: int) -> None:
    _run(number, cause)


def job_19(number: int, cause: int) -> None:
    _run(number, cause)
