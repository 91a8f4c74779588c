"""What jedi infers at a cursor, on one thread of its own, within a deadline.

jedi sees only values whose inspection runs no code of the user's: modules, functions, classes and
plain builtin values. An answer that comes too late is kept for the next keystroke.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from aiex_ipy.grounding.completing import reading
from aiex_ipy.grounding.completing.evaluating import Names
from aiex_ipy.grounding.completing.offers import Offer
from aiex_ipy.grounding.completing.place import Place
from aiex_ipy.grounding.live.static import MISSING, is_class, module_of

MOST_OFFERS = 100
MOST_NAMES = 200
"""Names of the namespace given to jedi: those the text uses."""
KEPT_ANSWERS = 32
PATH = Path("aiex-completing.py")
"""jedi's parser keeps the last tree by path and changes it in place; IPython asks it without one,
maybe in another thread. Source: parso 0.8, `Grammar._parse` with `diff_cache`."""
_PLAIN = (int, float, complex, bool, str, bytes, type(None))
_LIBRARIES = frozenset(("numpy", "pandas", "polars", "pyarrow"))

Done = Callable[[tuple[Offer, ...] | None], object]
Key = tuple[str, tuple[tuple[str, int, int], ...]]


class _Question:
    __slots__ = ("done", "key", "names", "place")

    def __init__(self, place: Place, names: dict[str, Any], key: Key, done: Done) -> None:
        self.place = place
        self.names = names
        self.key = key
        self.done = done


class Inference:
    """Answers one question after another on one daemon thread, which begins with the first
    question and ends with `close`; a waiting question gives way to a newer one."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._waiting: _Question | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self._answers: OrderedDict[Key, tuple[str, tuple[Offer, ...]]] = OrderedDict()

    def ask(self, place: Place, names: Names, done: Done) -> Callable[[], None]:
        """Hand in a question; `done` gets the offers, or None when a newer one took its place.

        Known answers are given at once. Returns how to take the question back.
        """
        if not worth_asking(place):
            done(())
            return _nothing
        stem = place.code[: len(place.code) - len(place.word)]
        values = _shown(place.code, names)
        key = (stem, tuple((name, id(v), id(type(v))) for name, v in values.items()))
        with self._condition:
            known = self._answers.get(key)
        if known is not None and place.word.startswith(known[0]):
            done(_matching(known[1], known[0], place.word))
            return _nothing
        question = _Question(place, values, key, done)
        with self._condition:
            if self._closed:
                replaced: _Question | None = question
            else:
                replaced, self._waiting = self._waiting, question
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._work, name="aiex-inference", daemon=True
                    )
                    self._thread.start()
                self._condition.notify()
        if replaced is not None:
            replaced.done(None)

        def take_back() -> None:
            with self._condition:
                if self._waiting is question:
                    self._waiting = None

        return take_back

    def wait(self, place: Place, names: Names, deadline_s: float) -> tuple[Offer, ...] | None:
        """Return what jedi offers, or None when it has not answered in time."""
        ready = threading.Event()
        found: list[tuple[Offer, ...] | None] = []

        def done(offers: tuple[Offer, ...] | None) -> None:
            found.append(offers)
            ready.set()

        self.ask(place, names, done)
        ready.wait(deadline_s)
        return found[0] if found else None

    def close(self) -> None:
        """End the thread when its question is answered; waits for nothing."""
        with self._condition:
            self._closed = True
            waiting, self._waiting = self._waiting, None
            self._answers.clear()
            self._condition.notify()
        if waiting is not None:
            waiting.done(None)

    def _work(self) -> None:
        while True:
            with self._condition:
                while self._waiting is None and not self._closed:
                    self._condition.wait()
                question, self._waiting = self._waiting, None
            if question is None:
                return
            try:
                offers = _inferred(question.place, question.names)
            except Exception:  # jedi fails in many ways on odd code
                offers = ()
            with self._condition:
                if not self._closed:
                    self._answers[question.key] = (question.place.word, offers)
                    while len(self._answers) > KEPT_ANSWERS:
                        self._answers.popitem(last=False)
            question.done(offers)
            del question


def worth_asking(place: Place) -> bool:
    """False where jedi would list all there is, or the files of a directory."""
    if place.kind == "name":
        return bool(place.word) or bool(place.enclosures and place.enclosures[0].head)
    return place.kind in ("attribute", "import", "from")


def _nothing() -> None:
    """Take back what is answered already."""


def _matching(offers: tuple[Offer, ...], before: str, word: str) -> tuple[Offer, ...]:
    more = len(word) - len(before)
    if not more:
        return offers
    return tuple(
        offer._replace(insert=offer.insert[more:])
        for offer in offers
        if offer.text.startswith(word) and offer.text != word
    )


def _shown(code: str, names: Names) -> dict[str, Any]:
    """The live values that jedi may look at, of the names in the text."""
    import re

    used = dict.fromkeys(re.findall(r"[^\W\d]\w*", code))
    found: dict[str, Any] = {}
    for name in used:
        value = names.get(name)
        if value is not MISSING and harmless(value):
            found[name] = value
            if len(found) == MOST_NAMES:
                break
    return found


def harmless(value: Any) -> bool:
    """True when listing and reading a value's attributes runs no code of the user's."""
    if is_class(value):
        return type(value) is type
    kind = type(value)
    if reading.is_one_of(kind, (FunctionType, BuiltinFunctionType, MethodType, *_PLAIN)):
        return True
    if kind is ModuleType:
        own = reading.own(value)
        return "__dir__" not in own or own.get("__name__") in _LIBRARIES
    return module_of(kind).partition(".")[0] in _LIBRARIES


def _inferred(place: Place, names: dict[str, Any]) -> tuple[Offer, ...]:
    import jedi

    interpreter = jedi.Interpreter(place.code, [names], path=PATH)
    # Properties of live objects are not read. IPython's own jedi keeps its setting.
    interpreter._inference_state.allow_unsafe_executions = False
    offers = [
        Offer(each.name_with_symbols, each.complete or "", each.type)
        for each in interpreter.complete()
        if each.complete
    ]
    kinds = {"statement": "variable", "instance": "variable", "param": "argument"}
    offers.sort(key=lambda o: (o.kind != "param", o.text.startswith("_"), o.text))
    return tuple(
        offer._replace(kind=kinds.get(offer.kind, offer.kind)) for offer in offers[:MOST_OFFERS]
    )
