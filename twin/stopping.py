"""How a run is asked to stop: SIGTERM or Ctrl-C, to end after the chunks under way; Ctrl-C again, to end at once."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)
STDERR = 2


class Stopping:
    """Whether this process has been asked to stop; called, it answers."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self) -> bool:
        """Whether it has been asked."""
        return self.asked

    def receive(self, number: int, _: FrameType | None) -> None:
        """Take a signal; a second Ctrl-C interrupts as usual."""
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        if not self.asked:
            again = "; Ctrl-C again ends it at once" if number == signal.SIGINT else ""
            told = f"Stopping: the chunks under way are finished and saved{again}.\n"
            with contextlib.suppress(OSError):
                os.write(STDERR, told.encode())  # print fails where the signal comes in the middle of another one
        self.asked = True


@contextlib.contextmanager
def on_signals(stopping: Stopping) -> Iterator[Stopping]:
    """Signals are taken as a wish to stop; threads other than the main one have to do without."""
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    before = {number: signal.signal(number, stopping.receive) for number in SIGNALS}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
