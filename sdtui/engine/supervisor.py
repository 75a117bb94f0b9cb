"""The engine's own process: clients come and go, the jobs stay."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import closing, suppress

import msgspec

import sdtui
from sdtui.engine import log_file
from sdtui.engine.dispatch import Dispatcher
from sdtui.engine.gallery_desk import GalleryDesk
from sdtui.engine.listener import (
    AnotherEngineServesError,
    Listener,
    listening,
    only_engine,
    peer_uid,
)
from sdtui.engine.patience import Patience
from sdtui.engine.subscriber import Subscriber
from sdtui.engine.worker_process import WORKER_COMMAND
from sdtui.errors import EngineError, ParameterError, SdtuiError
from sdtui.history.database import Database
from sdtui.history.naming import NameTemplate
from sdtui.params import validate
from sdtui.protocol.codec import Decoder
from sdtui.protocol.events import (
    FINAL_EVENTS,
    Event,
    JobStarted,
    PreviewReady,
    RequestCarriedOut,
    RequestRefused,
)
from sdtui.protocol.gallery import GalleryRequest
from sdtui.protocol.requests import (
    Adjust,
    AnsweredRequest,
    Attach,
    Cancel,
    ClearEnded,
    ClientRequest,
    GrantPreview,
    LoadModel,
    MoveUp,
    PauseQueue,
    Requeue,
    ResumeQueue,
    ShowLatents,
    Shutdown,
    Submit,
)

log = logging.getLogger(__name__)

_FAREWELL_SECONDS = 2.0
"""How long the last events may take to reach the clients when the engine ends."""


class Supervisor:
    """Serves any number of clients on one socket and lets them share one queue and one worker.

    `database` is its own alone, and open before the first client can ask for anything.
    """

    def __init__(
        self,
        database: Database,
        *,
        worker_command: Sequence[str] = WORKER_COMMAND,
        patience: Patience = Patience(),  # noqa: B008 - it is frozen
    ) -> None:
        self._dispatcher = Dispatcher(self._publish, database, worker_command, patience)
        self._gallery_desk = GalleryDesk(database)
        self._patience = patience
        self._subscribers: set[Subscriber] = set()
        self._connections: set[asyncio.Task[None]] = set()
        self._unseen_end = False
        self._stop = asyncio.Event()
        self._activity = asyncio.Event()

    async def serve(self) -> None:
        """Serve until asked to stop, signalled, lost to clients, or idle for long enough.

        Nobody can connect before it is known what a former engine left. Raises `SdtuiError` when
        that cannot be read.
        """
        self._dispatcher.restore()
        with listening() as listener:
            await self._serve(listener)

    async def _serve(self, listener: Listener) -> None:
        loop = asyncio.get_running_loop()
        # Who logs out or shuts the machine down may send SIGHUP right behind SIGTERM.
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        server = await asyncio.start_unix_server(self._connected, sock=listener.socket)
        self._dispatcher.start()
        watches = [
            asyncio.create_task(self._watch_idleness()),
            asyncio.create_task(self._watch_socket(listener)),
            asyncio.create_task(self._watch_log()),
        ]
        log.info("engine %s serves", sdtui.__version__)
        try:
            await self._stop.wait()
        finally:
            for watch in watches:
                watch.cancel()
            server.close()
            await self._dispatcher.stop()
            await self._dismiss_clients()
            log.info("engine ends")

    async def _watch_idleness(self) -> None:
        now = asyncio.get_running_loop().time
        ends_at = now() + self._patience.idle_exit
        while self._is_needed or now() < ends_at:
            self._activity.clear()
            if self._is_needed:
                await self._activity.wait()
                ends_at = now() + self._patience.idle_exit
            else:
                # What happens meanwhile may leave the engine as little needed as before.
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(ends_at):
                        await self._activity.wait()
        log.info("nobody and nothing needs the engine")
        self._stop.set()

    async def _watch_socket(self, listener: Listener) -> None:
        # The removal of a file is no event that one could wait for.
        while listener.can_be_found or self._is_needed:  # noqa: ASYNC110
            await asyncio.sleep(self._patience.socket_look)
        log.warning("the socket was removed, so nobody can come any more")
        self._stop.set()

    async def _watch_log(self) -> None:
        while log_file.is_standard_error():
            try:
                log_file.put_aside_if_large()
                if log_file.reopen():
                    self._dispatcher.reopen_log()
            except (OSError, EngineError):
                log.exception("the log cannot be put aside")
            await asyncio.sleep(self._patience.log_look)

    @property
    def _is_needed(self) -> bool:
        dispatcher = self._dispatcher
        return bool(self._subscribers) or dispatcher.has_work or dispatcher.waits_for_disk

    # Clients ------------------------------------------------------------------------------------

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        subscriber = Subscriber(writer)
        delivery = asyncio.create_task(subscriber.deliver())
        try:
            if peer_uid(writer.get_extra_info("socket")) == os.getuid():
                await self._converse(reader, subscriber)
            else:
                log.warning("a connection of another user is refused")
        except asyncio.CancelledError:
            log.info("a client is dismissed")
        finally:
            self._subscribers.discard(subscriber)
            self._connections.discard(task)
            self._activity.set()
            subscriber.close()
            await asyncio.wait({delivery}, timeout=_FAREWELL_SECONDS)
            subscriber.abort()
            await delivery

    async def _converse(self, reader: asyncio.StreamReader, subscriber: Subscriber) -> None:
        """Carry out what a client asks until it leaves or says what nobody understands.

        All is done in the order in which it was asked for, but for the gallery's answers: they wait
        for files, and neither each other nor anything else waits for them.
        """
        decoder: Decoder[ClientRequest | GalleryRequest] = Decoder(ClientRequest | GalleryRequest)
        async with asyncio.TaskGroup() as answers:
            while True:
                try:
                    request = await decoder.read(reader)
                except SdtuiError as error:
                    subscriber.send(_refusal(error))
                    return
                if request is None:
                    return
                if isinstance(request, GalleryRequest):
                    answers.create_task(self._answer(request, subscriber))
                    continue
                try:
                    self._carry_out(request, subscriber)
                except Exception as error:
                    subscriber.send(_refusal(_told(error), request))
                    if isinstance(request, Attach):
                        return

    async def _answer(self, request: GalleryRequest, subscriber: Subscriber) -> None:
        try:
            self._require_attached(subscriber)
            subscriber.send(await self._gallery_desk.answer(request))
        except Exception as error:
            subscriber.send(_refusal(_told(error), request))

    def _carry_out(self, request: ClientRequest, subscriber: Subscriber) -> None:
        if isinstance(request, Shutdown):
            self._shut_down(request)
            return
        if isinstance(request, Attach):
            self._attach(request, subscriber)
            return
        self._require_attached(subscriber)
        match request:
            case Submit():
                self._dispatcher.submit(request)
            case MoveUp():
                self._dispatcher.move_up(request)
            case Requeue():
                self._dispatcher.requeue(request)
            case ClearEnded():
                self._dispatcher.clear_ended(request)
            case PauseQueue() | ResumeQueue():
                self._dispatcher.pause(isinstance(request, PauseQueue))
            case Cancel():
                self._dispatcher.cancel(request)
            case Adjust():
                validate("guidance_scale", request.guidance_scale)
                self._dispatcher.adjust(request)
            case LoadModel():
                self._dispatcher.load_model(request)
            case GrantPreview():
                subscriber.has_credit = True
                self._pass_on_credits()
            case ShowLatents():
                subscriber.shows_latents = request.shown
                self._pass_on_credits()
        if isinstance(request, AnsweredRequest):
            subscriber.send(RequestCarriedOut(request_id=request.request_id))

    def _require_attached(self, subscriber: Subscriber) -> None:
        if subscriber not in self._subscribers:
            raise EngineError("Attach comes first", "The request was not carried out.")

    def _attach(self, request: Attach, subscriber: Subscriber) -> None:
        if request.version != sdtui.__version__:
            raise EngineError(
                "The engine is of another version",
                f"The engine is {sdtui.__version__}, this program {request.version}.",
                "Run `sdtui engine stop`, then start again.",
            )
        # Whoever has been told anything is attached, so what can fail comes first.
        queue = self._dispatcher.queue
        subscriber.send(self._dispatcher.status)
        for record in self._dispatcher.replay(with_last=self._unseen_end):
            for key, frame in record:
                subscriber.send_frame(key, frame)
        # What was replayed is past; the last word is how things are now.
        subscriber.send(self._dispatcher.status)
        subscriber.send(queue)
        self._subscribers.add(subscriber)
        self._activity.set()

    def _shut_down(self, request: Shutdown) -> None:
        if request.force:
            self._stop.set()
            return
        if self._dispatcher.waits_for_disk:
            raise EngineError(
                "The engine waits for the disk",
                "A picture, or how a job ended, is not written down yet.",
                "Make room on the disk first, or stop with --force: then that job is made again.",
            )
        if self._dispatcher.has_jobs:
            raise EngineError(
                "The engine is at work",
                "A job runs or waits.",
                "Cancel it first, or stop with --force: jobs go on at the engine's next start.",
            )
        self._stop.set()

    async def _dismiss_clients(self) -> None:
        conversations = list(self._connections)
        for conversation in conversations:
            conversation.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)

    # Events -------------------------------------------------------------------------------------

    def _publish(self, event: Event, frame: bytes) -> None:
        """Pass an event on to every client; none of them can hold up the others."""
        if isinstance(event, JobStarted):
            self._unseen_end = False
        elif isinstance(event, FINAL_EVENTS) and not self._subscribers:
            self._unseen_end = True
        for subscriber in self._subscribers:
            if isinstance(event, PreviewReady):
                subscriber.send_preview(event, frame)
            else:
                subscriber.send(event, frame)
        self._pass_on_credits()
        self._activity.set()

    def _pass_on_credits(self) -> None:
        ready = [subscriber for subscriber in self._subscribers if subscriber.has_credit]
        if ready:
            latents = any(subscriber.shows_latents for subscriber in ready)
            self._dispatcher.grant_preview(latents=latents)


def _told(error: Exception) -> SdtuiError:
    """What a client is told of an error; of a defect as well, so that it need not wait."""
    if isinstance(error, SdtuiError):
        return error
    log.error("a request could not be carried out", exc_info=error)
    return EngineError(
        "The engine could not do that",
        f"{type(error).__name__}: {error}",
        "`sdtui engine logs` says more.",
    )


def _refusal(
    error: SdtuiError, request: ClientRequest | GalleryRequest | None = None
) -> RequestRefused:
    return RequestRefused(
        request_id=getattr(request, "request_id", None),
        title=error.title,
        message=error.message,
        remedy=error.remedy,
        field=error.field if isinstance(error, ParameterError) else None,
    )


def main() -> int:
    """Be the engine until it is no longer needed; the exit code is 0 if another one serves."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"
    )
    try:
        NameTemplate.configured()
        patience = Patience.from_environment()
        with only_engine(), closing(Database.open()) as database:
            asyncio.run(Supervisor(database, patience=patience).serve())
    except AnotherEngineServesError:
        log.info("another engine serves already")
    except SdtuiError as error:
        log.error("%s", error)
        # Whoever started this process and waits for an answer finds it at the end of the log.
        print(msgspec.json.encode(_refusal(error)).decode(), file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
