"""Keeps the event loop punctual in a process with worker threads and a million small values."""

import gc
import sys

SWITCH_S = 0.0005


def keep_pace() -> None:
    """Set what holds for the whole process: how long a thread may hold the interpreter, and what the garbage collector looks at.

    A thread that decides or writes for a second hands the interpreter over after 5 ms when it is asked; the loop asks after every system
    call, and twenty sends of a burst then take 100 ms. And a full collection of what 12,000 targets hold stops everything for half a
    second, though none of it is garbage: what is there by now (modules, configuration, jobs) is not looked at again.
    """
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(2_000)
    gc.collect()
    gc.freeze()
