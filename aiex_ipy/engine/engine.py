"""The façade every front end talks to, and the composition root."""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from msgspec import structs

from aiex_ipy.config import load
from aiex_ipy.config.settings import Settings
from aiex_ipy.engine.continuing import CutAnswers
from aiex_ipy.engine.jobs import Job
from aiex_ipy.engine.loop import LoopThread
from aiex_ipy.engine.makers import MAKERS
from aiex_ipy.engine.table import operation_for
from aiex_ipy.errors import EngineClosedError, InterruptedAnswerError, UnknownNameError
from aiex_ipy.grounding.complexity_engine import load_in_main_thread
from aiex_ipy.messages import Answer
from aiex_ipy.operations.base import UPDATES, Request, Speaking, Update, WordsRequest
from aiex_ipy.operations.run import choice_for, offline, stream
from aiex_ipy.operations.view import View
from aiex_ipy.redaction import Redactor
from aiex_ipy.routing.noted import OF_REQUEST
from aiex_ipy.routing.router import Router
from aiex_ipy.routing.state import RoutingState
from aiex_ipy.workspace import Workspace

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from aiex_ipy.engine.surroundings import Surroundings
    from aiex_ipy.grounding.ruff_server import RuffServer

Res = TypeVar("Res")
CLOSE_TIMEOUT_S = 10.0


def _linter() -> RuffServer:
    from aiex_ipy.grounding.ruff_server import RuffServer

    return RuffServer()


