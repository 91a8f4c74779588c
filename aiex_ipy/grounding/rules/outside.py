"""Rules on the world outside: files, databases, services (AX112-AX114, AX120, AX122)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from aiex_ipy.grounding.rules.names import bindings, bounded, names_in, varies
from aiex_ipy.grounding.rules.scopes import Finding, Loop, Scope
from aiex_ipy.grounding.rules.walk import COMPREHENSIONS, Site, Walk, on, on_call

_ENTRY_CHECKS = frozenset(
    {"os.path.isdir", "os.path.isfile", "os.path.islink", "os.path.getsize", "os.path.getmtime"}
    | {"os.stat", "os.lstat"}
)


@on_call(*sorted(name.rpartition(".")[2] for name in _ENTRY_CHECKS), looping=True)
def entry_check(walk: Walk, node: ast.Call) -> None:
    if node.args:
        walk.site(_entry_check, node)


def _entry_check(walk: Walk, site: Site) -> Iterator[Finding]:
    scope, called = site.scope, walk.dotted(site.node.func)
    assert site.loop is not None
    for loop in site.loop.chain() if called in _ENTRY_CHECKS else ():
        node = loop.node
        for part in [node] if loop.kind != "comprehension" else node.generators:
            if loop.kind == "while" or not isinstance(part.target, ast.Name):
                continue
            if not _listed(walk, scope, part.iter):
                continue
            if part.target.id in _behind(scope, site.node.args[0], loop):
                yield Finding(
                    "AX112",
                    site.node,
                    scope,
                    f"'{called}' asks the file system about each name that "
                    "os.listdir gave, which os.scandir answers with the names",
                    subject=part.target.id,
                )
                return


def _listed(walk: Walk, scope: Scope, source: ast.expr) -> bool:
    if (
        isinstance(source, ast.Call)
        and isinstance(source.func, ast.Name)
        and source.func.id in ("sorted", "list", "reversed")
        and source.args
    ):
        source = source.args[0]
    if isinstance(source, ast.Name):
        known = bindings(scope, source.id, None)
        return bool(known) and all(
            isinstance(b.value, ast.Call) and walk.dotted(b.value.func) == "os.listdir"
            for b in known
        )
    return isinstance(source, ast.Call) and walk.dotted(source.func) == "os.listdir"


def _behind(scope: Scope, value: ast.expr, loop: Loop) -> set[str]:
    """The names an argument rests on: its own, and through one assignment inside the loop."""
    names = names_in(value)
    for name in sorted(names):
        for b in scope.bindings.get(name, ()):
            if b.value is not None and b.loop is not None and b.loop.inside(loop):
                names |= names_in(b.value)
    return names


_STATEMENT = re.compile(r"\s*(select|insert|update|delete|replace)\s", re.IGNORECASE)


@on_call("execute", looping=True)
def query(walk: Walk, node: ast.Call) -> None:
    if node.args and type(node.func) is ast.Attribute:
        walk.site(_query, node)


def _query(walk: Walk, site: Site) -> Iterator[Finding]:
    call, scope, loop = site.node, site.scope, site.loop
    assert loop is not None
    found = _STATEMENT.match(_text(call.args[0]))
    if found is None:
        return
    for one in loop.chain():
        if one.kind == "while":
            return  # paging, or waiting for work
        if bounded(one):
            continue
        if any(varies(scope, a, one) for a in (*call.args, *(k.value for k in call.keywords))):
            yield Finding(
                "AX113",
                call,
                scope,
                f"one {found[1].upper()} is sent to the database for each pass of the loop",
            )
            return


def _text(node: ast.expr) -> str:
    """The start of the text an expression makes, as far as it is a literal."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return _text(node.values[0]) if node.values else ""
    if isinstance(node, ast.BinOp):
        return _text(node.left)
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            return _text(node.func.value)
        return _text(node.args[0]) if node.args else ""  # sqlalchemy.text("select …")
    return ""


_REQUESTS = frozenset(
    f"{library}.{method}"
    for library in ("requests", "httpx", "httpx2")
    for method in ("get", "post", "put", "patch", "delete", "head", "options", "request")
) | {"urllib.request.urlopen"}
_CONNECTIONS = frozenset(
    {
        "requests.Session", "httpx.Client", "httpx.AsyncClient", "httpx2.Client",
        "httpx2.AsyncClient", "aiohttp.ClientSession", "smtplib.SMTP", "smtplib.SMTP_SSL",
        "sqlite3.connect", "psycopg.connect", "psycopg2.connect", "pymysql.connect",
        "redis.Redis", "pymongo.MongoClient", "boto3.client", "boto3.resource",
        "openai.OpenAI", "openai.AsyncOpenAI", "anthropic.Anthropic", "anthropic.AsyncAnthropic",
    }
)  # fmt: skip


@on_call(*sorted({n.rpartition(".")[2] for n in _REQUESTS | _CONNECTIONS}), looping=True)
def connection(walk: Walk, node: ast.Call) -> None:
    walk.site(_connection, node)


def _connection(walk: Walk, site: Site) -> Iterator[Finding]:
    call, scope, loop = site.node, site.scope, site.loop
    assert loop is not None
    called = walk.imported(call.func, scope)
    if called not in _REQUESTS and called not in _CONNECTIONS:
        return
    if loop.kind == "while" or bounded(loop) or _counts(walk, loop):
        return
    given = (*call.args, *(k.value for k in call.keywords))
    if called in _CONNECTIONS and any(varies(scope, a, loop) for a in given):
        return  # another place each time
    yield Finding(
        "AX114", call, scope, f"'{called}' connects anew on each pass, where one can be kept"
    )


def _counts(walk: Walk, loop: Loop) -> bool:
    """Whether a loop runs over numbers: a retry, not a collection."""
    source = getattr(loop.node, "iter", None)
    return isinstance(source, ast.Call) and walk.dotted(source.func) in ("range", "itertools.count")


@on(ast.For, *COMPREHENSIONS, looping=True)
def iteration(walk: Walk, node: ast.For | ast.ListComp) -> None:
    sources = [node.iter] if type(node) is ast.For else [g.iter for g in node.generators]  # type: ignore[union-attr]
    for source in sources:
        if type(source) is ast.Call and type(source.func) is ast.Attribute:
            if source.func.attr == "iterrows":
                walk.site(_row_by_row, source)
            elif source.func.attr in ("splitlines", "split"):
                walk.site(_whole_file, source)


def _row_by_row(walk: Walk, site: Site) -> Iterator[Finding]:
    yield Finding("AX120", site.node, site.scope, "'iterrows' builds a Series for each row")


def _whole_file(walk: Walk, site: Site) -> Iterator[Finding]:
    call = site.node
    if call.func.attr == "split" and [_text(a) for a in call.args] != ["\n"]:
        return
    text = call.func.value
    if not (isinstance(text, ast.Call) and isinstance(text.func, ast.Attribute)) or text.args:
        return
    holder = text.func.value
    sources: list[ast.expr | None] = [holder]
    if isinstance(holder, ast.Name):
        sources = [b.value for b in site.scope.bindings.get(holder.id, ())]
    if text.func.attr == "read":
        makers: tuple[str, ...] = ("open", "io.open")
    elif text.func.attr == "read_text":
        makers = ("pathlib.Path",)
    else:
        return
    if any(isinstance(s, ast.Call) and walk.dotted(s.func) in makers for s in sources):
        yield Finding(
            "AX122", call, site.scope, "the whole file is held twice to go through its lines"
        )
