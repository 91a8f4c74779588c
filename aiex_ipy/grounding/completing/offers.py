"""What live objects offer at a cursor: names, attributes, columns, keys, arguments, modules."""

from __future__ import annotations

import ast
import builtins
import heapq
import keyword
from collections.abc import Callable, Iterable
from types import (
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any, NamedTuple

from aiex_ipy.grounding.completing import modules, reading, tables
from aiex_ipy.grounding.completing.evaluating import Indexer, Names, Seen, parsed
from aiex_ipy.grounding.completing.place import Enclosure, Place
from aiex_ipy.grounding.completing.reading import MOST_KEYS
from aiex_ipy.grounding.live.static import MISSING, is_class, qualname

MOST_OFFERS = 100
_WORDS = (*keyword.kwlist, *keyword.softkwlist)
_GETTERS = (MemberDescriptorType, GetSetDescriptorType)
_KEY_METHODS = frozenset(("get", "pop", "setdefault", "move_to_end", "__getitem__"))
_ATTRIBUTE_FUNCTIONS = frozenset(("getattr", "hasattr", "setattr", "delattr"))


class Offer(NamedTuple):
    """One thing that may stand at the cursor. `text` is the whole of it as it is written, `insert`
    what is still to be typed; `kind` is a word such as `column`; `detail` a type or signature."""

    text: str
    insert: str
    kind: str
    detail: str = ""


class Offers(NamedTuple):
    """The first offers, best first; `total` is how many there are; `notices` say what was not seen.
    `of_receiver` False: what stands before the cursor is unknown to the live names."""

    items: tuple[Offer, ...] = ()
    total: int = 0
    notices: tuple[str, ...] = ()
    of_receiver: bool = True


Telling = Callable[[str], tuple[str, str]]


class _Batch(NamedTuple):
    """Names of one origin. `more` tells a name's kind and detail; it is asked of what is shown."""

    kind: str
    rank: int
    more: Telling | None


class _Found:
    """Names gathered with their kinds; made into offers when all are there."""

    def __init__(self, place: Place, suffix: str) -> None:
        self.place = place
        self.suffix = suffix
        self.notices: list[str] = []
        self._batch_of: dict[str, _Batch] = {}
        self._groups: dict[tuple[int, int], list[str]] = {}

    def add(
        self, names: Iterable[str], kind: str, rank: int = 1, more: Telling | None = None
    ) -> None:
        """Add the names that begin with the word typed; ranks come one after another, within a
        rank public names before `_private` and `__special__` ones."""
        word = self.place.word
        known = self._batch_of
        new = [name for name in names if name.startswith(word)]
        if known:
            new = [name for name in new if name not in known]
        known.update(dict.fromkeys(new, _Batch(kind, rank, more)))
        if not word.startswith("_"):
            private = [] if word else [name for name in new if name.startswith("_")]
            if private:
                new = [name for name in new if not name.startswith("_")]
                special = [name for name in private if name.startswith("__")]
                private = [name for name in private if not name.startswith("__")]
                self._groups.setdefault((rank, 1), []).extend(private)
                self._groups.setdefault((rank, 2), []).extend(special)
        self._groups.setdefault((rank, 0), []).extend(new)

    def offers(self, write: Callable[[str], str] | None = None) -> Offers:
        """Return the offers; `write` turns a name into what is written for it."""
        word = self.place.word
        best: list[str] = []
        for group in sorted(self._groups):
            best += heapq.nsmallest(MOST_OFFERS - len(best), self._groups[group])
        items = []
        for name in best:
            batch = self._batch_of[name]
            kind, detail = (batch.kind, "") if batch.more is None else batch.more(name)
            text = name if write is None else write(name)
            if text != word:
                items.append(Offer(text, text[len(word) :], kind, detail))
        return Offers(tuple(items), len(self._batch_of), tuple(self.notices))


def offers_at(place: Place, names: Names, suffix: str = "") -> Offers:
    """Return what the live names offer at `place`; `suffix` is the text after the cursor.

    Runs no code of the objects it looks at.
    """
    found = _Found(place, suffix)
    if place.kind == "import":
        inside = modules.submodules(place.receiver) if place.receiver else modules.top_level()
        found.add(inside, "module")
        return found.offers()
    if place.kind == "from":
        return _from_module(found, place)
    if place.kind == "attribute":
        seen = names.evaluate(place.receiver, place.code)
        if seen is None:
            return Offers(of_receiver=False)
        _attributes(found, seen)
        return found.offers()
    if place.kind == "string":
        return _in_string(found, names)
    if place.kind == "subscript":
        return _subscript(found, names)
    if place.kind == "name":
        _arguments(found, names)
        if place.word:
            _plain_names(found, names)
        return found.offers()
    return Offers()


def _plain_names(found: _Found, names: Names) -> None:
    word = found.place.word
    found.add(names.starting_with(word), "", 1, lambda name: kind_of(names.get(name)))
    found.add(_WORDS, "keyword", 2)
    found.add(dir(builtins), "", 2, lambda name: kind_of(getattr(builtins, name)))


def _attributes(found: _Found, seen: Seen) -> None:
    value = seen.value
    if value is MISSING:
        assert seen.cls is not None
        cls = seen.cls
        found.add(reading.class_names(cls), "", 1, lambda name: _member(cls, name, MISSING))
        return
    if type(value) is Indexer:
        return
    columns = tables.columns(value)
    if columns is not None:
        known = reading.class_names(type(value))
        found.add((c for c in columns.names if c.isidentifier() and c not in known), "column", 0)
    kind = type(value)
    own = reading.own(value)
    found.add(
        reading.attribute_names(value),
        "",
        1,
        lambda name: _member(kind, name, reading.attribute(value, name, own), own=name in own),
    )


def _member(cls: type, name: str, value: Any, *, own: bool = False) -> tuple[str, str]:
    """The kind and detail of an attribute of `value`, or of an instance of `cls`; `own` says that
    it is no member of the class."""
    member = reading.in_class(cls, name)
    if type(member) is property:
        return "property", ""
    found = reading.attribute(cls, name) if value is MISSING else value
    if found is MISSING or reading.is_one_of(type(found), _GETTERS):
        return "attribute", ""
    kind, detail = kind_of(found, bound=not own and type(member) is not staticmethod)
    return ("method" if kind == "function" and not own else kind), detail


def kind_of(value: Any, *, bound: bool = False) -> tuple[str, str]:
    """Return what a value is and, in a word, of which type or how it is called; `bound` leaves
    out the first parameter."""
    if reading.is_a(value, ModuleType):
        return "module", ""
    if is_class(value):
        return "class", ""
    if reading.is_one_of(type(value), (FunctionType, MethodType)):
        called = reading.parameters(value, bound=bound)
        return "function", called.heads if called else ""
    if reading.in_class(type(value), "__call__") is not MISSING:
        return "function", ""
    return "variable", qualname(type(value))


def _arguments(found: _Found, names: Names) -> None:
    """Keyword arguments of the call at the cursor."""
    around = found.place.enclosures
    if not around or around[0].bracket != "(" or not around[0].head or around[0].keyword:
        return
    if around[0].argument.strip():
        return
    called = called_by(around[0].head, names)
    if called is None:
        return
    given = {name for piece in around[0].given if (name := _keyword_of(piece))}
    positional = sum(not _keyword_of(piece) for piece in around[0].given)
    given.update(called.positional[:positional])
    after = "" if found.suffix.lstrip().startswith("=") else "="
    free = (f"{name}{after}" for name in called.names if name not in given)
    found.add(free, "argument", 0)


def called_by(head: str, names: Names) -> reading.Parameters | None:
    """Return how the expression `head` is called, None when that is not known."""
    node = parsed(head)
    if node is None:
        return None
    bound = False
    if isinstance(node, ast.Attribute):
        inner = names.of_node(node.value)
        if inner is not None:
            bound = fills_first(inner, node.attr)
    seen = names.of_node(node)
    if seen is None or seen.value is MISSING:
        return None
    return reading.parameters(seen.value, bound=bound)


def fills_first(owner: Seen, name: str) -> bool:
    """True when calling the attribute `name` of `owner` fills its first parameter."""
    if owner.value is MISSING:
        return owner.cls is not None and type(reading.in_class(owner.cls, name)) is not staticmethod
    if reading.is_a(owner.value, ModuleType):
        return False
    if is_class(owner.value):
        return type(reading.in_class(owner.value, name)) is classmethod
    if name in reading.own(owner.value):
        return False
    return type(reading.in_class(type(owner.value), name)) is not staticmethod


def _keyword_of(piece: str) -> str:
    name, sign, rest = piece.partition("=")
    name = name.strip()
    return name if sign and name.isidentifier() and not rest.startswith("=") else ""


def _from_module(found: _Found, place: Place) -> Offers:
    import sys

    module = sys.modules.get(place.receiver)
    if module is not None:
        public = reading.listed(reading.own(module))
        found.add(public, "", 0, lambda name: kind_of(reading.attribute(module, name)))
        found.add(
            reading.attribute_names(module),
            "",
            1,
            lambda name: kind_of(reading.attribute(module, name)),
        )
    found.add(modules.submodules(place.receiver), "module")
    offers = found.offers()
    return offers._replace(of_receiver=module is not None)


def _subscript(found: _Found, names: Names) -> Offers:
    """Keys after `d[`, quotes included."""
    seen = names.evaluate(found.place.receiver, found.place.code)
    if seen is None:
        return Offers(of_receiver=False)
    listed = reading.keys(seen.value)
    closing = "" if found.suffix.startswith("]") else "]"
    if listed is not None:
        plain = (str, int, float, bool, bytes, type(None))
        shown = [repr(key) for key in listed[0] if reading.is_one_of(type(key), plain)]
        found.add((text for text in shown if len(text) < 200), "key")
        if not listed[1]:
            found.notices.append(_not_all("keys"))
    else:
        _take(found, _labels(seen.value, False), "column", repr)
    return found.offers(lambda text: text + closing)


def _in_string(found: _Found, names: Names) -> Offers:
    place = found.place
    for enclosure in place.enclosures:
        if not enclosure.head:
            if enclosure.bracket == "{" and ":" in enclosure.argument:
                break
            continue
        if enclosure.bracket == "[":
            known = _subscript_string(found, names, enclosure)
        else:
            known = _call_string(found, names, enclosure)
        if known:
            break
    offers = found.offers(lambda name: _written(name, place.quote, found.suffix))
    return offers._replace(of_receiver=bool(offers.items))


def _written(name: str, quote: str, suffix: str) -> str:
    """A key as it is written inside quotes, with the closing quote unless it stands there."""
    inner = name.replace("\\", "\\\\").replace(quote, "\\" + quote)
    inner = inner.replace("\n", "\\n").replace("\r", "\\r")
    return inner if suffix.startswith(quote) else inner + quote


def _subscript_string(found: _Found, names: Names, enclosure: Enclosure) -> bool:
    seen = names.evaluate(enclosure.head, found.place.code)
    if seen is None:
        return False
    listed = reading.keys(seen.value)
    if listed is not None:
        found.add(reading.texts(listed[0]), "key")
        if not listed[1]:
            found.notices.append(_not_all("keys"))
        return True
    return _take(found, _labels(seen.value, bool(enclosure.given)), "column")


def _labels(value: Any, after_comma: bool) -> tables.Columns | None:
    if type(value) is Indexer:
        if not value.by_label:
            return None
        return tables.labels(value.table, 1 if after_comma else 0)
    return tables.columns(value) or tables.labels(value, 0)


def _take(
    found: _Found,
    columns: tables.Columns | None,
    kind: str,
    write: Callable[[str], str] = str,
) -> bool:
    if columns is None:
        return False
    found.add((write(name) for name in columns.names), kind, 0)
    if len(columns.names) >= MOST_KEYS and not columns.whole:
        found.notices.append(_not_all("columns"))
    return True


def _not_all(what: str) -> str:
    return f"Only the first {MOST_KEYS:,} {what} were looked at."


def _call_string(found: _Found, names: Names, enclosure: Enclosure) -> bool:
    """Columns, keys or attributes that a call takes as text."""
    receiver, _, method = enclosure.head.rpartition(".")
    if not receiver:
        return _function_string(found, names, enclosure, method)
    seen = names.evaluate(receiver, found.place.code)
    value = MISSING if seen is None else seen.value
    if value is not MISSING:
        listed = reading.keys(value)
        if listed is not None and method in _KEY_METHODS and not enclosure.given:
            found.add(reading.texts(listed[0]), "key")
            return True
        if enclosure.head == "os.getenv" and not enclosure.given:
            found.add(reading.texts(reading.keys(names_environ())[0]), "key")  # type: ignore[index]
            return True
        columns = tables.columns(value)
        if columns is not None:
            if method in tables.TAKE_EXPRESSIONS:
                return _expression(found, columns)
            if method in tables.TAKE_COLUMNS or enclosure.keyword in tables.COLUMN_KEYWORDS:
                return _take(found, columns, "column")
            return False
    if method in tables.MAKE_COLUMNS:
        return _column_maker(found, names)
    return _table_argument(found, names, enclosure)


def names_environ() -> Any:
    """Return the process's environment."""
    import os

    return os.environ


def _function_string(found: _Found, names: Names, enclosure: Enclosure, function: str) -> bool:
    if function in _ATTRIBUTE_FUNCTIONS and len(enclosure.given) == 1:
        seen = names.evaluate(enclosure.given[0], found.place.code)
        if seen is not None:
            _attributes(found, seen)
        return True
    if function in tables.MAKE_COLUMNS:
        return _column_maker(found, names)
    if function == "getenv":
        found.add(reading.texts(reading.keys(names_environ())[0]), "key")  # type: ignore[index]
        return True
    return _table_argument(found, names, enclosure)


def _expression(found: _Found, columns: tables.Columns) -> bool:
    """Names inside the text of `df.query("…")`: the last word of it is what is typed."""
    content = found.place.word
    at = len(content)
    while at and (content[at - 1].isalnum() or content[at - 1] == "_"):
        at -= 1
    place = found.place._replace(word=content[at:], start=found.place.start + at, quote="")
    found.place = place
    known = (name for name in columns.names if name.isidentifier())
    found.add(known, "column", 0)
    # No closing quote follows a name in an expression.
    found.suffix = '"'
    return True


def _column_maker(found: _Found, names: Names) -> bool:
    """`pl.col("…")`: columns of the tables whose methods are called around it, else of all."""
    for enclosure in found.place.enclosures[1:]:
        receiver = enclosure.head.rpartition(".")[0]
        seen = names.evaluate(receiver, found.place.code) if receiver else None
        columns = None if seen is None else tables.columns(seen.value)
        if columns is not None:
            return _take(found, columns, "column")
    taken = False
    for namespace in names.namespaces:
        for value in list(namespace.values()):
            if qualname(type(value)) == "DataFrame":
                taken = _take(found, tables.columns(value), "column") or taken
    return taken


def _table_argument(found: _Found, names: Names, enclosure: Enclosure) -> bool:
    """Columns of a table that is another argument of the call: `lineplot(data=df, x="…")`."""
    if enclosure.keyword not in tables.COLUMN_KEYWORDS:
        return False
    for piece in enclosure.given:
        keyword_name = _keyword_of(piece)
        source = piece.partition("=")[2] if keyword_name else piece
        seen = names.evaluate(source, found.place.code)
        columns = None if seen is None else tables.columns(seen.value)
        if columns is not None:
            _take(found, columns, "column")
    return True
