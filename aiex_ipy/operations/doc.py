"""doc: what is documented of an object or a dotted name, from its source and the live object."""

from __future__ import annotations

import ast
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from aiex_ipy.errors import UnknownNameError, UsageError, WorkspaceError, near_miss
from aiex_ipy.grounding.cells import RanCell
from aiex_ipy.grounding.definitions import first_sentence, signature
from aiex_ipy.grounding.documentation import looking
from aiex_ipy.grounding.documentation.distribution import distribution_of
from aiex_ipy.grounding.documentation.docstring import Item, read_docstring
from aiex_ipy.grounding.documentation.examples import Example, examples_in, run_examples
from aiex_ipy.grounding.documentation.finding import Definition, Finder, Found, Function, Source
from aiex_ipy.grounding.documentation.looking import LiveObject
from aiex_ipy.grounding.documentation.uses import Use, uses_of
from aiex_ipy.grounding.facts import Subject
from aiex_ipy.grounding.live.description import Description
from aiex_ipy.grounding.live.text import lines as value_lines
from aiex_ipy.grounding.notebook import read_cell
from aiex_ipy.messages import Answer
from aiex_ipy.operations.ask import finished
from aiex_ipy.operations.base import Ask, Grounding, Problem, Request, Result
from aiex_ipy.operations.inputs import subject_of
from aiex_ipy.operations.locate import finder_of
from aiex_ipy.operations.view import View
from aiex_ipy.prompts.fit import Prompt, Section
from aiex_ipy.prompts.templates import template

MOST_TOKENS = 800
MOST_SOURCE_LINES = 150
MOST_MEMBERS = 40
MOST_SIGNATURES = 8
MOST_FILES = 1_000
"""A project with more Python files is not searched for uses."""
MOST_CELLS = 200
LabelOf = Any


class DocRequest(Request["Documentation"], frozen=True, kw_only=True):
    """`target` is a dotted name; `live` what the live object says of itself, and `source` the text
    in which it was made where that is no file. `cells` are searched for uses beside the project.
    `run` runs the examples of its docstring in a bounded child process. `near` are names of the
    user's that are spelled like the target."""

    operation: ClassVar[str] = "doc"

    target: str
    live: LiveObject | None = None
    source: Subject | None = None
    cells: tuple[RanCell, ...] = ()
    run: bool = True
    near: tuple[str, ...] = ()


class DocMember(Struct, frozen=True, kw_only=True):
    """A public name of a class or module, with the first sentence of its docstring."""

    name: str
    kind: str
    signature: str = ""
    purpose: str = ""


class Documentation(Result, frozen=True, kw_only=True):
    """What is documented of one name. `name` is where it is defined, `path` and `line` the file;
    `distribution` and `version` what it came with. `signatures` are several for overloads.
    `examples` are the docstring's, each with what came of running it; `uses` are lines of the
    project and the session. `value` describes a live object that is no code. `text` is the model's
    words, `""` without one, and `unconfirmed` the names they use that stand nowhere above."""

    operation: str = "doc"
    schema_version: int = 1
    target: str
    name: str = ""
    kind: str = ""
    path: str = ""
    line: int = 0
    distribution: str = ""
    version: str = ""
    signatures: tuple[str, ...] = ()
    summary: str = ""
    docstring: str = ""
    parameters: tuple[Item, ...] = ()
    returns: tuple[Item, ...] = ()
    raises: tuple[Item, ...] = ()
    related: tuple[str, ...] = ()
    members: tuple[DocMember, ...] = ()
    members_left_out: int = 0
    value: Description | None = None
    source: str = ""
    source_left_out: int = 0
    examples: tuple[Example, ...] = ()
    uses: tuple[Use, ...] = ()
    uses_left_out: int = 0
    text: str = ""
    grounded: bool = True
    provider: str | None = None
    model: str | None = None
    finish: str = ""
    unconfirmed: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


