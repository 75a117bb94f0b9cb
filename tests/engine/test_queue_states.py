"""Whatever is asked of the queue in whatever order: every accepted job is in exactly one state."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from sdtui.engine.job import Job
from sdtui.engine.job_queue import MAX_ATTEMPTS, JobQueue
from sdtui.errors import ParameterError
from sdtui.history.database import Database
from sdtui.history.gallery import Gallery
from sdtui.history.jobs import JobStore
from sdtui.params import GenerationParams
from sdtui.protocol.events import JobFailed, JobParked
from sdtui.protocol.requests import Submit

ENDED = ("saved", "failed", "cancelled", "parked")


class QueueMachine(RuleBasedStateMachine):
    """A queue on a real file, beside the simplest list that says what it should hold."""

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sdtui-"))
        self.waiting: list[str] = []
        self.running: Job | None = None
        self.ended: dict[str, str] = {}
        self.attempts: dict[str, int] = {}
        self.paused = False
        self.changes = 0
        self._open()

    def _open(self) -> None:
        self.database = Database.open(self.folder / "history.sqlite3")
        self.store = JobStore(self.database)
        self.queue = JobQueue(self.database, self._changed)

    def _changed(self) -> None:
        self.changes += 1

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.database.close()
            shutil.rmtree(self.folder)

    @rule(count=st.integers(1, 4))
    def submit(self, count: int) -> None:
        request = Submit(request_id="r", params=GenerationParams(prompt="x"), batch=count)
        for job in self.queue.put(request):
            self.waiting.append(job.id)
            self.attempts[job.id] = 0

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(self.waiting))
        job = self.queue.find(job_id)
        assert job is not None
        self.queue.cancel(job)
        self.waiting.remove(job_id)
        self.ended[job_id] = "cancelled"

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def move_up(self, data: st.DataObject) -> None:
        place = data.draw(st.integers(0, len(self.waiting) - 1))
        self.queue.move_up(self.waiting[place])
        if place:
            self.waiting.insert(place - 1, self.waiting.pop(place))

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        self.queue.pause(paused)
        self.paused = paused

    @precondition(lambda self: set(self.ended.values()) - {"saved"})
    @rule(data=st.data())
    def requeue(self, data: st.DataObject) -> None:
        again = [job_id for job_id, state in self.ended.items() if state != "saved"]
        job_id = data.draw(st.sampled_from(again))
        assert self.queue.requeue(job_id).attempts == 0
        del self.ended[job_id]
        self.waiting.append(job_id)
        self.attempts[job_id] = 0

    @rule()
    def clear_ended(self) -> None:
        self.queue.clear_ended(None)
        for job_id, state in list(self.ended.items()):
            if state in ("failed", "cancelled"):
                del self.ended[job_id], self.attempts[job_id]

    @precondition(lambda self: set(self.ended.values()) - {"saved"})
    @rule(data=st.data())
    def clear_one(self, data: st.DataObject) -> None:
        ended = [job_id for job_id, state in self.ended.items() if state != "saved"]
        job_id = data.draw(st.sampled_from(ended))
        self.queue.clear_ended(job_id)
        del self.ended[job_id], self.attempts[job_id]

    @rule(data=st.data())
    def clear_what_has_not_ended_so(self, data: st.DataObject) -> None:
        saved = [job_id for job_id, state in self.ended.items() if state == "saved"]
        running = [self.running.id] if self.running else []
        job_id = data.draw(st.sampled_from([*self.waiting, *running, *saved, "nobody"]))
        with pytest.raises(ParameterError):
            self.queue.clear_ended(job_id)

    @precondition(lambda self: self.waiting and self.running is None)
    @rule()
    def run(self) -> None:
        self.running = self.queue.take()
        assert self.running.id == self.waiting.pop(0)
        self.attempts[self.running.id] += 1

    @precondition(lambda self: self.running)
    @rule(state=st.sampled_from(["saved", "failed", "parked"]))
    def end(self, state: str) -> None:
        job = self.running
        assert job is not None
        if state == "saved":
            Gallery(self.database).confirm(job.id)
        else:
            kind = JobFailed if state == "failed" else JobParked
            self.queue.end(job, kind(job_id=job.id, title="It went wrong"))
        self.ended[job.id] = state
        self.running = None

    @precondition(lambda self: self.running)
    @rule()
    def worker_dies(self) -> None:
        assert self.running is not None
        self.queue.put_back(self.running)
        self.waiting.insert(0, self.running.id)
        self.running = None

    @rule()
    def engine_dies(self) -> None:
        if self.running is not None:
            if self.attempts[self.running.id] >= MAX_ATTEMPTS:
                self.ended[self.running.id] = "parked"
            else:
                self.waiting.insert(0, self.running.id)
            self.running = None
        self.database.close()
        self._open()
        for job, event in self.queue.restore():
            assert (self.ended[job.id], type(event)) == ("parked", JobParked)

    @invariant()
    def every_job_is_in_exactly_one_state(self) -> None:
        if not hasattr(self, "database"):
            return
        expected = dict(self.ended) | dict.fromkeys(self.waiting, "queued")
        if self.running is not None:
            expected[self.running.id] = "running"
        rows = self.database.connection.execute("SELECT id, state, attempts FROM jobs").fetchall()
        assert {row["id"]: row["state"] for row in rows} == expected
        assert {row["id"]: row["attempts"] for row in rows} == self.attempts

    @invariant()
    def memory_and_disk_agree_on_the_order(self) -> None:
        if not hasattr(self, "database"):
            return
        assert [job.id for job in self.queue] == self.waiting
        first = [self.running.id] if self.running else []
        assert [job.id for job in self.store.unfinished()] == first + self.waiting
        assert self.queue.paused == self.store.is_paused() == self.paused
        again = [job_id for job_id, state in self.ended.items() if state != "saved"]
        assert {job.id for job in self.queue.unfulfilled(1000)} == set(again)


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=25, stateful_step_count=25)
