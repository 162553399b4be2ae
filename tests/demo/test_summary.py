"""The demo's summary: pure, from outcomes to lines."""

from rq.demo.summary import Failed, Outcome, by_reason, reason_of, render, totals

OURS = '/lib/rq'
RAISED = """\
Traceback (most recent call last):
  File "/home/a/jobs/mail.py", line 12, in send
    connect()
  File "/usr/lib/python3/socket.py", line 8, in connect
    raise OSError('no\\nroute')
    ^^^^^^^^^^^^^^^^^^^^^^^^^^
OSError: no
route
"""
SYNTAX = """\
Traceback (most recent call last):
  File "/usr/lib/python3/ast.py", line 50, in parse
    return compile(source)
  File "/home/a/bad.py", line 1
    def f(:
          ^
SyntaxError: invalid syntax
"""
TIMEOUT = """\
Traceback (most recent call last):
  File "/lib/rq/demo/jobs.py", line 5, in oversleep
    time.sleep(30)
  File "/lib/rq/timeouts.py", line 117, in handle_death_penalty
    raise self._exception(self._message)
rq.timeouts.JobTimeoutException: Task exceeded maximum timeout value (1 seconds)
"""
DIED = 'Work-horse terminated unexpectedly; waitpid returned 11 (signal 11); killed by SIGSEGV (signal 11)'
KILLED = DIED
LOST = 'Moved to FailedJobRegistry, due to AbandonedJobError, at 2026-01-01T00:00:00.000000Z: its worker vanished'


def test_reason() -> None:
    assert reason_of(RAISED, OURS) == ('OSError', 'python3/socket.py:8 in connect', 'no')
    assert reason_of(SYNTAX, OURS) == ('SyntaxError', 'python3/ast.py:50 in parse', 'invalid syntax')
    timeout = reason_of(TIMEOUT, OURS)
    assert timeout.type == 'JobTimeoutException'
    assert timeout.place == 'demo/jobs.py:5 in oversleep'


def test_reason_without_traceback() -> None:
    assert reason_of(KILLED, OURS) == ('HorseKilledError', '–', DIED)
    assert reason_of(LOST, OURS) == ('AbandonedJobError', '–', LOST)
    assert reason_of('', OURS) == ('?', '–', '')
    assert reason_of('what?', OURS).type == '?'


def test_reason_of_our_own_frames_is_no_place() -> None:
    text = RAISED.replace('/home/a/jobs', '/lib/rq').replace('/usr/lib/python3', '/lib/rq/rules')
    assert reason_of(text, OURS) == ('OSError', '–', 'no')


def test_reason_of_a_cut_text() -> None:
    assert reason_of('\n'.join(RAISED.splitlines()[:4]), OURS).type == '?'


def test_groups() -> None:
    failed = [Failed('1', 'a.py', SYNTAX), Failed('2', 'b', KILLED), Failed('3', 'c.py', SYNTAX)]
    assert [(number, reason.type, about) for number, reason, about in by_reason(failed, OURS)] == [
        (2, 'SyntaxError', 'a.py'),
        (1, 'HorseKilledError', 'b'),
    ]


def test_totals() -> None:
    one = {'functions': 2, 'classes': 1, 'lines': 10}
    assert totals([one, 'a text', one, None]) == {'files': 2, 'functions': 4, 'classes': 2, 'lines': 20}


def test_render() -> None:
    accidents = {'demo-a': 'dies', 'demo-b': 'recovers', 'demo-c': 'vanishes'}
    outcome = Outcome(2, 1.25, {'demo-b': 'well'}, [Failed('demo-a', 'demo-a', KILLED)], 1, accidents)
    text = '\n'.join(render(outcome, OURS, 'demo-a', [('rq info', 'look')]))
    assert '2 jobs by 2 workers in 1.2 s: 1 finished, 1 failed' in text
    assert '1 jobs came to no end' in text
    assert 'failed: HorseKilledError: Work-horse' in text
    assert 'finished: well' in text
    assert 'came to no end' in text
    assert f'Why demo-a failed, in full:\n  {KILLED}' in text
    assert text.endswith('  rq info  # look')


def test_render_without_failures() -> None:
    text = '\n'.join(render(Outcome(2, 1.0, {}, [], 0, {}), OURS, 'demo-a', []))
    assert 'Failures' not in text
    assert 'in full' not in text
