"""What a function does to the world besides returning: from its calls and assignments."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from msgspec import Struct

from aiex_ipy.grounding.names import Call, Function, Names
from aiex_ipy.grounding.parsed import Scope
from aiex_ipy.grounding.tree import nodes_in


class Effect(Struct, frozen=True, kw_only=True):
    """One side effect. `kind` is a short phrase (`writes files`, `changes self`); `target` what
    is called or changed; `evidence` the source line. `via` names the function of this module
    that has the effect, `""` when it is the function itself."""

    kind: str
    target: str
    line: int
    evidence: str
    via: str = ""


# Dotted names, or their beginnings when they end in a dot. The longest match wins.
_CALLS: dict[str, str] = {
    name: kind
    for kind, names in {
        "prints": "print pprint.pprint sys.stdout.write sys.stdout.writelines sys.stderr.write",
        "reads the terminal": "input getpass. sys.stdin.",
        "writes files": "shutil. tempfile. os.remove os.unlink os.rename os.replace os.mkdir "
        "os.makedirs os.rmdir os.removedirs os.symlink os.link os.chmod os.chown os.truncate "
        "os.utime os.write zipfile.ZipFile tarfile.open",
        "reads files": "os.listdir os.scandir os.walk os.stat os.path.exists os.path.isfile "
        "os.path.isdir os.path.getsize os.path.getmtime os.read glob. linecache. tokenize.open "
        "importlib.resources.",
        "runs processes": "subprocess. os.system os.popen os.exec os.spawn os.posix_spawn "
        "os.fork os.kill asyncio.create_subprocess_exec asyncio.create_subprocess_shell pty.",
        "uses the network": "socket. urllib.request. http.client. ftplib. smtplib. imaplib. "
        "poplib. xmlrpc. requests. httpx. httpx2. aiohttp. urllib3. websockets. paramiko. boto3. "
        "asyncio.open_connection asyncio.start_server",
        "uses a database": "sqlite3. psycopg. psycopg2. pymysql. sqlalchemy.create_engine "
        "redis. pymongo. dbm. shelve.",
        "reads the environment": "os.getenv os.environ.get os.environ.items os.environ.copy",
        "changes the environment": "os.putenv os.unsetenv os.environ.update os.environ.setdefault "
        "os.environ.pop os.chdir os.umask locale.setlocale",
        "depends on chance": "random. secrets. uuid.uuid1 uuid.uuid4 os.urandom numpy.random.",
        "depends on the clock": "time.time time.time_ns time.monotonic time.perf_counter "
        "time.localtime time.gmtime time.strftime datetime.datetime.now datetime.datetime.utcnow "
        "datetime.datetime.today datetime.date.today",
        "waits": "time.sleep asyncio.sleep select. selectors.",
        "ends the process": "sys.exit exit quit os._exit os.abort",
        "runs code": "exec eval importlib.import_module __import__ runpy. code.interact",
        "logs": "logging.",
        "opens a browser": "webbrowser.",
        "warns": "warnings.warn warnings.warn_explicit",
        "starts threads": "threading.Thread threading.Timer concurrent.futures. multiprocessing. "
        "_thread.start_new_thread asyncio.to_thread",
        "starts tasks": "asyncio.create_task asyncio.ensure_future asyncio.run asyncio.gather",
        "changes process state": "signal. atexit. sys.setrecursionlimit sys.settrace "
        "sys.setprofile gc.disable gc.enable sys.path.append sys.path.insert "
        "warnings.filterwarnings warnings.simplefilter",
    }.items()
    for name in names.split()
}
# Pure parts of modules that are listed whole.
_PURE = frozenset(
    {
        "socket.inet_aton",
        "socket.inet_ntoa",
        "socket.inet_pton",
        "socket.inet_ntop",
        "glob.escape",
        "shutil.get_terminal_size",
        "shutil.which",
        "subprocess.list2cmdline",
        "logging.getLogger",
        "secrets.compare_digest",
        "tempfile.gettempdir",
        "signal.Signals",
        "random.Random",
    }
)
_LOGGERS = frozenset({"log", "logger", "getlogger()"})
_LOG_METHODS = frozenset(
    {"debug", "info", "warning", "warn", "error", "exception", "critical", "fatal", "log"}
)
# Methods with one meaning whatever they are called on.
_METHODS: dict[str, str] = {
    "write_text": "writes files",
    "write_bytes": "writes files",
    "unlink": "writes files",
    "rmdir": "writes files",
    "touch": "writes files",
    "read_text": "reads files",
    "read_bytes": "reads files",
    "iterdir": "reads files",
    "executemany": "uses a database",
    "sendall": "uses the network",
}
MUTATORS = frozenset(
    {"append", "extend", "insert", "remove", "clear", "sort", "reverse", "pop"}
    | {"add", "discard", "update", "setdefault", "popitem", "write", "writelines"}
    | {"appendleft", "popleft", "extendleft"}
    | {"difference_update", "intersection_update", "symmetric_difference_update"}
)


def effects_of(names: Names, scope: Scope | None) -> list[Effect]:
    """Return the side effects of a function, class or (None) of importing the module, in source
    order, each kind and target once; without those of the functions it calls."""
    node: ast.AST | None = names.tree if scope is None else scope.node
    if node is None:
        return []
    found = [*_of_calls(names, scope)]
    if isinstance(node, Function):
        found += _of_statements(names, scope, node)
    elif isinstance(node, ast.ClassDef) and scope is not None:
        for inner in names.parsed.scopes:
            if inner.parent is scope and isinstance(inner.node, Function):
                found += _of_statements(names, inner, inner.node)
    found.sort(key=lambda effect: (effect.line, effect.kind, effect.target))
    return list({(effect.kind, effect.target): effect for effect in reversed(found)}.values())[::-1]


def effects_through(names: Names, scope: Scope) -> list[Effect]:
    """Return the effects of the functions of this module that `scope` calls, however deep, but
    not its own; changes of their own arguments and objects stay theirs."""
    own = {(effect.kind, effect.target) for effect in effects_of(names, scope)}
    found: dict[tuple[str, str], Effect] = {}
    for callee in names.reached(scope.name):
        for effect in effects_of(names, names.scopes[callee]):
            key = (effect.kind, effect.target)
            if key not in own and not effect.kind.startswith(("changes self", "changes argument")):
                found.setdefault(key, _through(effect, callee))
    return sorted(found.values(), key=lambda effect: (effect.via, effect.line, effect.kind))


def _through(effect: Effect, callee: str) -> Effect:
    return Effect(
        kind=effect.kind,
        target=effect.target,
        line=effect.line,
        evidence=effect.evidence,
        via=callee,
    )


def _of_calls(names: Names, scope: Scope | None) -> Iterator[Effect]:
    for call in names.calls_on_import() if scope is None else names.calls_of(scope.name):
        kind = _kind(names, call)
        if kind:
            yield _effect(names, kind, call.callee.lstrip("?."), call.line)


def _kind(names: Names, call: Call) -> str:
    callee = call.callee
    if call.local or callee in _PURE:
        return ""
    kind = _listed(callee)
    first = callee.partition(".")[0]
    if kind and (kind == "logs" or first not in names.locals_of(names.scopes.get(call.caller))):
        return kind
    if callee == "open" or callee.endswith(".open"):
        return _opens(call)
    return _METHODS.get(callee.rpartition(".")[2], "") if "." in callee else ""


def _listed(callee: str) -> str:
    """Return the kind of the longest listed beginning of a dotted name, or `""`."""
    holder, _, method = callee.rpartition(".")
    if method in _LOG_METHODS and holder.rpartition(".")[2].lower().strip("_") in _LOGGERS:
        return "logs"
    name = callee
    while name:
        if name in _CALLS:
            return _CALLS[name]
        head = name.rstrip(".").rpartition(".")[0]
        name = f"{head}." if head else ""
    return ""


def _opens(call: Call) -> str:
    """`reads files` or `writes files` by the mode of an `open`."""
    method = "." in call.callee and not call.callee.startswith(("io.", "os.", "codecs."))
    arguments = call.node.args[0:] if method else call.node.args[1:]
    mode = next((k.value for k in call.node.keywords if k.arg == "mode"), None)
    if mode is None and arguments:
        mode = arguments[0]
    if isinstance(mode, ast.Constant) and isinstance(mode.value, str):
        return "writes files" if set(mode.value) & set("wax+") else "reads files"
    return "opens files" if mode is not None else "reads files"


def _of_statements(names: Names, scope: Scope | None, node: Function) -> Iterator[Effect]:
    args = node.args
    named = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
    inside = list(nodes_in(node, nested=False))
    rebound = {n.id for n in inside if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    parameters = {arg.arg for arg in named if arg is not None} - rebound
    owner = _owner(node) if scope is not None and scope.in_class else ""
    declared = {n for at in inside if isinstance(at, ast.Global) for n in at.names}
    outside = names.assigned - names.locals_of(scope)
    for at in inside:
        target = _changed(at)
        if target is None:
            continue
        root, whole = _root(target)
        kind = ""
        if root in declared or (not whole and root in outside):
            kind = "changes global state"
        elif whole:
            continue
        elif root == owner:
            kind = "changes self"
        elif root in parameters:
            kind = "changes argument"
        elif _text(target).startswith("os.environ"):
            kind = "changes the environment"
        if kind:
            yield _effect(names, kind, _text(target), target.lineno)


def _owner(node: Function) -> str:
    """Return the name of a method's own object, `""` for a static method."""
    if not node.args.args or any(
        isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list
    ):
        return ""
    return node.args.args[0].arg


def _changed(node: ast.AST) -> ast.expr | None:
    """Return what a node assigns, deletes, or changes by a method like `append`; else None."""
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
        return node if isinstance(node.ctx, ast.Store | ast.Del) else None
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in MUTATORS
        and isinstance(node.func.value, ast.Name | ast.Attribute | ast.Subscript)
    ):
        # As if its content were assigned: `x.append(1)` changes `x`, not the name.
        content = ast.Subscript(node.func.value, ast.Constant(value=...), ast.Store())
        return ast.copy_location(content, node)
    return None


def _root(node: ast.expr) -> tuple[str, bool]:
    """Return the name an assignment target starts with, and whether it is only that name."""
    whole = isinstance(node, ast.Name)
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return (node.id, whole) if isinstance(node, ast.Name) else ("", whole)


def _text(node: ast.expr) -> str:
    while isinstance(node, ast.Subscript):
        node = node.value
    return ast.unparse(node)[:80]


def _effect(names: Names, kind: str, target: str, line: int) -> Effect:
    return Effect(kind=kind, target=target, line=line, evidence=names.parsed.line_text(line)[:200])
