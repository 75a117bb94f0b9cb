"""The real supervisor, on the real socket, with a FakeWorker.

`python fake_engine.py [--die-before STEP] [--faulty] [--hang SECONDS] [idle seconds] [arguments of
the FakeWorker]`

STEP is `write` or `confirm`: the engine kills itself there when it saves a picture. With `--faulty`
the worker is the real one, which fails on request (`faulty_worker.py`). With `--hang` a worker that
computes nothing for so long hangs, and it is looked at ten times a second.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import signal
import sys
from contextlib import closing
from pathlib import Path

from sdtui.engine import saving
from sdtui.engine.listener import listening, only_engine
from sdtui.engine.patience import Patience
from sdtui.engine.supervisor import Supervisor
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
    patience = dataclasses.replace(Patience.from_environment(), socket_look=0.2, log_look=0.2)
    if "--hang" in arguments:
        at = arguments.index("--hang")
        patience = dataclasses.replace(patience, hang=float(arguments.pop(at + 1)), worker_look=0.1)
        del arguments[at]
    if arguments:
        patience = dataclasses.replace(patience, idle_exit=float(arguments.pop(0)))
    worker = (sys.executable, str(Path(__file__).with_name(program)), *arguments)
    logging.basicConfig(level=logging.INFO)
    with only_engine(), closing(Database.open()) as database, listening() as listener:
        supervisor = Supervisor(
            database,
            worker_command=worker,
            patience=patience,
        )
        asyncio.run(supervisor.serve(listener))
