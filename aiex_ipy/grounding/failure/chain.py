"""The exceptions of a failure: its chain of causes, groups, and messages read without running
code of the user's."""

from __future__ import annotations

from collections.abc import Sequence
from types import FunctionType, TracebackType
from typing import Any

from aiex_ipy.grounding.failure import printed
from aiex_ipy.grounding.failure.evaluate import attribute, lookup
from aiex_ipy.grounding.failure.frames import Stack, expression_in, steps_of, tell, window
from aiex_ipy.grounding.failure.moment import LiveFrame
from aiex_ipy.grounding.failure.record import ErrorRecord, FrameRecord, Line, Relation
from aiex_ipy.grounding.failure.sources import Sources
from aiex_ipy.grounding.failure.variables import Teller
from aiex_ipy.grounding.live.describe import describe
from aiex_ipy.grounding.live.static import class_attribute, derives, instance_dict, named, qualname
from aiex_ipy.grounding.owners import is_users, shown_path

MOST_CHAIN = 6
"""Errors of one chain that are told: the last ones and the very first."""
MOST_MEMBERS = 8
"""Members of a group told at each level."""
MOST_DEPTH = 4
"""Levels of groups in groups."""
MOST_PRINTED = 40_000
"""Characters, from the end, in which another process's traceback is looked for."""
MESSAGE_CHARACTERS = 2_000
NOTE_CHARACTERS = 500
MOST_NOTES = 8

_PLAIN = (str, bytes, int, float, complex, bool, type(None))


class Chain:
    """What is told of an exception and those it came from: `errors`, the one to explain last;
    `earlier`, the exceptions themselves; `live`, the frames of the one to explain."""

    def __init__(self, error: BaseException, sources: Sources, teller: Teller) -> None:
        self._sources = sources
        self._teller = teller
        self.left_out: list[str] = []
        self.live: list[LiveFrame] = []
        self.errors: list[ErrorRecord] = []
        chain = _chain(error)
        shown = chain if len(chain) <= MOST_CHAIN else [chain[0], *chain[-MOST_CHAIN + 1 :]]
        if len(shown) < len(chain):
            self.left_out.append(f"{len(chain) - len(shown)} errors in the middle of the chain")
        self.earlier = [each for each, _ in shown if each is not error]
        for each, relation in reversed(shown):  # the one to explain first: time is short
            self.errors.insert(0, self._record(each, relation, top=each is error))
        self._drop_doubles()
        self._tell_texts([each for each, _ in shown])

    def _tell_texts(self, errors: Sequence[BaseException]) -> None:
        """Tell what another process died of, whose traceback an error has as a text alone."""
        for error in errors:
            text = _printed_in(error)
            if not text:
                continue
            told = printed.of_process(text, self._sources)
            if not told:
                continue
            own = type_name(type(error))
            at = next((n for n, each in enumerate(self.errors) if each.type == own), 0)
            if "RemoteTraceback" in own:
                self.errors[at : at + 1] = told
            else:
                self.errors[at:at] = told

    def _drop_doubles(self) -> None:
        """Leave out an error of a library's that says what the next one says, as pandas has."""
        kept = self.errors[-1:]
        for each in reversed(self.errors[:-1]):
            after = kept[0]
            if each.frames or (each.type, each.message) != (after.type, after.message):
                kept.insert(0, each)
        self.errors = kept

    def _record(
        self, error: BaseException, relation: Relation, *, top: bool = False, depth: int = 0
    ) -> ErrorRecord:
        stack = tell(steps_of(_traceback(error)), self._sources, self._teller, outer=top)
        if derives(type(error), SyntaxError):
            _add_place(error, stack, self._sources)
        if top:
            self.live += stack.live
        members: list[ErrorRecord] = []
        if derives(type(error), BaseExceptionGroup):
            inner = vars(BaseExceptionGroup)["exceptions"].__get__(error)
            if depth >= MOST_DEPTH:
                self.left_out.append(f"{len(inner)} errors of a group {depth} levels deep")
                inner = ()
            for number, each in enumerate(inner[:MOST_MEMBERS]):
                first = top and number == 0
                members.append(self._record(each, "member", top=first, depth=depth + 1))
            if len(inner) > MOST_MEMBERS:
                self.left_out.append(f"{len(inner) - MOST_MEMBERS} more errors of the group")
        return ErrorRecord(
            type=type_name(type(error)),
            message=message_of(error),
            notes=_notes(error),
            relation=relation,
            frames=tuple(stack.records),
            folded_after=stack.after,
            libraries_after=stack.libraries_after,
            raised_in=stack.raised_in,
            members=tuple(members),
        )


def _chain(error: BaseException) -> list[tuple[BaseException, Relation]]:
    """The error with those it came from, the first one first; a cycle is followed once."""
    found: list[tuple[BaseException, Relation]] = [(error, "")]
    seen = {id(error)}
    while True:
        last = found[0][0]
        cause = _field(last, "__cause__")
        context = None if _field(last, "__suppress_context__") else _field(last, "__context__")
        before = cause if cause is not None else context
        if before is None or id(before) in seen:
            return found
        seen.add(id(before))
        found.insert(0, (before, "cause" if cause is not None else "context"))


def _field(error: BaseException, name: str) -> Any:
    """A field that every exception has, read past what its class may have put in its place."""
    return vars(BaseException)[name].__get__(error)


def _traceback(error: BaseException) -> TracebackType | None:
    found = _field(error, "__traceback__")
    return found if isinstance(found, TracebackType) else None


def type_name(kind: type) -> str:
    """Return what an error's type is called: its name, with its module unless that is Python's or
    the user's own."""
    return qualname(kind).rpartition("<locals>.")[2]


