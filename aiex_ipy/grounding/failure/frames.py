"""Frames of a stack: whose code they are, which are told, and the expression that failed."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from itertools import islice
from types import CodeType, FrameType, TracebackType

from aiex_ipy.grounding.failure.evaluate import lookup
from aiex_ipy.grounding.failure.moment import LiveFrame
from aiex_ipy.grounding.failure.record import FrameRecord, Line
from aiex_ipy.grounding.failure.sources import Sources, Text, library_of
from aiex_ipy.grounding.failure.variables import Teller
from aiex_ipy.grounding.owners import shown_path

MOST_SAME = 4
"""Times that one line of one function is told in a stack."""
FIRST_TOLD = 4
"""User frames told from the outer end of a long stack."""
LAST_TOLD = 8
"""User frames told from its inner end."""
LIBRARY_TOLD = 3
"""Frames told where all of them are a library's."""
BEFORE, AFTER = 8, 4
"""Source lines shown before and after the failing one in the innermost frame."""
AROUND = 2
"""The same in the frames that called it."""
MOST_LINES = 12
"""Lines of one failing expression that are shown."""
LINE_CHARACTERS = 300
EXPRESSION_CHARACTERS = 300
MACHINERY = frozenset({"IPython", "ipykernel", "runpy", "_pytest", "pluggy", "aiex_ipy", "pytest"})
"""What runs the user's code and stands above it in every stack: not worth a word."""


class Step:
    """One entry of a stack before anything is read of it."""

    __slots__ = ("code", "file", "frame", "lasti", "line", "user", "where")

    def __init__(
        self, frame: FrameType, lasti: int, line: int, where: FrameType | TracebackType
    ) -> None:
        self.frame = frame
        self.code: CodeType = frame.f_code
        self.file = self.code.co_filename
        self.lasti = lasti
        self.line = line
        self.where = where
        self.user = True


class Stack:
    """What is told of a stack: `records`, outermost first, the `live` frames that belong to them,
    and what is left out after the last."""

    __slots__ = ("after", "libraries_after", "live", "raised_in", "records")

    def __init__(self) -> None:
        self.records: list[FrameRecord] = []
        self.live: list[LiveFrame] = []
        self.after = 0
        self.libraries_after: tuple[str, ...] = ()
        self.raised_in = ""


def steps_of(traceback: TracebackType | None) -> list[Step]:
    """Return the entries of a traceback, outermost first."""
    found: list[Step] = []
    seen: set[int] = set()
    while traceback is not None and id(traceback) not in seen:
        seen.add(id(traceback))
        line = traceback.tb_lineno or traceback.tb_frame.f_code.co_firstlineno
        found.append(Step(traceback.tb_frame, traceback.tb_lasti, line, traceback))
        traceback = traceback.tb_next
    return found


def steps_up(frame: FrameType | None) -> list[Step]:
    """Return a frame and those that called it, outermost first."""
    found: list[Step] = []
    while frame is not None:
        line = frame.f_lineno or frame.f_code.co_firstlineno
        found.append(Step(frame, frame.f_lasti, line, frame))
        frame = frame.f_back
    return found[::-1]


def tell(steps: Sequence[Step], sources: Sources, teller: Teller, *, outer: bool = True) -> Stack:
    """Return what is told of a stack: the user's frames, libraries' and repetitions folded.

    Where all frames are a library's, the last of them are told with `outer`, else none.
    """
    stack = Stack()
    for step in steps:
        step.user = not is_generated(step.code) and sources.is_users(
            step.file, step.frame.f_globals
        )
    if any(step.user for step in steps):
        told = _told(steps)
    else:
        told = list(range(max(0, len(steps) - LIBRARY_TOLD), len(steps))) if outer else []
    start = _outer(steps)
    gaps = {}
    for number in told:
        gaps[number] = steps[start:number]
        start = number + 1
    for number in reversed(told):  # the innermost first: describing values may take only so long
        live = live_frame(steps[number], sources)
        record = _record(live, teller, innermost=number == told[-1])
        if gaps[number]:
            record = _with_gap(record, gaps[number])
        stack.live.insert(0, live)
        stack.records.insert(0, record)
    rest = steps[start:]
    if rest:
        stack.after = len(rest)
        stack.libraries_after = _names(rest)
        place = shown_path(rest[-1].file, sources.project_dir)
        stack.raised_in = f"{place}, line {rest[-1].line}, in {_function(rest[-1].code)}"
        stack.live += [live_frame(each, sources) for each in rest[-LIBRARY_TOLD:] if outer]
    return stack


