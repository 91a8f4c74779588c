"""Abstract values: places that hold things, what changed them, and the names bound to them."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from msgspec import Struct


class Thing:
    """An object that can be changed in place.

    `changes` are the numbers of the steps that made or changed it, ascending; `inside` the things
    it holds, each with the first step that put it there. `exact` says that nothing else is in it:
    a list written out. Of what comes from an unknown call anything may be a view of it. `once`
    says that going through it uses it up: an iterator.
    """

    __slots__ = ("changes", "exact", "inside", "once")

    def __init__(self, step: int, inside: Iterable[Thing] = (), *, exact: bool = False) -> None:
        self.changes = [step]
        self.inside: dict[Thing, int] = dict.fromkeys(inside, step)
        self.exact = exact
        self.once = False

    def change(self, step: int) -> None:
        """Note that a step changes it."""
        if self.changes[-1] != step:
            self.changes.append(step)

    def hold(self, things: Iterable[Thing], step: int) -> None:
        """Note that a step puts things into it."""
        for thing in things:
            self.inside.setdefault(thing, step)


Value = frozenset[Thing]
NOTHING: Value = frozenset()
"""Numbers, texts and whatever else cannot be changed in place."""


class Binding:
    """What a name holds: the steps that bound it and the things it may stand for. `gone` says
    that they deleted it."""

    __slots__ = ("gone", "steps", "value")

    def __init__(
        self, steps: tuple[int, ...], value: Value = NOTHING, *, gone: bool = False
    ) -> None:
        self.steps = steps
        self.value = value
        self.gone = gone


UNSET = Binding((), gone=True)
"""What a function's own name holds before the function sets it."""


class Miss(Struct, frozen=True, kw_only=True):
    """A name that was read and not there. `sure` says that the reading is known to happen: no
    branch, loop or call that may not come stands before it; `deleted` is the step that deleted
    the name, `local` that it is a function's own, not yet set."""

    name: str
    line: int
    sure: bool
    deleted: int | None = None
    local: bool = False


class Frame:
    """One namespace. Names declared `global` or `nonlocal` are bound in `elsewhere`; `returned` is
    what a function gives back; `owner` the class whose body it is; `own` the names that a function
    binds."""

    __slots__ = ("elsewhere", "kind", "names", "outer", "own", "owner", "returned")

    def __init__(self, outer: Frame | None, kind: str) -> None:
        self.outer = outer
        self.kind = kind
        self.names: dict[str, Binding] = {}
        self.elsewhere: dict[str, Frame] = {}
        self.returned: Value = NOTHING
        self.owner: Class | None = None
        self.own: frozenset[str] = frozenset()

    def find(self, name: str) -> Binding | None:
        """Return what a name is bound to here or further out, as Python looks it up."""
        frame: Frame | None = self
        while frame is not None:
            if frame.kind != "class" or frame is self:
                found = frame.elsewhere.get(name, frame).names.get(name)
                if found is not None:
                    return found
                if name in frame.own:
                    return UNSET
            frame = frame.outer
        return None


class Function(Thing):
    """A function, lambda or generator with the namespace it was made in. `bound` is the object
    of a bound method. Going through one that is `once` runs it."""

    __slots__ = ("bound", "defaults", "frame", "node")

    def __init__(
        self,
        step: int,
        node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.GeneratorExp,
        frame: Frame,
    ) -> None:
        super().__init__(step, exact=True)
        self.node = node
        self.frame = frame
        self.defaults: dict[str, Value] = {}
        self.bound: Value = NOTHING


class Class(Thing):
    """A class written in a cell: its namespace and its bases."""

    __slots__ = ("bases", "frame")

    def __init__(self, step: int, frame: Frame, bases: tuple[Class, ...]) -> None:
        super().__init__(step, exact=True)
        self.frame = frame
        self.bases = bases
        frame.owner = self

    def member(self, name: str, depth: int = 20) -> Binding | None:
        """Return what the class or a base of it calls `name`."""
        found = self.frame.names.get(name)
        if found is None and depth:
            for base in self.bases:
                found = found or base.member(name, depth - 1)
        return found


class Instance(Thing):
    """An object of a class written in a cell."""

    __slots__ = ("cls",)

    def __init__(self, step: int, cls: Class, inside: Iterable[Thing] = ()) -> None:
        super().__init__(step, inside)
        self.cls = cls


class Module(Thing):
    """A module, or what is taken from one by attribute; `frame` has the names of a module whose
    source is the user's own."""

    __slots__ = ("frame", "name", "parts")

    def __init__(self, step: int, name: str) -> None:
        super().__init__(step, exact=True)
        self.name = name
        self.frame: Frame | None = None
        self.parts: dict[str, Module] = {}

    def part(self, name: str) -> Module:
        """Return what the module calls `name`."""
        if name not in self.parts:
            self.parts[name] = Module(-1, f"{self.name}.{name}")
        return self.parts[name]


def elements(value: Value) -> Value:
    """Return what the items, attributes or views of a value may be."""
    if not value:
        return NOTHING
    found: set[Thing] = set()
    for thing in value:
        found.update(thing.inside)
        if not thing.exact:
            found.add(thing)
    return frozenset(found)


def written(value: Value) -> Value:
    """Return what stands in containers whose content is known."""
    return NOTHING.union(*[frozenset(thing.inside) for thing in value if thing.exact])


def has_member(thing: Thing, name: str) -> bool:
    """True when a class of the user's own gives a thing the attribute."""
    cls = thing.cls if isinstance(thing, Instance) else thing
    return isinstance(cls, Class) and cls.member(name) is not None
