"""The real supervisor, on the real socket, with a FakeWorker.

`python fake_engine.py [idle seconds] [arguments of the FakeWorker]`
"""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import closing
from pathlib import Path

from sdtui.engine.listener import listening, only_engine
from sdtui.engine.supervisor import IDLE_SECONDS, Supervisor
from sdtui.history.database import Database

if __name__ == "__main__":
    idle_seconds = float(sys.argv[1]) if len(sys.argv) > 1 else IDLE_SECONDS
    worker = (sys.executable, str(Path(__file__).with_name("fake_worker.py")), *sys.argv[2:])
    logging.basicConfig(level=logging.INFO)
    with only_engine(), closing(Database.open()) as database, listening() as listener:
        supervisor = Supervisor(
            database, worker_command=worker, idle_seconds=idle_seconds, look_around_seconds=0.2
        )
        asyncio.run(supervisor.serve(listener))
