"""The real supervisor, on the real socket, with a FakeWorker.

`python fake_engine.py [idle seconds] [--die-before STEP] [--faulty] [arguments of the FakeWorker]`

STEP is `write` or `confirm`: the engine kills itself there when it saves a picture. With `--faulty`
the worker is the real one, which fails on request (`faulty_worker.py`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from contextlib import closing
from pathlib import Path

from sdtui.engine import saving
from sdtui.engine.listener import listening, only_engine
from sdtui.engine.supervisor import IDLE_SECONDS, Supervisor
from sdtui.history.database import Database
from sdtui.history.gallery import Gallery


def die(*_: object) -> None:
    """End at once, with nothing tidied up."""
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if "--die-before" in arguments:
        at = arguments.index("--die-before")
        _, step = arguments[at : at + 2]
        del arguments[at : at + 2]
        setattr(*{"write": (saving, "write_new"), "confirm": (Gallery, "confirm")}[step], die)
    program = "fake_worker.py"
    if "--faulty" in arguments:
        arguments.remove("--faulty")
        program = "faulty_worker.py"
    idle_seconds = float(arguments.pop(0)) if arguments else IDLE_SECONDS
    worker = (sys.executable, str(Path(__file__).with_name(program)), *arguments)
    logging.basicConfig(level=logging.INFO)
    with only_engine(), closing(Database.open()) as database, listening() as listener:
        supervisor = Supervisor(
            database,
            worker_command=worker,
            idle_seconds=idle_seconds,
            look_around_seconds=0.2,
        )
        asyncio.run(supervisor.serve(listener))
