"""What goes over the wire comes out the same, and what does not belong there is refused."""

from __future__ import annotations

import asyncio
import io
import typing
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdtui.errors import EngineError, ParameterError
from sdtui.params import GenerationParams
from sdtui.protocol import events, gallery, requests
from sdtui.protocol.codec import MAX_FRAME_BYTES, Decoder, encode
from sdtui.protocol.events import AnyEvent, JobFailed, PreviewReady, Token
from sdtui.protocol.requests import ClientRequest, Submit, WorkerRequest

FAMILIES = [
    AnyEvent | gallery.GalleryEvent,
    events.WorkerEvent | events.DeviceFailed,
    ClientRequest | gallery.GalleryRequest,
    WorkerRequest,
]
SUBMIT = Submit(request_id="1", params=GenerationParams(prompt="a red apple", width=2040))


def read(frames: bytes, family: object) -> list[object]:
    decoder: Decoder[object] = Decoder(family)
    pipe = io.BytesIO(frames)
    found = []
    while (message := decoder.read_blocking(pipe)) is not None:
        found.append(message)
    return found


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Values that a field of this type can take; a message is made of its fields' values."""
    simple = {
        float: st.floats(allow_nan=False),
        int: st.integers(-(2**63), 2**63 - 1),
        bool: st.booleans(),
        str: st.text(max_size=20),
        bytes: st.binary(max_size=20),
        type(None): st.none(),
        GenerationParams: st.just(SUBMIT.params),
    }
    if hint in simple:
        return simple[hint]
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        fields = typing.get_type_hints(hint, include_extras=True)
        if hint is Token:
            return st.builds(Token, *map(values_of, fields.values()))
        return st.builds(hint, **{name: values_of(field) for name, field in fields.items()})
    arguments = typing.get_args(hint)
    match typing.get_origin(hint):
        case typing.Annotated:
            return st.integers(1, 100)
        case origin if origin is dict:
            return st.dictionaries(*map(values_of, arguments), max_size=3)
        case origin if origin is list:
            return st.lists(values_of(arguments[0]), max_size=3)
        case origin if origin is tuple:
            return st.lists(values_of(arguments[0]), max_size=4).map(tuple)
        case _:
            return st.one_of(*map(values_of, arguments))


def every_kind(family: object) -> list[type[msgspec.Struct]]:
    return list(typing.get_args(family))


def test_every_message_belongs_to_a_family() -> None:
    members = {kind for family in FAMILIES for kind in every_kind(family)}
    for module, base in (
        (events, events.Event),
        (requests, requests.Request),
        (gallery, (events.Event, requests.Request)),
    ):
        kinds = [kind for kind in vars(module).values() if isinstance(kind, type)]
        messages = {kind for kind in kinds if issubclass(kind, base)}
        bases = {events.Event, events.JobEvent, requests.Request, requests.AnsweredRequest}
        assert messages - members <= bases


@pytest.mark.parametrize("family", FAMILIES)
@given(data=st.data())
def test_every_message_comes_back_as_it_was(family: object, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(every_kind(family)))
    message = data.draw(values_of(kind))
    assert read(encode(message), family) == [message]


@given(st.text(), st.text())
def test_text_of_any_kind_comes_back(title: str, message: str) -> None:
    failed = JobFailed(job_id="1", title=title, message=message)
    assert read(encode(failed), AnyEvent) == [failed]


def test_messages_follow_one_another_on_a_stream() -> None:
    sent = [
        JobFailed(job_id="1", title="first"),
        PreviewReady(job_id="1", step_index=0, count=1, width=2, height=1, rgb=b"\0\1\2\3\4\5"),
    ]

    async def receive() -> list[object]:
        reader = asyncio.StreamReader()
        for frame in map(encode, sent):
            for byte in frame:
                reader.feed_data(bytes([byte]))
        reader.feed_eof()
        decoder: Decoder[object] = Decoder(AnyEvent)
        return [await decoder.read(reader) for _ in range(3)]

    assert asyncio.run(receive()) == [*sent, None]


def test_a_frame_that_breaks_off_is_the_end() -> None:
    frame = encode(SUBMIT)
    for length in range(len(frame)):
        assert read(frame[:length], ClientRequest) == []


def test_a_frame_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(EngineError, match="too large"):
        read((MAX_FRAME_BYTES + 1).to_bytes(4, "big"), ClientRequest)


@pytest.mark.parametrize(
    "body",
    [
        b"\xc1",
        b"\x80",
        msgspec.msgpack.encode({"type": "NoSuchRequest"}),
        msgspec.msgpack.encode({"type": "Cancel"}),
        msgspec.msgpack.encode({"type": "Cancel", "job_id": 3}),
        b"\x82\xa4type\xa6Cancel\xa6job_id\xa1\xff",
    ],
)
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(EngineError) as caught:
        Decoder(ClientRequest).decode(body)
    assert "sdtui engine stop" in caught.value.remedy


def test_a_request_with_impossible_parameters_names_the_field() -> None:
    frame = encode(SUBMIT).replace((2040).to_bytes(2, "big"), (2041).to_bytes(2, "big"))
    with pytest.raises(ParameterError) as caught:
        read(frame, ClientRequest)
    assert caught.value.field == "width"


def test_a_message_may_have_fields_that_this_version_does_not_know() -> None:
    body = msgspec.msgpack.encode(
        {"type": "Cancel", "request_id": "r", "job_id": "1", "reason": "later"}
    )
    assert Decoder(ClientRequest).decode(body) == requests.Cancel(request_id="r", job_id="1")


def test_events_are_frozen_and_carry_their_time() -> None:
    failed = JobFailed(job_id="1", title="x")
    assert failed.time > 1_700_000_000
    with pytest.raises(AttributeError):
        failed.title = "y"  # type: ignore[misc]
