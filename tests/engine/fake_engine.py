"""The real supervisor, on the real socket, with a FakeWorker.

`python fake_engine.py [--die-before STEP] [--fill-before STEP FOLDER] [--faulty] [--hang SECONDS]
[--cancel SECONDS] [--slow-disk] [idle seconds] [arguments of the FakeWorker]`

STEP is what the engine writes: `start`, `announce`, `write` or `confirm`, or a job's other ends:
`fail`, `cancel` or `park`. Before it, the engine kills itself or, the first time, fills the disk of
that folder. With `--faulty` the worker is the real one, which fails on request
(`faulty_worker.py`). With `--hang` a worker that computes nothing for so long hangs, and it is
looked at ten times a second. With `--cancel` a worker may take so long to heed a cancellation. With
`--slow-disk` it is not known which pictures are there until this
engine's folder holds a file `disk-is-awake`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import logging
import os
import signal
import sys
import time
from contextlib import closing
from pathlib import Path

from sdtui.engine import saving
from sdtui.engine.listener import only_engine
from sdtui.engine.patience import Patience
from sdtui.engine.supervisor import Supervisor
from sdtui.history.database import Database
from sdtui.history.gallery import Gallery, Picture
from sdtui.history.jobs import JobStore

STEPS = {
    "start": (JobStore, "start"),
    "announce": (Gallery, "announce"),
    "write": (saving, "write_new"),
    "confirm": (Gallery, "confirm"),
    "fail": (JobStore, "fail"),
    "cancel": (JobStore, "cancel"),
    "park": (JobStore, "park"),
}


def die(*_: object, **__: object) -> None:
    """End at once, with nothing tidied up."""
    os.kill(os.getpid(), signal.SIGKILL)


def fill(folder: Path) -> None:
    """Leave not one block free on the disk of `folder`, until its file `ballast` is removed."""
    with (folder / "ballast").open("ab", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(4096))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


def fill_before(room: object, name: str, folder: Path) -> None:
    """Let the disk be full when what `room` calls `name` is called for the first time."""
    write = getattr(room, name)

    def write_on_a_full_disk(*values: object, **named: object) -> object:
        setattr(room, name, write)
        fill(folder)
        return write(*values, **named)

    setattr(room, name, write_on_a_full_disk)


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
        setattr(*STEPS[step], die)
    if "--fill-before" in arguments:
        at = arguments.index("--fill-before")
        _, step, folder = arguments[at : at + 3]
        del arguments[at : at + 3]
        fill_before(*STEPS[step], Path(folder))
    program = "fake_worker.py"
    if "--faulty" in arguments:
        arguments.remove("--faulty")
        program = "faulty_worker.py"
    patience = dataclasses.replace(
        Patience.from_environment(), socket_look=0.2, log_look=0.2, disk_look=0.2
    )
    if "--hang" in arguments:
        at = arguments.index("--hang")
        patience = dataclasses.replace(patience, hang=float(arguments.pop(at + 1)), worker_look=0.1)
        del arguments[at]
    if "--cancel" in arguments:
        at = arguments.index("--cancel")
        patience = dataclasses.replace(patience, cancel=float(arguments.pop(at + 1)))
        del arguments[at]
    if arguments:
        patience = dataclasses.replace(patience, idle_exit=float(arguments.pop(0)))
    worker = (sys.executable, str(Path(__file__).with_name(program)), *arguments)
    logging.basicConfig(level=logging.INFO)
    with only_engine(), closing(Database.open()) as database:
        supervisor = Supervisor(
            database,
            worker_command=worker,
            patience=patience,
        )
        asyncio.run(supervisor.serve())