def is_generated(code: CodeType) -> bool:
    """True for methods that `dataclasses` and `collections` write for a class: in the module of
    the class, but nobody's lines."""
    special = code.co_name.startswith("__") and code.co_name.endswith("__")
    return special and code.co_filename.startswith(("<string>", "<attrs", "<namedtuple"))


def live_frame(step: Step, sources: Sources) -> LiveFrame:
    """Return a frame with its source and failing node; a library's without them."""
    live = LiveFrame(step.frame, step.code, step.line)
    live.user = step.user
    live.place = sources.label(step.file) or shown_path(step.file, sources.project_dir)
    if not step.user:
        live.source_text = "".join(sources.lines(step.file))
        return live
    text = sources.text(step.file, step.code, step.frame.f_globals)
    live.missing = text.missing
    live.source_text = "".join(text.lines)
    live.tree = text.tree
    live.source = sources.source(step.file, text)
    if text.tree is not None:
        live.node = _node(step, text)
    return live


def _outer(steps: Sequence[Step]) -> int:
    """How many entries above the first frame of the user's only run it."""
    for number, step in enumerate(steps):
        if step.user or library_of(step.file, step.frame.f_globals) not in MACHINERY:
            return number
    return 0


def _told(steps: Sequence[Step]) -> list[int]:
    """The entries told of those that are the user's: of one that repeats, as in a recursion, the
    first and the last two."""
    numbers = [number for number, step in enumerate(steps) if step.user]
    places: dict[tuple[CodeType, int], list[int]] = {}
    for number in numbers:
        places.setdefault((steps[number].code, steps[number].line), []).append(number)
    kept = {
        number
        for each in places.values()
        for number in (each if len(each) <= MOST_SAME else [each[0], *each[-2:]])
    }
    numbers = [number for number in numbers if number in kept]
    if len(numbers) <= FIRST_TOLD + LAST_TOLD + 1:
        return numbers
    return numbers[:FIRST_TOLD] + numbers[-LAST_TOLD:]


def _with_gap(record: FrameRecord, between: Sequence[Step]) -> FrameRecord:
    from msgspec.structs import replace

    libraries = [each for each in between if not each.user]
    repeated = [each for each in between if each.user]
    return replace(
        record,
        folded=len(libraries),
        libraries=_names(libraries),
        repeated=len(repeated),
        repeating=tuple(islice(dict.fromkeys(_function(each.code) for each in repeated), 6)),
    )


def _names(steps: Iterable[Step]) -> tuple[str, ...]:
    """The packages of library frames, each once, at most eight."""
    seen: dict[tuple[str, int], str] = {}
    for each in steps:
        key = (each.file, id(each.frame.f_globals))
        if key not in seen:
            seen[key] = library_of(each.file, each.frame.f_globals)
    return tuple(islice(dict.fromkeys(seen.values()), 8))


def _function(code: CodeType) -> str:
    return str(getattr(code, "co_qualname", code.co_name))


