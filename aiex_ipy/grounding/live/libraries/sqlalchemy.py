"""SQLAlchemy: engines, sessions and tables; no connection is made, no password told."""

from __future__ import annotations

from typing import Any

from aiex_ipy.grounding.live.description import Column, Description
from aiex_ipy.grounding.live.printing import Printer
from aiex_ipy.grounding.live.static import (
    MISSING,
    attribute,
    class_attribute,
    derives,
    entries,
    full_name,
    public_names,
    qualname,
    text_of,
)
from aiex_ipy.redaction.shapes import WITHHELD

_COLUMNS = 1_000
_URL = ("drivername", "username", "password", "host", "port", "database", "query")
"""The fields of a `URL`, a named tuple. Source: SQLAlchemy 2.0, `sqlalchemy.engine.URL`."""


def describe(value: Any, base: type, printer: Printer) -> Description | None:
    """Return what is known of an engine, a connection, a session, a table or a URL."""
    name = full_name(base)
    if name == "sqlalchemy.engine.base.Engine":
        return _engine(value, printer)
    if name in ("sqlalchemy.orm.session.Session", "sqlalchemy.engine.base.Connection"):
        return _session(value)
    if name == "sqlalchemy.sql.schema.Table":
        return _table(value, printer)
    if name == "sqlalchemy.engine.url.URL":
        return Description(type=name, kind="text", value=url_text(value, printer))
    if name == "sqlalchemy.ext.asyncio.engine.AsyncEngine":
        inner = attribute(value, "sync_engine")
        return None if inner is MISSING else _engine(inner, printer, name)
    return None


def url_text(url: Any, printer: Printer) -> str:
    """Return a URL without its password; of the query only the names."""
    if not derives(type(url), tuple) or tuple.__len__(url) != len(_URL):
        return ""
    read = dict(zip(_URL, tuple.__iter__(url), strict=True))
    text = f"{text_of(read['drivername']) or '?'}://"
    if read["username"] is not None:
        text += text_of(read["username"]) or "?"
        if read["password"] is not None:
            text += f":{WITHHELD}"
            printer.withheld = True
        text += "@"
    text += text_of(read["host"]) or ""
    text += f":{read['port']}" if type(read["port"]) is int else ""
    text += f"/{text_of(read['database'])}" if read["database"] is not None else ""
    query = entries(read["query"], 10) if derives(type(read["query"]), dict) else []
    if query:
        text += f"?{'&'.join(f'{text_of(key)}=…' for key, _ in query)}"
    return text[: printer.characters]


def _engine(value: Any, printer: Printer, name: str = "") -> Description | None:
    url, dialect, pool = (attribute(value, each) for each in ("url", "dialect", "pool"))
    if url is MISSING or dialect is MISSING:
        return None
    facts = [("dialect", text_of(class_attribute(type(dialect), "name")) or "?")]
    driver = text_of(class_attribute(type(dialect), "driver"))
    if driver:
        facts.append(("driver", driver))
    if pool is not MISSING:
        facts.append(("pool", _pool(pool)))
    return Description(
        type=name or full_name(type(value)),
        kind="connection",
        attributes=public_names(value),
        facts=tuple(facts),
        value=url_text(url, printer),
    )


def _pool(pool: Any) -> str:
    size = attribute(attribute(pool, "_pool"), "maxsize")
    most = attribute(pool, "_max_overflow")
    bounds = f", {size} + {most} connections" if type(size) is int and type(most) is int else ""
    return f"{qualname(type(pool))}{bounds}"


def _session(value: Any) -> Description | None:
    bind = attribute(value, "bind")
    facts = [("bound to", qualname(type(bind)))] if _is_set(bind) else []
    for label, name in (("new objects", "_new"), ("deleted objects", "_deleted")):
        held = attribute(value, name)
        if derives(type(held), dict):
            facts.append((label, str(dict.__len__(held))))
    transaction = attribute(value, "_transaction")
    facts.append(("transaction", "begun" if _is_set(transaction) else "none"))
    return Description(
        type=full_name(type(value)),
        kind="connection",
        attributes=public_names(value),
        facts=tuple(facts),
    )


def _is_set(value: Any) -> bool:
    return value is not None and value is not MISSING


def _table(value: Any, printer: Printer) -> Description | None:
    kept = attribute(attribute(value, "_columns"), "_collection")
    if type(kept) is not list:
        return None
    found, keys = [], []
    for entry in kept[:_COLUMNS]:
        column = entry[1]
        name = text_of(attribute(column, "name")) or "?"
        kind = attribute(column, "type")
        length = attribute(kind, "length")
        dtype = qualname(type(kind)) + (f"({length})" if type(length) is int else "")
        found.append(Column(name=printer.cut([name], 60), dtype=dtype))
        if attribute(column, "primary_key") is True:
            keys.append(name)
    facts = [("table", text_of(attribute(value, "fullname")) or "?")]
    if keys:
        facts.append(("primary key", ", ".join(keys)))
    return Description(
        type=full_name(type(value)),
        kind="table",
        columns=tuple(found),
        attributes=public_names(value),
        facts=tuple(facts),
    )