def request_for(
    target: Any,
    namespace: Mapping[str, Any] | None = None,
    *,
    run: bool = True,
    label_of: LabelOf = None,
    cells: Sequence[RanCell] = (),
    provider: str | None = None,
    model: str | None = None,
    allow_secret_file: bool = False,
    batch: bool = False,
) -> DocRequest:
    """Return the request about an object, or about the name a string is.

    A name stands for what `namespace` holds, then for what is imported, then for what is
    installed; nothing is imported and nothing of an object is called. Raises UsageError for a
    string that is no name, UnknownNameError for an attribute that is not there.
    """
    near: tuple[str, ...] = ()
    live: LiveObject | None = None
    if type(target) is str:
        name = target.strip().removesuffix("()")
        if not name or not all(part.isidentifier() for part in name.split(".")):
            raise UsageError(
                f"{target!r} is no name.",
                code="no_name",
                hint="Give an object, or a dotted name such as package.module.function.",
            )
        name, live, near = _named(name, namespace if namespace is not None else {})
    else:
        live = looking.look(target)
        name = _full_name(live) or type(target).__name__
    source = _session_source(live, label_of) if live is not None else None
    return DocRequest(
        target=name,
        live=live,
        source=source,
        cells=tuple(cells[-MOST_CELLS:]),
        run=run,
        near=near,
        provider=provider,
        model=model,
        allow_secret_file=allow_secret_file,
        batch=batch,
    )


def _named(
    name: str, namespace: Mapping[str, Any]
) -> tuple[str, LiveObject | None, tuple[str, ...]]:
    """Return the name to look for, the live object it stands for, and names spelled like it."""
    first, *rest = name.split(".")
    if first in namespace:
        try:
            value, owner = looking.walk(namespace[first], first, rest)
            return name, looking.look(value, owner, name), ()
        except looking.NotThere as missing:
            module = looking.look(namespace[first])
            if module.kind != "module" or not rest:
                raise _no_attribute(missing) from None
            name = ".".join([module.module, *rest])
    try:
        found = looking.imported(name)
    except looking.NotThere as missing:
        if name.partition(".")[0] not in sys.modules:
            raise _no_attribute(missing) from None
        return name, None, ()
    if found is not None:
        return name, looking.look(*found, name), ()
    from difflib import get_close_matches

    return name, None, tuple(get_close_matches(first, looking.names_in(namespace), 3, 0.7))


def _no_attribute(missing: looking.NotThere) -> UnknownNameError:
    known = [each for each in missing.known if not each.startswith("_")]
    return UnknownNameError(
        f"{missing.at!r} has no attribute {missing.part!r} that can be read without running code.",
        hint=near_miss(missing.part, known) if known else "Give the object itself.",
    )


def _full_name(live: LiveObject) -> str:
    return ".".join(part for part in (live.module, live.qualname) if part)


def _session_source(live: LiveObject, label_of: LabelOf) -> Subject | None:
    """The text in which something was made in the session: a cell's, as Python has kept it."""
    label = label_of(live.file) if label_of is not None and live.file else None
    if not live.file or (label is None and not live.file.startswith("<")):
        return None
    text = looking.kept_source(live.file)
    return Subject(path=str(label or live.file), text=text) if text else None


class DocOperation:
    """Facts first, a model's words after."""

    name = "doc"
    by_name_only = False

    def reads(self, request: DocRequest) -> bool:
        return True

    def ground(self, request: DocRequest, view: View) -> Grounding:
        finder = finder_of(view)
        found, notices = _found(request, finder)
        result = _facts(request, found, finder, view, notices)
        told = "\n".join(text for _, text in _told(result))
        names = [each.name for each in result.members]
        subjects = (
            Subject(path=result.path or result.name, text=result.source),
            Subject(path=result.name, text=f"{told}\n{' '.join(names)}"),
        )
        return Grounding(subjects=subjects, extra={"result": result})

    def without_model(self, request: DocRequest, grounding: Grounding) -> Documentation:
        result: Documentation = grounding.extra["result"]
        return result

    def prompt(self, request: DocRequest, grounding: Grounding) -> Ask:
        result: Documentation = grounding.extra["result"]
        sections = [
            Section(title=title, text=text, rank=rank)
            for rank, (title, text) in enumerate(_told(result))
            if text
        ]
        sections.insert(1, Section(title="Source", text=result.source, rank=1))
        return Ask(
            prompt=Prompt(
                system=template("doc"),
                question=template("doc.question", target=result.name or result.target),
                sections=tuple(sections),
            ),
            max_tokens=MOST_TOKENS,
        )

    def parse(self, answer: Answer, request: DocRequest, grounding: Grounding) -> Documentation:
        checked = finished(answer, self.name, Grounding(subjects=grounding.subjects))
        facts = self.without_model(request, grounding)
        return msgspec.structs.replace(
            facts,
            text=answer.text.strip(),
            provider=answer.provider,
            model=answer.model,
            finish=answer.finish,
            unconfirmed=checked.unconfirmed,
            notices=facts.notices + checked.notices,
        )

    def check(self, result: Documentation, grounding: Grounding) -> Sequence[Problem]:
        return ()

    def next_round(self, ask: Ask, answer: Answer, problems: Sequence[Problem]) -> Ask | None:
        return None


