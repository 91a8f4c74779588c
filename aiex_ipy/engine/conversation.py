"""A conversation in memory: turns that remember the turns before."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager

from aiex_ipy.config.settings import BudgetSettings
from aiex_ipy.engine.engine import Engine, default_engine
from aiex_ipy.engine.jobs import Job
from aiex_ipy.engine.table import operation_for
from aiex_ipy.errors import BudgetError, InterruptedAnswerError, UsageError
from aiex_ipy.grounding.facts import Subject
from aiex_ipy.messages import Answer, Message, Usage
from aiex_ipy.operations.base import Update, WordsRequest
from aiex_ipy.operations.chat import ChatRequest, ChatType
from aiex_ipy.operations.run import choice_for
from aiex_ipy.routing.budgets import calls, dollars, refuse_spent
from aiex_ipy.routing.ledger import Call, Spent, Tally
from aiex_ipy.routing.reuse import own_model

MAX_TURNS = 50
"""Turns kept; each prompt takes the newest that fit its budget."""


class Conversation:
    """Asks in turn and remembers; a turn that failed or was interrupted is not remembered.

    An answer that was cut is continued by `resume`, and remembered then.

    `usage` is what all turns used, forgotten ones too. With `budget_usd` or `budget_tokens` the
    turn that reaches it ends, and the next raises BudgetError. So does, with `budget_usd`, a turn
    whose model has no known price, and one after a turn of unknown cost: it could not be kept.
    Raises UsageError for a budget that is no amount above 0.
    """

    def __init__(
        self,
        type: ChatType = "general",
        *,
        context: tuple[str | Subject, ...] = (),
        provider: str | None = None,
        model: str | None = None,
        allow_secret_file: bool = False,
        budget_usd: float | None = None,
        budget_tokens: int | None = None,
        engine: Engine | None = None,
    ) -> None:
        _check_amount("budget_usd", budget_usd, float)
        _check_amount("budget_tokens", budget_tokens, int)
        self.type: ChatType = type
        self.context = context
        self.provider = provider
        self.model = model
        self.allow_secret_file = allow_secret_file
        self._engine = engine
        self._lock = threading.Lock()
        self._turns: list[tuple[Message, Message]] = []
        self._budget = BudgetSettings(cost_usd=budget_usd, tokens=budget_tokens)
        self._cut: Answer | None = None
        self._tally = Tally()
        self._unpriced: list[Call] = []

    @property
    def history(self) -> tuple[Message, ...]:
        """The turns so far, oldest first."""
        with self._lock:
            return tuple(message for turn in self._turns for message in turn)

    @property
    def usage(self) -> Spent:
        """What the turns used so far."""
        with self._lock:
            return self._tally.spent()

    def __repr__(self) -> str:
        turns, spent = len(self._turns), self.usage
        cost = "cost unknown" if spent.cost_usd is None else dollars(spent.cost_usd)
        parts = [
            self.type,
            f"{turns} turn{'' if turns == 1 else 's'} remembered",
            f"{calls(spent.calls)} of {spent.input_tokens} + {spent.output_tokens} tokens, {cost}",
        ]
        if self.was_cut:
            parts.append("the last answer was cut")
        return f"<Chat: {', '.join(parts)}>"

    def clear(self) -> None:
        """Forget all turns, and an answer that was cut; what they used stays counted."""
        with self._lock:
            self._turns.clear()
            self._cut = None

    def request(self, query: str) -> ChatRequest:
        """Return the request of the next turn, for a front end that runs it itself.

        Raises BudgetError when the conversation's budget is spent, or cannot be kept.
        """
        request = ChatRequest(
            query=query,
            type=self.type,
            context=self.context,
            history=self.history,
            provider=self.provider,
            model=self.model,
            allow_secret_file=self.allow_secret_file,
        )
        self._check_budget(request)
        return request

    def remember(self, query: str, answer: Answer) -> None:
        """Add a turn; an answer without text is counted and not remembered."""
        self._count(answer.provider, answer.model, answer.usage)
        if not answer.text:
            return
        with self._lock:
            self._turns.append(
                (
                    Message(role="user", content=query),
                    Message(role="assistant", content=answer.text),
                )
            )
            del self._turns[:-MAX_TURNS]

    def remember_continued(self, request: WordsRequest, answer: Answer) -> None:
        """Add the turn of a request that went on with a cut answer of this conversation, in its
        place where that was remembered; unless something else was asked in between."""
        if not isinstance(request, ChatRequest) or request.so_far is None:
            return
        with self._lock:
            last = [message.content for message in self._turns[-1]] if self._turns else []
            if last == [request.query, request.so_far.text]:
                self._turns.pop()
            elif tuple(message for turn in self._turns for message in turn) != request.history:
                return
        self.remember(request.query, answer)

    def resume(self) -> Generator[Update | Answer, None, None]:
        """Go on with the last answer, which was cut; yields updates, last the whole answer, which
        is remembered. Raises UsageError when it was not cut, and BudgetError."""
        if self._cut is None:
            raise UsageError(
                "The last answer of this conversation was not cut.",
                code="not_continuable",
                hint="Ask something.",
            )
        request = self._asks.request_to_continue(self._cut)
        self._check_budget(request)
        for item in self._updates(request):
            if isinstance(item, Answer):
                self.remember_continued(request, item)
            yield item

    @property
    def was_cut(self) -> bool:
        """True when the last answer was cut, so that `resume` goes on with it."""
        return self._cut is not None

    def stream(self, query: str) -> Generator[Update | Answer, None, None]:
        """Ask one turn; yields updates, last the answer, which is remembered."""
        for item in self._updates(self.request(query)):
            if isinstance(item, Answer):
                self.remember(query, item)
            yield item

    def ask(self, query: str) -> Answer:
        """Ask one turn and return the answer."""
        request = self.request(query)
        job = self._asks.submit(request)
        with self._noting_cuts(request, job) as ended:
            answer = job.result()
            ended(answer)
        self.remember(query, answer)
        return answer

    def _updates(self, request: WordsRequest) -> Generator[Update | Answer, None, None]:
        engine = self._asks
        job = engine.submit(request)
        updates = engine.updates_of(job)
        with self._noting_cuts(request, job) as ended, closing(updates) as items:
            for item in items:
                if isinstance(item, Answer):
                    ended(item)
                yield item

    @contextmanager
    def _noting_cuts(
        self, request: WordsRequest, job: Job[Answer]
    ) -> Iterator[Callable[[Answer], None]]:
        """Note the answer that is left cut, which `resume` goes on with, and count what it used."""

        left = True  # until the answer was handed over, who counts what it used

        def ended(answer: Answer) -> None:
            nonlocal left
            left = False
            self._cut = None if answer.finish in ("stop", "tool_calls") else answer

        try:
            yield ended
        except InterruptedAnswerError as error:
            self._cut = error.answer
            if error.answer is not None:
                error.hint = "Go on with resume(), or ask again: this turn is not remembered."
            self._count_interrupted(error)
            raise
        except BaseException:  # such as an interrupt, or a reader who closes the stream
            if left:
                self._cut = self._asks.cut_answers.answer_of(request) or self._cut
            for call in job.calls if left else ():
                if call.outcome in ("answered", "cancelled"):
                    self._count(call.provider, call.model, call.usage, outcome=call.outcome)
            raise

    @property
    def _asks(self) -> Engine:
        return self._engine or default_engine()

    def _count(self, provider: str, model: str, usage: Usage, outcome: str = "answered") -> None:
        call = Call(provider=provider, model=model, usage=usage, outcome=outcome)
        with self._lock:
            if self._tally.add(call):
                self._unpriced.append(call)

    def _count_interrupted(self, error: InterruptedAnswerError) -> None:
        usage = error.usage if isinstance(error.usage, Usage) else Usage()
        self._count(error.provider, error.model, usage, outcome="interrupted")

    def _check_budget(self, request: WordsRequest) -> None:
        """Raise BudgetError when the budget is spent, or when it is one of cost and what a turn
        cost, or the next one will, is not known."""
        budget = self._budget
        if budget.cost_usd is None and budget.tokens is None:
            return
        if budget.cost_usd is not None:
            unknown = self._price()
            if unknown:
                raise _unknown_price(unknown[0].provider, unknown[0].model)
            self._check_price(request)
        spent = self.usage
        refuse_spent(
            budget,
            spent.cost_usd or 0.0,
            spent.tokens,
            spent.calls,
            "of this conversation",
            "Begin another, with a higher budget.",
        )

    def _check_price(self, request: WordsRequest) -> None:
        """Raise BudgetError when it is not known what the model costs that is asked first."""
        models = self._asks.models
        choice = choice_for(operation_for(request), request)
        targets = self._asks.call(models.targets(choice))
        if not targets:
            return  # the turn says what is missing
        name, model = targets[0].provider, targets[0].model
        instance, local = models.instance(name), models.is_local(name)
        model = model or own_model(instance.kind, models.settings.llm) or ""
        tariffs = models.state.tariffs
        if not tariffs.known(instance, model, local=local):
            self._asks.call(tariffs.look_up(instance, model, local=local))
        if not tariffs.priced(instance, model, local=local):
            raise _unknown_price(name, model or "the default model")

    def _price(self) -> list[Call]:
        """Price the turns that ended before their price was known; return those still unknown."""
        with self._lock:
            turns = list(self._unpriced)
        if not turns:
            return []
        models = self._asks.models
        tariffs = models.state.tariffs
        for turn in turns:
            instance, local = models.instance(turn.provider), models.is_local(turn.provider)
            if not tariffs.known(instance, turn.model, local=local):
                self._asks.call(tariffs.look_up(instance, turn.model, local=local))
            cost = tariffs.cost(instance, turn.model, turn.usage, local=local)
            with self._lock:
                if cost is not None and turn in self._unpriced:
                    self._unpriced.remove(turn)
                    self._tally.settle(cost)
        with self._lock:
            return list(self._unpriced)


def _unknown_price(provider: str, model: str) -> BudgetError:
    return BudgetError(
        f"What model {model!r} of provider {provider!r} costs is not known, so the budget of this"
        " conversation cannot be kept.",
        code="price_unknown",
        hint=f"Set llm.providers.{provider}.input_usd_per_mtok and output_usd_per_mtok, or begin a"
        " conversation with budget_tokens.",
    )


def _check_amount(name: str, value: object, kind: type[int] | type[float]) -> None:
    """Raise UsageError for a budget that is not a finite number above 0."""
    good = isinstance(value, int | kind) and not isinstance(value, bool)
    if value is None or (good and 0 < value < float("inf")):  # type: ignore[operator]
        return
    raise UsageError(
        f"{name} is {value!r}, but must be a number above 0.",
        code="bad_value",
        hint="Leave it out to have no budget.",
    )
