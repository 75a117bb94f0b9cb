"""The messages that pass between the bridge, the widgets and the screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from sdtui.errors import SdtuiError
    from sdtui.protocol.events import EngineStatus, Event, StepCompleted
    from sdtui.tui.model_description import ModelDescription


@dataclass
class EventReceived(Message, bubble=False):
    """The engine told of something that belongs to the job in view or to no job."""

    event: Event


@dataclass
class StepsCompleted(Message, bubble=False):
    """The steps of the job in view since the last beat, or up to what is told after them."""

    events: list[StepCompleted]


@dataclass
class FrameArrived(Message, bubble=False):
    """A preview lies in the bridge's slot; `EngineBridge.take_frame` fetches the newest."""


@dataclass
class EngineConnected(Message):
    """A connection to the engine stands."""

    status: EngineStatus | None


@dataclass
class EngineLost(Message):
    """The engine is gone or did not answer; another attempt follows."""

    error: SdtuiError | None


@dataclass
class ModelDescribed(Message):
    """What the model's files tell without loading it was read."""

    description: ModelDescription
