"""`aiex doctor`: what is installed and reachable, with a remedy for each fault."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Literal

import click
from msgspec import Struct

from aiex_ipy import __version__
from aiex_ipy.config import load_with_origins
from aiex_ipy.config.settings import Settings
from aiex_ipy.errors import AiexError

State = Literal["ok", "warn", "fail"]
PACKAGES = ("ipython", "ipykernel", "ipywidgets", "openai", "anthropic", "httpx2", "click")
LEAST_FREE_MB = 200
"""The local model takes 98 MB, and a pull needs its wheel beside it."""


class Check(Struct, frozen=True, kw_only=True):
    """One line of the report; `remedy` is empty where nothing is to be done."""

    name: str
    state: State
    detail: str
    remedy: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--verify", is_flag=True, help="Hash the local model too.")
def doctor(as_json: bool, verify: bool) -> int:
    """Check the installation; exit 2 when something fails.

    Each line says ok, warn or fail, and what to do. Keys are never shown.
    """
    checks = list(_checks(verify))
    if as_json:
        from aiex_ipy.render.results import to_json

        print(to_json(checks), end="")
    else:
        for check in checks:
            print(f"{check.state:5} {check.name:16} {check.detail}")
            if check.remedy:
                print(f"{'':22} {check.remedy}")
    return 2 if any(check.state == "fail" for check in checks) else 0


def _checks(verify: bool) -> Iterator[Check]:
    yield _python()
    yield _packages()
    settings = None
    try:
        loaded = load_with_origins()
        settings = loaded.settings
        yield Check(name="settings", state="ok", detail=f"project {settings.project_dir}")
        for warning in loaded.warnings:
            yield Check(name="settings", state="warn", detail=warning)
    except AiexError as error:
        yield Check(name="settings", state="fail", detail=error.message, remedy=error.hint)
    for check in (_analyzers, _proxy, _space, _subshells, _terminal):
        yield check()
    yield _local_model(settings, verify)
    if settings is not None:
        yield from _providers(settings)


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check(name="python", state="ok", detail=f"{version}, aiex {__version__}")


def _packages() -> Check:
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check(
            name="packages",
            state="fail",
            detail=f"missing: {', '.join(missing)}",
            remedy="Run `pip install --force-reinstall aiex`.",
        )
    return Check(name="packages", state="ok", detail=", ".join(found))


def _analyzers() -> Check:
    def facts() -> str:
        from aiex_ipy.grounding.facts import Subject
        from aiex_ipy.grounding.gather import gather
        from aiex_ipy.grounding.versions import versions

        sample = Subject(path="<doctor>", text="def keep(item, kept=[]):\n    return kept\n")
        if not any(issue.source == "ruff" for issue in gather([sample])[0].issues):
            raise AiexError(
                "ruff found nothing wrong with a mutable default.",
                hint="Run `pip install --force-reinstall ruff`.",
            )
        return ", ".join(f"{name} {version}" for name, version in versions().items())

    return _tried("analyzers", facts)


def _proxy() -> Check:
    names = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE")
    found = [name for name in names if os.environ.get(name) or os.environ.get(name.lower())]
    ca = os.environ.get("SSL_CERT_FILE")
    if ca and not os.path.isfile(ca):
        return Check(
            name="network",
            state="warn",
            detail=f"SSL_CERT_FILE names {ca!r}, which is not there",
            remedy="Point SSL_CERT_FILE at your certificates, or unset it.",
        )
    detail = f"set: {', '.join(found)}" if found else "no proxy, system CAs"
    return Check(name="network", state="ok", detail=detail)


def _space() -> Check:
    import shutil

    from aiex_ipy.providers import model_store

    folder = model_store.data_dir()
    here = folder
    while not here.exists() and here != here.parent:
        here = here.parent
    free_mb = shutil.disk_usage(here).free // 1_000_000
    if not os.access(here, os.W_OK):
        return Check(
            name="data directory",
            state="warn",
            detail=f"{folder} cannot be written",
            remedy="Set AIEX_DATA_DIR to a directory you may write to.",
        )
    if free_mb < LEAST_FREE_MB:
        return Check(
            name="data directory",
            state="warn",
            detail=f"{folder}: {free_mb} MB free",
            remedy=f"Free {LEAST_FREE_MB} MB, or set AIEX_DATA_DIR to another disk.",
        )
    return Check(name="data directory", state="ok", detail=f"{folder}: {free_mb} MB free")


def _subshells() -> Check:
    version = metadata.version("ipykernel")
    if int(version.partition(".")[0]) < 7:
        return Check(
            name="kernel",
            state="warn",
            detail=f"ipykernel {version} has no subshells: the stop button works between cells",
            remedy="Run `pip install 'ipykernel>=7'`.",
        )
    return Check(name="kernel", state="ok", detail=f"ipykernel {version} with subshells")


def _terminal() -> Check:
    encoding = getattr(sys.stdout, "encoding", None) or "unknown"
    kind = os.environ.get("TERM", "none") if sys.stdout.isatty() else "not a terminal"
    return Check(name="terminal", state="ok", detail=f"{kind}, {encoding}")


def _local_model(settings: Settings | None, verify: bool) -> Check:
    from aiex_ipy.providers import model_store

    name = settings.llm.embedded.model if settings else "smollm2"

    def facts() -> str:
        from importlib.util import find_spec

        found = model_store.find(name)
        if verify:
            model_store.verify(found)
        if find_spec("xllamacpp") is None:
            raise AiexError(
                f"{found.model} is here, but xllamacpp, which serves it, is not installed.",
                hint="Run `pip install 'aiex[local]'`.",
            )
        hashed = ", SHA-256 checked" if verify else ""
        return f"{found.model}, {found.size_bytes / 1e6:.0f} MB{hashed}"

    return _tried("local model", facts, failure="warn")


def _providers(settings: Settings) -> Iterator[Check]:
    from aiex_ipy.engine.engine import Engine
    from aiex_ipy.routing.health import check_health

    engine = Engine(settings)
    try:
        rows = engine.call(check_health(engine.models))
    except AiexError as error:
        yield Check(name="providers", state="fail", detail=error.message, remedy=error.hint)
        return
    finally:
        engine.close()
    for row in rows:
        if row.ok:
            models = f"{row.models} model{'' if row.models == 1 else 's'}"
            detail = f"{row.latency_ms:.0f} ms, {models}"
            yield Check(name=row.name, state="ok", detail=detail)
        else:
            state: State = "fail" if row.name == settings.llm.default_provider else "warn"
            yield Check(name=row.name, state=state, detail=row.error, remedy=row.hint)


def _tried(name: str, facts: Callable[[], str], failure: State = "fail") -> Check:
    try:
        return Check(name=name, state="ok", detail=facts())
    except AiexError as error:
        return Check(name=name, state=failure, detail=error.message, remedy=error.hint)