def message_of(error: BaseException) -> str:
    """Return an error's text. `__str__` runs when it is Python's or a library's and all it would
    print is plain; of a user's class the arguments are told instead."""
    method = class_attribute(type(error), "__str__")
    args = _field(error, "args")
    if derives(type(error), BaseExceptionGroup):
        said = vars(BaseExceptionGroup)["message"].__get__(error)
        count = len(vars(BaseExceptionGroup)["exceptions"].__get__(error))
        return f"{said} ({count} sub-exception{'s' if count != 1 else ''})"
    plain = all(_is_plain(each) for each in args)
    text = None
    if plain and _safe_str(method):
        try:
            text = str.__str__(method(error))
        except Exception:  # a half-made error of a library
            text = None
    if text is None:
        text = _from_parts(error, args)
    if len(text) > MESSAGE_CHARACTERS:
        half = MESSAGE_CHARACTERS // 2
        text = f"{text[:half]} [… {len(text) - 2 * half} characters …] {text[-half:]}"
    return text


def _printed_in(error: BaseException) -> str:
    """The traceback of another process that an error carries: what a worker of a pool sent, or
    what a command wrote to its stderr."""
    held = instance_dict(error)
    for name in ("tb", "stderr", "output"):
        found, text = lookup(held, name)
        if found and type(text) is bytes:
            text = text[-MOST_PRINTED:].decode(errors="replace")
        if found and type(text) is str and printed.HEADER in text[-MOST_PRINTED:]:
            text = text[-MOST_PRINTED:].strip().strip('"').strip()
            return (printed.reports(text) or [""])[-1]
    return ""


def _safe_str(method: Any) -> bool:
    if type(method) is not FunctionType:
        return True  # of C
    return not is_users(method.__code__.co_filename) and "<" not in method.__code__.co_filename


def _from_parts(error: BaseException, args: tuple[Any, ...]) -> str:
    """The arguments, and plain attributes that the class has set, as text."""
    parts = [each if type(each) is str else _shown(each) for each in args]
    fields = [
        f"{name}={_shown(value)}"
        for name, value in named(instance_dict(error), 10)
        if not name.startswith("_") and _is_plain(value) and not any(value is each for each in args)
    ]
    return ", ".join([*parts[:10], *fields])


def _shown(value: Any) -> str:
    told = describe(value)
    return told.value or f"a {told.type}"


def _is_plain(value: Any) -> bool:
    if type(value) in (tuple, list):
        return len(value) <= 100 and all(type(each) in _PLAIN for each in value)
    return type(value) in _PLAIN or (
        derives(type(value), BaseException) and type(value).__module__ == "builtins"
    )


def _notes(error: BaseException) -> tuple[str, ...]:
    found, notes = lookup(instance_dict(error), "__notes__")
    if not found or type(notes) not in (list, tuple):
        return ()
    texts = [each for each in notes if type(each) is str]
    return tuple(each[:NOTE_CHARACTERS] for each in texts[:MOST_NOTES])


def _add_place(error: BaseException, stack: Stack, sources: Sources) -> None:
    """Tell the place of a syntax error as its innermost frame: the code never ran."""
    known = {name: attribute_of(error, name) for name in ("filename", "lineno", "offset", "text")}
    file, line = known["filename"], known["lineno"]
    if type(line) is not int or line < 1:
        return
    file = file if type(file) is str else "<string>"
    text = sources.text(file, None)
    lines = [each.rstrip("\r\n") for each in text.lines]
    own = known["text"]
    told = own.rstrip("\r\n") if type(own) is str else ""
    fits = line <= len(lines) and (not told or told.strip() in lines[line - 1])
    start = max(0, (known["offset"] or 1) - 1) if type(known["offset"]) in (int, type(None)) else 0
    end_line, end = attribute_of(error, "end_lineno"), attribute_of(error, "end_offset")
    single = type(end) is int and end_line == line and end - 1 > start
    span = (line, start, line, end - 1 if single else start + 1)
    own_text = lines[line - 1] if fits else told
    span = span if span[3] <= len(own_text) + 1 else None  # type: ignore[assignment]
    numbers = window(lines, line, inner=True) if fits else (Line(number=line, text=told),)
    place = sources.label(file) or shown_path(file, sources.project_dir)
    if not any(
        each.user for each in stack.records
    ):  # what compiled it called nothing of the user's
        stack.records.clear()
        stack.live.clear()
        stack.after, stack.libraries_after = 0, ()
    stack.records.append(
        FrameRecord(
            function="<module>",
            place=place,
            line=line,
            user=sources.is_users(file),
            lines=numbers if fits or told else (),
            missing="" if fits or told else text.missing,
            expression=expression_in([""] * (line - 1) + [own_text], span) if span else "",
            span=span,
            folded=stack.after,
            libraries=stack.libraries_after,
        )
    )
    stack.after, stack.libraries_after, stack.raised_in = 0, (), ""
    stack.live.append(_live_place(file, line, text.lines, stack.records[-1], sources))


def _live_place(
    file: str, line: int, lines: Any, record: FrameRecord, sources: Sources
) -> LiveFrame:
    live = LiveFrame(None, compile("", file, "exec"), line)
    live.place, live.user = record.place, record.user
    live.source_text = "".join(lines)
    live.missing = record.missing
    if live.user:
        live.source = sources.source(file, sources.text(file, None))
    return live


def attribute_of(error: BaseException, name: str) -> Any:
    """Return a field of an exception of Python's own or of a subclass, None where it has none."""
    for kind in (SyntaxError,):
        descriptor = vars(kind).get(name)
        if descriptor is not None and derives(type(error), kind):
            return descriptor.__get__(error)
    return attribute(error, name)[1]