def _told(result: Documentation) -> list[tuple[str, str]]:
    """What a model is told beside the source, the most useful first."""
    examples = "\n".join(
        f">>> {each.source}\n{each.expected}\n({each.ran}{': ' + each.got if each.got else ''})"
        for each in result.examples
    )
    return [
        ("Signature", "\n".join(result.signatures)),
        ("Docstring", result.docstring),
        ("The object", value_lines(result.value) if result.value is not None else ""),
        ("Members", "\n".join(f"{m.signature or m.name}: {m.purpose}" for m in result.members)),
        ("Uses in the project", "\n".join(f"{u.path}:{u.line}: {u.text}" for u in result.uses)),
        ("Its examples, run", examples),
    ]


def _found(request: DocRequest, finder: Finder) -> tuple[Found | None, list[str]]:
    """Return the definition, None where there is only the live object, and what is to be said."""
    live = request.live
    if request.source is not None and live is not None:
        return _in_text(request.source, live), []
    if live is None:
        try:
            return finder.find(request.target), []
        except UnknownNameError as error:
            if not request.near:
                raise
            close = " or ".join(repr(each) for each in request.near)
            raise UnknownNameError(
                error.message, hint=f"Use a name you have, such as {close}."
            ) from None
    name = _full_name(live)
    for dotted in dict.fromkeys((name, request.target)):
        if not dotted or dotted.startswith("__main__") or "<" in dotted:
            continue
        try:
            return finder.find(dotted), []
        except UnknownNameError:
            continue
    return None, [
        f"No Python source of {name or request.target!r} was found; what is told is the "
        "live object's own."
    ]


def _in_text(subject: Subject, live: LiveObject) -> Found | None:
    """Return the definition in the text of a cell: the one on the live object's line, else the
    last of that name."""
    text = read_cell(subject.text).text
    try:
        source = Source("__main__", subject.path, text, package=False)
    except (SyntaxError, ValueError):
        return None
    last = live.qualname.rpartition(".")[2]
    nodes = [
        node for node in ast.walk(source.tree) if isinstance(node, Definition) and node.name == last
    ]
    on_line = [node for node in nodes if live.line in (node.lineno, _first_line(node))]
    kept: list[ast.stmt] = [*(on_line or nodes)[-1:]]
    return Found(source, live.qualname, kept) if kept else None


def _facts(
    request: DocRequest, found: Found | None, finder: Finder, view: View, notices: list[str]
) -> Documentation:
    live = request.live
    docstring, inherited = _docstring(found, finder)
    if live is not None and live.docstring:
        docstring, inherited = live.docstring, ""
    if inherited:
        what = "which this overrides" if _is_routine(found) else "of which this is an instance"
        notices.append(f"The docstring is that of {inherited}, {what}.")
    read = read_docstring(docstring)
    name = found.name if found is not None else _full_name(live) if live else request.target
    source, left_out = _source(found)
    members = list(_members(found, finder, live))
    if live is not None:
        notices += [note[:1].upper() + note[1:] + "." for note in live.notes]
    file = found.source.file if found is not None and found.source is not None else ""
    if found is not None and found.compiled:
        notices.append(
            f"{found.module!r} is compiled and not imported: its own docstring is not to be had."
        )
    elif file.endswith(".pyi"):
        notices.append("The signature is that of a stub; the code itself is compiled.")
    distribution, version = distribution_of(file or (found.compiled if found else ""), name)
    uses, more = _uses(request, found, name, view)
    signatures = _signatures(found, finder)
    if len(signatures) > MOST_SIGNATURES:
        notices.append(f"It has {len(signatures) - MOST_SIGNATURES} more signatures.")
    return Documentation(
        target=request.target,
        name=name,
        kind=_kind(found, live),
        path=_label(file, view) if request.source is None else request.source.path,
        line=_line(found),
        distribution=distribution,
        version=version,
        signatures=_bounded(signatures) or ((live.signature,) if live and live.signature else ()),
        summary=read.summary,
        docstring=docstring,
        parameters=read.parameters,
        returns=read.returns,
        raises=read.raises,
        related=read.related,
        members=tuple(members[:MOST_MEMBERS]),
        members_left_out=max(0, len(members) - MOST_MEMBERS),
        value=live.value if live is not None else None,
        source=source,
        source_left_out=left_out,
        examples=_examples(request, found, docstring, name),
        uses=uses,
        uses_left_out=more,
        notices=tuple(notices),
    )


