"""What a client has yet to read: nothing is lost but what is superseded."""

from __future__ import annotations

from sdtui.engine.backlog import Backlog
from sdtui.protocol.codec import encode
from sdtui.protocol.events import (
    DownloadProgressed,
    Event,
    JobFailed,
    PreviewReady,
    QueueChanged,
)


def preview(job_id: str, step_index: int) -> PreviewReady:
    return PreviewReady(
        job_id=job_id, step_index=step_index, count=9, width=1, height=1, rgb=b"\0\0\0"
    )


def download(file: str, received: int) -> DownloadProgressed:
    return DownloadProgressed(model="m", file=file, received=received, total=10)


def filled(*events: Event) -> Backlog:
    backlog = Backlog()
    for event in events:
        backlog.append(event, encode(event))
    return backlog


def left(backlog: Backlog) -> list[bytes]:
    return [backlog.pop() for _ in range(len(backlog))]


def test_only_the_newest_preview_of_a_job_is_kept_in_its_own_place() -> None:
    first, other, newest = preview("a", 0), preview("b", 0), preview("a", 1)
    between = JobFailed(job_id="c", title="x")
    assert left(filled(first, between, other, newest)) == [
        encode(between),
        encode(other),
        encode(newest),
    ]


def test_a_download_keeps_the_newest_figure_of_each_file() -> None:
    first, other, newest = download("unet", 1), download("vae", 5), download("unet", 9)
    assert left(filled(first, other, newest)) == [encode(other), encode(newest)]


def test_only_the_newest_queue_is_kept() -> None:
    first, newest = QueueChanged(paused=True, jobs=[]), QueueChanged(paused=False, jobs=[])
    between = JobFailed(job_id="c", title="x")
    assert left(filled(first, between, newest)) == [encode(between), encode(newest)]


def test_equal_events_are_all_kept() -> None:
    same = JobFailed(job_id="a", title="x", time=1.0)
    assert left(filled(same, same, same)) == [encode(same)] * 3


def test_its_size_is_that_of_its_frames() -> None:
    backlog = filled(preview("a", 0), JobFailed(job_id="a", title="x"), preview("a", 1))
    assert backlog.size == sum(len(frame) for _, frame in backlog)
    left(backlog)
    assert backlog.size == 0


def test_a_record_can_be_poured_into_another_backlog() -> None:
    record = filled(JobFailed(job_id="a", title="x"), preview("a", 0))
    outgoing = filled(JobFailed(job_id="b", title="y"))
    for key, frame in record:
        outgoing.add(key, frame)
    newer = preview("a", 1)
    outgoing.append(newer, encode(newer))
    assert len(left(record)) == 2
    frames = left(outgoing)
    assert len(frames) == 3
    assert frames[-1] == encode(newer)
