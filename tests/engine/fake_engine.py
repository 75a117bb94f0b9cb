"""The real supervisor, on the real socket, with a FakeWorker.

`python fake_engine.py [--die-before STEP] [--faulty] [--hang SECONDS] [--slow-disk] [idle seconds]
[arguments of the FakeWorker]`

STEP is `write` or `confirm`: the engine kills itself there when it saves a picture. With `--faulty`
the worker is the real one, which fails on request (`faulty_worker.py`). With `--hang` a worker that
computes nothing for so long hangs, and it is looked at ten times a second. With `--slow-disk` it is
not known which pictures are there until this engine's folder holds a file `disk-is-awake`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import signal
import sys
import time
from contextlib import closing
from pathlib import Path

from sdtui.engine import saving
from sdtui.engine.listener import listening, only_engine
from sdtui.engine.patience import Patience
from sdtui.engine.supervisor import Supervisor
from sdtui.history.database import Database
from sdtui.history.gallery import Gallery, Picture


def die(*_: object) -> None:
    """End at once, with nothing tidied up."""
    os.kill(os.getpid(), signal.SIGKILL)


def is_there_once_the_disk_is_awake(_: Picture) -> bool:
    """The answer of a disk that sleeps."""
    while not (Path(os.environ["SDTUI_HOME"]) / "disk-is-awake").exists():
        time.sleep(0.01)
    return True


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if "--slow-disk" in arguments:
        arguments.remove("--slow-disk")
        Picture.exists = property(is_there_once_the_disk_is_awake)
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