def _kind(found: Found | None, live: LiveObject | None) -> str:
    if live is not None and (found is None or live.kind in ("instance", "ufunc", "exception")):
        return live.kind
    if found is None:
        return ""
    node = found.node
    if found.compiled:
        return "compiled module" if not found.qualname else "compiled code"
    if node is None:
        return "package" if found.source is not None and found.source.package else "module"
    if isinstance(node, ast.ClassDef):
        return "class"
    if not isinstance(node, Function):
        return "attribute" if found.owner is not None else "variable"
    words = {ast.unparse(each).rpartition(".")[2] for each in node.decorator_list}
    if found.owner is not None or "." in found.qualname:
        for word, kind in (
            ("property", "property"),
            ("cached_property", "property"),
            ("classmethod", "class method"),
            ("staticmethod", "static method"),
        ):
            if word in words:
                return kind
    what = "method" if found.owner is not None or "." in found.qualname else "function"
    return f"coroutine {what}" if isinstance(node, ast.AsyncFunctionDef) else what


def _docstring(found: Found | None, finder: Finder) -> tuple[str, str]:
    """Return the docstring in the source, and where it was inherited from."""
    if found is None or found.source is None:
        return "", ""
    node = found.node
    if node is None:
        return ast.get_docstring(found.source.tree) or "", ""
    for each in (node, *reversed(found.nodes)):
        if isinstance(each, Definition) and (text := ast.get_docstring(each)):
            return text, ""
    if isinstance(node, Function):
        return finder.inherited_docstring(found)
    body = (
        found.owner.node.body if found.owner and isinstance(found.owner.node, ast.ClassDef) else []
    )
    for each, after in zip(
        body or found.source.tree.body, (body or found.source.tree.body)[1:], strict=False
    ):
        if each is node and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            return str(after.value.value), ""
    made = finder.made(found)
    if made is not None and isinstance(made.node, ast.ClassDef):
        return ast.get_docstring(made.node) or "", made.name
    return "", ""


def _is_routine(found: Found | None) -> bool:
    return found is not None and isinstance(found.node, Function)


def _signatures(found: Found | None, finder: Finder) -> tuple[str, ...]:
    """The heads of a definition, one for each overload; of a class its own, then how it is made."""
    if found is None or found.node is None:
        return ()
    if isinstance(found.node, ast.ClassDef):
        made = finder.constructor(found)
        nodes = made.nodes if made is not None else []
        calls = [_call(found.node.name, each) for each in nodes if isinstance(each, Function)]
        return (signature(found.node), *dict.fromkeys(calls))
    if isinstance(found.node, Function):
        heads = [signature(each) for each in found.nodes if isinstance(each, Function)]
        return tuple(dict.fromkeys(heads))
    return (ast.unparse(found.node)[:200],)


def _call(name: str, node: Function) -> str:
    """How a class is called, by its `__init__` or `__new__`: without the object it is given."""
    args = node.args
    before, positional = list(args.posonlyargs), list(args.args)
    kept = len(before) + len(positional) - 1
    del (before or positional)[:1]
    bare = ast.arguments(
        posonlyargs=before,
        args=positional,
        vararg=args.vararg,
        kwonlyargs=args.kwonlyargs,
        kw_defaults=args.kw_defaults,
        kwarg=args.kwarg,
        defaults=args.defaults[max(0, len(args.defaults) - max(0, kept)) :],
    )
    return f"{name}({ast.unparse(bare)})"


def _bounded(heads: Sequence[str]) -> tuple[str, ...]:
    """At most `MOST_SIGNATURES`: the first, and the last, which runs or takes the most."""
    if len(heads) <= MOST_SIGNATURES:
        return tuple(heads)
    return (*heads[: MOST_SIGNATURES - 1], heads[-1])


