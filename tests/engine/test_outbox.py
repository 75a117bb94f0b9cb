"""What the worker writes comes whole and in order, and what can wait does not wait long."""

from __future__ import annotations

import math
from io import BytesIO

from hypothesis import given
from hypothesis import strategies as st

from sdtui.engine.outbox import TOGETHER_SECONDS, Outbox
from sdtui.protocol.codec import Decoder
from sdtui.protocol.events import ComponentLoading


def event(number: int) -> ComponentLoading:
    return ComponentLoading(model="m", component="unet", index=number, count=9)


def told(pipe: BytesIO) -> list[int]:
    """The numbers of the events in the pipe."""
    read = BytesIO(pipe.getvalue())
    decoder: Decoder[ComponentLoading] = Decoder(ComponentLoading)
    numbers = []
    while (message := decoder.read_blocking(read)) is not None:
        numbers.append(message.index)
    return numbers


@given(
    st.lists(st.tuples(st.floats(0, 2 * TOGETHER_SECONDS), st.booleans()), min_size=1, max_size=20)
)
def test_all_comes_in_order_and_nothing_is_overdue(events: list[tuple[float, bool]]) -> None:
    now = 100.0
    pipe = BytesIO()
    outbox = Outbox(pipe, lambda: now)
    sent_at = -math.inf
    for number, (pause, can_wait) in enumerate(events):
        now += pause
        (outbox.send_soon if can_wait else outbox.send)(event(number))
        if not can_wait or now - sent_at >= TOGETHER_SECONDS:
            sent_at = now
            assert told(pipe) == list(range(number + 1))
        else:
            assert told(pipe) == list(range(len(told(pipe))))
            assert len(told(pipe)) <= number
    outbox.send(event(len(events)))
    assert told(pipe) == list(range(len(events) + 1))