def _node(step: Step, text: Text) -> ast.AST | None:
    """The node that was being run: as `executing` tells, else the smallest one with the position
    that the code object records for the instruction."""
    import executing

    assert text.tree is not None
    node: ast.AST | None = None
    if not text.missing:  # else executing would look into the changed file
        try:
            found = executing.Source.executing(step.where)
            node = found.node
            if node is not None and found.source.tree is not text.tree:
                node = _same(node, text.tree)
        except Exception:  # executing fails in many ways on code that changed
            node = None
    if node is not None:
        return node
    position = next(islice(step.code.co_positions(), max(0, step.lasti) // 2, None), None)
    if position is None or None in position:
        return None
    return _at(text.tree, position)  # type: ignore[arg-type]


def _same(node: ast.AST, tree: ast.Module) -> ast.AST | None:
    """The node of `tree` at the place of one of executing's own tree."""
    wanted = _position(node)
    for each in ast.walk(tree):
        if type(each) is type(node) and _position(each) == wanted:
            return each
    return None


def _at(tree: ast.Module, position: tuple[int, int, int, int]) -> ast.AST | None:
    line, end_line, column, end_column = position
    wanted = (line, column, end_line, end_column)
    return next((each for each in ast.walk(tree) if _position(each) == wanted), None)


def _position(node: ast.AST) -> tuple[int, ...] | None:
    if not isinstance(node, ast.expr | ast.stmt):
        return None
    end = (node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)
    return (node.lineno, node.col_offset, *end)


def focus(node: ast.AST | None) -> ast.AST | None:
    """Return the part of a compound statement that runs when the statement itself does."""
    if isinstance(node, ast.For | ast.AsyncFor):
        return node.iter
    if isinstance(node, ast.While | ast.If):
        return node.test
    if isinstance(node, ast.With | ast.AsyncWith):
        return node.items[0].context_expr
    if isinstance(node, ast.Match):
        return node.subject
    compound = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Try | ast.TryStar
    return None if isinstance(node, compound) else node


def span_of(node: ast.AST | None, lines: Sequence[str]) -> tuple[int, int, int, int] | None:
    """Return a node's place with columns in characters; the parser counts bytes of UTF-8."""
    place = _position(node) if node is not None else None
    if place is None or place[2] > len(lines):
        return None
    first, start, last, end = place
    return first, _characters(lines[first - 1], start), last, _characters(lines[last - 1], end)


def _characters(line: str, offset: int) -> int:
    return len(line.encode()[:offset].decode(errors="ignore"))


def expression_in(lines: Sequence[str], span: tuple[int, int, int, int]) -> str:
    """Return the text at a place, on one line, cut."""
    first, start, last, end = span
    if first == last:
        text = lines[first - 1][start:end]
    else:
        text = " ".join([lines[first - 1][start:], *lines[first : last - 1], lines[last - 1][:end]])
    text = " ".join(text.split())
    return text if len(text) <= EXPRESSION_CHARACTERS else f"{text[:EXPRESSION_CHARACTERS]}…"


def window(
    lines: Sequence[str],
    line: int,
    *,
    inner: bool,
    within: tuple[int, int] | None = None,
    span: tuple[int, int, int, int] | None = None,
) -> tuple[Line, ...]:
    """Return the source lines around one, with the lines of the failing expression; of a function,
    whose lines are `within`, its first line and none of its neighbours."""
    before, after = (BEFORE, AFTER) if inner else (AROUND, AROUND)
    low, high = line, line
    if span is not None and span[0] <= line <= span[2]:
        low, high = max(span[0], line - MOST_LINES), min(span[2], line + MOST_LINES)
    first, last = within if within is not None else (1, len(lines))
    numbers = range(max(first, low - before), min(last, len(lines), high + after) + 1)
    shown = [first] if within is not None and 1 <= first < numbers.start else []
    return tuple(line_of(lines, each) for each in [*shown, *numbers])


def line_of(lines: Sequence[str], number: int) -> Line:
    """Return one source line, cut."""
    text = lines[number - 1].rstrip("\r\n")
    if len(text) > LINE_CHARACTERS:
        text = f"{text[: LINE_CHARACTERS - 1]}…"
    return Line(number=number, text=text)


def _extent(code: CodeType) -> tuple[int, int] | None:
    """The lines of a function, None for a module, and for a lambda or comprehension, which mean
    little without what is around them."""
    if code.co_name.startswith("<"):
        return None
    lines = [line for _, _, line in code.co_lines() if line]
    return code.co_firstlineno, max(lines, default=code.co_firstlineno)


def _record(live: LiveFrame, teller: Teller, *, innermost: bool) -> FrameRecord:
    lines = live.source_text.splitlines()
    part = focus(live.node)
    span = span_of(part, lines)
    name = lookup(live.globals, "__name__")[1]
    within = _extent(live.code)
    shown = window(lines, live.line, inner=innermost, within=within, span=span) if lines else ()
    return FrameRecord(
        function=live.function,
        place=live.place if live.place != "<string>" or not name else f"<string> in {name}",
        line=live.line,
        user=live.user,
        missing=live.missing,
        lines=shown,
        expression=expression_in(lines, span) if span is not None else "",
        span=span,
        variables=teller.variables(live, innermost=innermost) if live.user else (),
    )