def _source(found: Found | None) -> tuple[str, int]:
    """Return the source of a definition without its docstring, which is told apart, and how many
    of its lines were left out."""
    if found is None or found.source is None or found.node is None:
        return "", 0
    lines = found.source.text.splitlines()
    first, last = _first_line(found.node), found.node.end_lineno or found.node.lineno
    hidden: range = range(0)
    if isinstance(found.node, Definition) and ast.get_docstring(found.node) is not None:
        said = found.node.body[0]
        if said.lineno > found.node.lineno and len(found.node.body) > 1:
            hidden = range(said.lineno, (said.end_lineno or said.lineno) + 1)
    own = [lines[n - 1] for n in range(first, last + 1) if n not in hidden]
    text = textwrap.dedent("\n".join(own[:MOST_SOURCE_LINES]))
    return text, max(0, len(own) - MOST_SOURCE_LINES)


def _first_line(node: ast.stmt) -> int:
    listed = node.decorator_list if isinstance(node, Definition) else []
    return min([node.lineno, *(each.lineno for each in listed)])


def _line(found: Found | None) -> int:
    if found is None or found.source is None:
        return 0
    return found.node.lineno if found.node is not None else 1


def _label(file: str, view: View) -> str:
    if not file:
        return ""
    try:
        return subject_of(view.read(file)).path
    except WorkspaceError:
        return file.rpartition("/")[2]


def _members(found: Found | None, finder: Finder, live: LiveObject | None) -> Iterator[DocMember]:
    own = finder.members(found) if found is not None else {}
    for name, node in own.items():
        if isinstance(node, Definition):
            yield DocMember(
                name=name,
                kind="class" if isinstance(node, ast.ClassDef) else "function",
                signature=signature(node),
                purpose=first_sentence(ast.get_docstring(node) or ""),
            )
        elif isinstance(node, ast.ImportFrom):
            yield DocMember(
                name=name, kind="import", purpose=f"from {'.' * node.level}{node.module or ''}"
            )
        elif found is not None and found.node is not None:
            yield DocMember(name=name, kind="attribute")
    if not own and live is not None and live.kind in ("module", "class", "exception", "instance"):
        for name in live.members:
            yield DocMember(name=name, kind="attribute")


def _examples(
    request: DocRequest, found: Found | None, docstring: str, name: str
) -> tuple[Example, ...]:
    if ">>>" not in docstring:
        return ()
    if not request.run:
        return examples_in(docstring, "running them was not asked for")
    module = found.module if found is not None else (request.live.module if request.live else "")
    if request.source is not None or module in ("", "__main__"):
        return examples_in(docstring, "it was made in the session, which a child cannot import")
    roots = [entry or "." for entry in sys.path]
    return run_examples(docstring, module, roots)


def _uses(
    request: DocRequest, found: Found | None, name: str, view: View
) -> tuple[tuple[Use, ...], int]:
    if found is not None and found.node is None and not found.qualname:
        names = [name]
    else:
        names = [name, *(found.names if found is not None else [])]
    if request.live is None or request.source is None:
        names.append(request.target)
    else:
        names = [request.live.qualname]
    if name.startswith("builtins."):
        return (), 0  # everybody uses them
    owners: list[str] = []
    if found is not None and found.owner is not None:
        owners = [each.rpartition(".")[0] for each in dict.fromkeys(names) if "." in each]
        owners += [found.owner.name, *found.owner.names]
    subjects = [*_cells(request), *_project(view, name.rpartition(".")[2], found)]
    return uses_of(list(dict.fromkeys(names)), subjects, owners=owners)


def _cells(request: DocRequest) -> Iterator[Subject]:
    for cell in request.cells:
        yield Subject(path=cell.label, text=read_cell(cell.code).text)


def _project(view: View, word: str, found: Found | None) -> Iterator[Subject]:
    """The Python files of the project that hold a word, but for the one it is defined in."""
    root = view.workspace.project_dir
    own = found.source.file if found is not None and found.source is not None else ""
    try:
        files = view.workspace.walk(root, only=("python",), limit=MOST_FILES).files
    except WorkspaceError:
        return
    for file in files:
        if file.file == own or not view.workspace.is_open(file):
            continue
        try:
            subject = subject_of(view.read(file))
        except WorkspaceError:
            continue
        if word in subject.text:
            yield subject
