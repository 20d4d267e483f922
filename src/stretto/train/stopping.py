"""Ctrl-C and SIGTERM as a request that the loop looks at between steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class StopRequest:
    """Which signal asked the run to stop; 0 while none has."""

    def __init__(self) -> None:
        self.signal = 0

    def note(self, number: int, _frame: object = None) -> None:
        """Remember the signal; the first one counts."""
        self.signal = self.signal or number


@contextmanager
def stop_request(process_ends: bool = False) -> Iterator[StopRequest]:
    """Turn SIGINT and SIGTERM into a request inside this block (in the main thread; elsewhere nothing changes).

    A rank's process ends after the block (`process_ends`): asked to stop, it is asked no more, since a Ctrl-C reaches
    it twice, from the terminal and from its launcher.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, request.note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if process_ends and request.signal else handler)
