"""How a run is asked to stop: SIGTERM or Ctrl-C, to end after the chunks under way; Ctrl-C again, to end at once.

What has no chunks ends at once.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)
STDERR = 2
AGAIN_S = 1.0


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


@contextlib.contextmanager
def interrupting() -> Iterator[None]:
    """Signals end what runs inside as KeyboardInterrupt.

    Where Python ignores that, as in a callback of its collector, it comes again; an extension that was being loaded
    makes an ImportError of it.
    """
    asked = False

    def receive(_: int, __: FrameType | None) -> None:
        nonlocal asked
        asked = True
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
        raise KeyboardInterrupt

    heard = [number for number in (*SIGNALS, signal.SIGALRM) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, receive) for number in heard}
    try:
        yield
    except Exception:
        if asked:
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in before.items():
            signal.signal(number, handler)