class Engine:
    """Runs requests; any thread may use one engine, many requests at once.

    `surroundings` is what a front end tells of its session: cells, names, the last failure. It
    owns one loop thread (started with the first request that needs a model), the
    providers' clients on that loop, and, with `kernel=True`, a linter kept open. `close`
    ends all of it; a closed engine raises EngineClosedError, and so does one whose loop runs in
    the process that this one is a fork of.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        models: Router | None = None,
        kernel: bool = False,
        surroundings: Surroundings | None = None,
        state: RoutingState | None = None,
    ) -> None:
        self._settings = settings if settings is not None else load()
        self.surroundings = surroundings
        self.cut_answers = CutAnswers()
        self._given_models = models
        self._models: Router | None = models
        self._loop = LoopThread()
        self._ruff = _linter() if kernel else None
        self._closed = False
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._state = models.state if models is not None else state or RoutingState()
        _engines.add(self)
        self._view: View | None = None
        self._under_way: dict[Router, int] = {}
        self._replaced: set[Router] = set()
        self._awaited: dict[Job[Any], AbstractEventLoop] = {}
        self._at_close: list[Callable[[], object]] = []

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    def configure(self, settings: Settings) -> None:
        """Use other settings from the next request on; requests under way keep theirs."""
        with self._lock:
            old, self._models = self._models, self._given_models
            self._settings = settings
            self._view = None
        if old is not None and old is not self._given_models and self._loop.started:
            self._loop.submit(self._replace(old))

    async def _replace(self, models: Router) -> None:
        self._replaced.add(models)
        self._under_way[models] = self._under_way.get(models, 0) + 1
        await self._left(models)

    @property
    def loop_running(self) -> bool:
        """True once a request has needed the loop's thread."""
        return self._loop.started

    @property
    def models(self) -> Router:
        """The configured providers as one."""
        with self._lock:
            self._check_open()
            if self._models is None:
                self._models = Router(self._settings, state=self._state)
            return self._models

    @property
    def view(self) -> View:
        """What operations may look at under the present settings."""
        with self._lock:
            if self._view is None:
                load_in_main_thread()
                self._view = View(
                    settings=self._settings,
                    workspace=Workspace(self._settings),
                    redactor=Redactor.from_settings(self._settings),
                    ruff=self._ruff,
                )
            return self._view

    def run_sync(self, request: Request[Res]) -> Res:
        """Return the request's result; the calling thread waits.

        When it is certain that no model will be used, everything happens in this thread and
        no event loop is made.
        """
        self._check_open()
        operation = operation_for(request)
        if self.is_offline(request):
            result = offline(operation, request, self._view_for(request))
            if result is not None:
                return result
        return self.submit(request).result()

    def is_offline(self, request: Request[Any]) -> bool:
        """True when it is certain, without asking any server, that no model will be used."""
        return self.models.certainly_none(choice_for(operation_for(request), request))

    def request_to_continue(
        self,
        cut: Answer | InterruptedAnswerError | None = None,
        *,
        provider: str | None = None,
        model: str | None = None,
    ) -> WordsRequest:
        """Return the request that goes on with `cut`, None for the last answer that was cut.

        Raises UsageError where that cannot be continued, UnknownNameError for a provider that is
        none, or is no more.
        """
        request = self.cut_answers.request_for(cut, provider=provider, model=model)
        try:
            self.is_offline(request)
        except UnknownNameError as error:
            if provider is None:
                error.hint = (
                    "Name another, with %aiex continue --provider NAME or with"
                    " aiex.continue_answer(provider=NAME)."
                )
            raise
        return request

    def _view_for(self, request: Request[Any]) -> View:
        if not request.allow_secret_file:
            return self.view
        return structs.replace(self.view, allow_secret_file=True)

    def submit(self, request: Request[Res]) -> Job[Res]:
        """Start a request on the engine's loop and return at once."""
        self._check_open()
        operation = operation_for(request)
        models, view = self.models, self._view_for(request)
        self.cut_answers.asked(request)

        def cancelled(said: str, who: Speaking) -> None:
            self.cut_answers.keep_cancelled(said, who, request)

        job: Job[Res] = Job(cancelled=cancelled)

        async def work() -> Res:
            import asyncio
            from contextlib import aclosing

            OF_REQUEST.set(job.calls)
            self._under_way[models] = self._under_way.get(models, 0) + 1
            try:
                updates: AsyncGenerator[Any, None] = stream(
                    operation, request, view, models, asyncio.to_thread
                )
                async with aclosing(updates) as items:
                    async for item in items:
                        if isinstance(item, UPDATES):
                            job.put(item)
                        else:
                            result: Res = item
                            self.cut_answers.keep(result, request)
                            return result
                raise AssertionError(f"{operation.name!r} ended without a result")
            except InterruptedAnswerError as error:
                self.cut_answers.keep(error, request)
                raise
            finally:
                job.settled.set()
                await self._left(models)

        return job.started(self._loop.submit(work()))

    async def _left(self, models: Router) -> None:
        """Close replaced providers when their last request has ended; on the loop."""
        self._under_way[models] -= 1
        if not self._under_way[models]:
            del self._under_way[models]
            if models in self._replaced:
                self._replaced.discard(models)
                await models.aclose()

    def updates(self, request: Request[Res]) -> Generator[Update | Res, None, None]:
        """Yield updates, last the result, in the calling thread. Closing it cancels."""
        yield from self.updates_of(self.submit(request))

    def updates_of(self, job: Job[Res]) -> Generator[Update | Res, None, None]:
        """Yield a job's updates, last its result, in the calling thread. Closing it cancels."""
        try:
            yield from job
            yield job.result()
        finally:
            if not job.done:
                job.cancel_and_wait()

    async def run(self, request: Request[Res]) -> Res:
        """Return the request's result; any event loop may await it. Cancelling cancels."""
        import asyncio

        job = self.submit(request)
        self._note_awaited(job, asyncio.get_running_loop())
        return await asyncio.wrap_future(job.future)

    def _note_awaited(self, job: Job[Any], loop: AbstractEventLoop) -> None:
        self._awaited[job] = loop
        job.future.add_done_callback(lambda _: self._awaited.pop(job, None))

    def end_abandoned(self) -> None:
        """End the requests awaited on an event loop that does not run: what an interrupt leaves
        behind that was raised out of the loop, whose tasks it does not cancel."""
        for job, loop in list(self._awaited.items()):
            if not loop.is_running():
                job.cancel()

    async def stream(self, request: Request[Res]) -> AsyncGenerator[Update | Res, None]:
        """Yield updates, last the result, on the caller's loop. Closing it cancels."""
        from contextlib import aclosing

        async with aclosing(self.follow(self.submit(request))) as items:
            async for item in items:
                yield item

    async def follow(self, job: Job[Any]) -> AsyncGenerator[Any, None]:
        """Yield a job's updates, last its result, on the caller's loop. Closing it cancels."""
        import asyncio

        loop = asyncio.get_running_loop()
        self._note_awaited(job, loop)
        waker = asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(waker.set)

        job.listen(wake)
        try:
            ended = False
            while not ended:
                await waker.wait()
                waker.clear()
                updates, ended = job.poll(0)
                for update in updates:
                    yield update
            yield await asyncio.wrap_future(job.future)
        finally:
            job.cancel()

    def at_close(self, end: Callable[[], object]) -> None:
        """Have `end` called when the engine is closed. Raises EngineClosedError."""
        with self._lock:
            self._check_open()
            self._at_close.append(end)

    def call(self, work: Coroutine[Any, Any, Res]) -> Res:
        """Run a coroutine on the engine's loop and wait for it in the calling thread."""
        self._check_open()
        return self._loop.submit(work).result()

    def close(self) -> None:
        """End the requests, clients, child processes and the loop. Safe to call twice.

        All of it is ended, whatever of it fails; the failure is raised then. In a forked child the
        parent's are left alone.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            models = self._models
        with ExitStack() as ends:  # the last one is called first
            if os.getpid() == self._pid and self._ruff is not None:
                ends.callback(self._ruff.close)
            ends.callback(self._loop.stop)
            if models is not None and self._loop.started:
                ends.callback(self._close_models, models)
            if os.getpid() == self._pid:
                for end in reversed(self._at_close):
                    ends.callback(end)

    def _close_models(self, models: Router) -> None:
        self._loop.submit(models.aclose()).result(CLOSE_TIMEOUT_S)

    def _check_open(self) -> None:
        if self._closed:
            raise EngineClosedError(
                "This engine was closed.", hint="Load the extension again or make a new Engine."
            )


_engines: WeakSet[Engine] = WeakSet()
_left_behind: list[Engine] = []
_default: Engine | None = None
_made_here: Engine | None = None
_default_lock = threading.Lock()


def default_engine() -> Engine:
    """Return the process's engine, made on first use by the session in charge, else here; a forked
    child makes its own."""
    global _default, _made_here
    if (_default is None or _default._closed or _default is _made_here) and MAKERS:
        made: Engine = MAKERS[-1]()
        return made
    with _default_lock:
        if _default is None or _default._closed:
            _default = _made_here = Engine()
        return _default


def state_so_far() -> RoutingState | None:
    """Return how the providers stand, and what was used, that were asked before a session took
    charge of the process; None when nobody was."""
    return _made_here._state if _made_here is not None else None


def use_engine(engine: Engine | None) -> Engine | None:
    """Make `engine` the process's own and return the one before."""
    global _default
    with _default_lock:
        before, _default = _default, engine
        return before


def _forget() -> None:
    """In a forked child: leave the parent's engines alone, and keep them.

    Their sockets and the loop's epoll are shared with the parent: if they were collected here, the
    parent's loop would hear no more of its connections. Another thread may have held their locks.
    """
    global _default, _made_here, _default_lock
    for engine in _engines:
        engine._lock = threading.Lock()
    _left_behind.extend(_engines)
    _default = _made_here = None
    _default_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
