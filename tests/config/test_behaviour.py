"""Every key that is built changes what aiex does: each is set as a user sets it, and seen."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from aiex_ipy.config import keys, load
from aiex_ipy.config.settings import Settings
from aiex_ipy.errors import InterruptedAnswerError, ProviderError, WorkspaceError
from aiex_ipy.messages import Chunk, Message, ModelRequest, TextDelta
from aiex_ipy.providers.embedded import EmbeddedProvider
from aiex_ipy.routing.choice import Choice, Target
from aiex_ipy.routing.router import Router
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Raw, Reply
from aiex_ipy.workspace import Workspace

if TYPE_CHECKING:
    from conftest import Place

Setter = Callable[..., Settings]
Proof = Callable[["Place", Setter, pytest.MonkeyPatch], None]
ROOT = Path(__file__).parents[2]

PROOFS: dict[str, Proof] = {}

# Keys whose effect needs more than this file has; the named test sets them and sees it.
ELSEWHERE: dict[str, str] = {
    "network.ssl_verify": "tests/providers/test_tls.py::test_unchecked_certificates_are_told_once",
    "network.ssl_cacertfile": "tests/providers/test_tls.py::test_the_settings_name_a_ca_file",
    "network.proxy_url": "tests/providers/test_proxy.py::test_the_proxy_of_the_settings_is_used",
    "completion.ghost_text": "tests/frontends/ipython/test_ghost.py::test_the_setting_turns_it_on",
    "display.widgets": ("tests/frontends/ipython/test_control.py::test_the_setting_turns_it_off"),
}


def proves(*proved: str) -> Callable[[Proof], Proof]:
    def register(proof: Proof) -> Proof:
        for key in proved:
            assert key not in PROOFS
            PROOFS[key] = proof
        return proof

    return register


def test_every_key_is_proved_once() -> None:
    """A key is in the table of this file or has a test elsewhere, and that test exists."""
    assert sorted([*PROOFS, *ELSEWHERE]) == sorted(doc.key for doc in keys.KEYS)
    for key, where in ELSEWHERE.items():
        file, name = where.split("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {name}\(", text, re.MULTILINE), key


@pytest.mark.parametrize("key", PROOFS)
def test_the_key_changes_what_aiex_does(
    key: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set in the user's file, or in the environment where it cannot stand in a file."""

    def setter(toml: str = "", **variables: str) -> Settings:
        place.user.write_text(toml)
        place.user.chmod(0o600)
        return load(project_dir=str(place.project), environ=place.environ(**variables))

    monkeypatch.setenv("HOME", str(place.home))
    monkeypatch.chdir(place.home)
    PROOFS[key](place, setter, monkeypatch)


def order(settings: Settings, providers: dict[str, Any] | None = None) -> list[str]:
    """Return the names of the providers that would be asked."""

    async def ask() -> list[str]:
        router = Router(settings, providers=providers)
        try:
            return [target.provider for target in await router.targets(Choice())]
        finally:
            await router.aclose()

    return asyncio.run(ask())


def say(settings: Settings, provider: str) -> str:
    """Ask a provider something and return what it says."""

    def request(target: Target) -> ModelRequest:
        return ModelRequest(
            messages=(Message(role="user", content="hello"),),
            model=target.model,
            max_tokens=target.max_tokens,
        )

    async def ask() -> str:
        router = Router(settings)
        said = ""
        try:
            async with aclosing(router.stream(request, Choice(provider=provider))) as chunks:
                async for chunk in chunks:
                    if isinstance(chunk, TextDelta):
                        said += chunk.text
        finally:
            await router.aclose()
        return said

    return asyncio.run(ask())


@proves("log")
def log(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    import contextlib
    import io

    from aiex_ipy.telemetry import logs

    logger = logging.getLogger(logs.NAME)
    patch.setattr(logger, "parent", None)  # pytest listens at the root
    toml = "[llm.providers.scripted]\nanswers = ['secret words']\n"
    for level, lines in (("debug", 2), ("info", 1), ("warning", 0)):
        seen = io.StringIO()
        with contextlib.redirect_stderr(seen):
            say(setter(f"log = '{level}'\n{toml}"), "scripted")
        logger.handlers.clear()
        assert len(seen.getvalue().splitlines()) == lines
        assert "words" not in seen.getvalue()


OPENAI = "[llm.providers.openai]\n"
KEY = "sk-0123456789"


@proves("project_dir")
def project_dir(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    (place.project / "a.py").write_text("")
    environ = place.environ(AIEX_PROJECT_DIR=str(place.project))
    assert Workspace(load(environ=environ)).resolve("a.py").path == "a.py"
    with pytest.raises(WorkspaceError):
        Workspace(load(environ=place.environ())).resolve("a.py")


@proves("env")
def env(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    toml = "[profiles.prod.llm]\ndefault_provider = 'none'\n[llm]\ndefault_provider = 'scripted'\n"
    assert order(setter(toml, AIEX_ENV="prod")) == []
    assert order(setter(toml))[0] == "scripted"


@proves("llm.default_provider", "llm.fallback_provider")
def default_and_fallback(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    toml = "[llm]\ndefault_provider = 'anthropic'\nfallback_provider = 'ollama'\n"
    asked = order(setter(toml, OPENAI_API_KEY=KEY, ANTHROPIC_API_KEY=KEY))
    assert asked == ["anthropic", "openai", "ollama"]
    assert order(setter(OPENAI_API_KEY=KEY, ANTHROPIC_API_KEY=KEY)) == ["openai", "anthropic"]


@proves("llm.budget.cost_usd", "llm.budget.tokens")
def budget(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    from aiex_ipy.errors import BudgetError
    from aiex_ipy.messages import Usage
    from aiex_ipy.routing.ledger import Call, Ledger
    from aiex_ipy.routing.prices import Tariffs

    def refused(settings: Settings) -> bool:
        ledger = Ledger(Tariffs())
        usage = Usage(input_tokens=60, output_tokens=40, cost_usd=0.5)
        ledger.add(Call(provider="openai", model="m", usage=usage))
        try:
            ledger.check(settings.llm.budget, provider="openai", model="m", priced=True)
        except BudgetError:
            return True
        return False

    assert not refused(setter())
    assert refused(setter("[llm.budget]\ncost_usd = 0.5\n"))
    assert refused(setter(AIEX_LLM_BUDGET_COST_USD=".25"))
    assert not refused(setter("[llm.budget]\ncost_usd = 1\ntokens = 101\n"))
    assert refused(setter("[llm.budget]\ncost_usd = 1\ntokens = 100\n"))


@proves("llm.providers.NAME.input_usd_per_mtok", "llm.providers.NAME.output_usd_per_mtok")
def prices(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    from aiex_ipy.messages import Usage
    from aiex_ipy.routing.prices import Tariffs

    usage = Usage(input_tokens=1_000_000, output_tokens=1_000_000)
    settings = setter(f"{OPENAI}input_usd_per_mtok = 2\noutput_usd_per_mtok = 0.5\n")
    instance = settings.llm.providers["openai"]
    assert Tariffs().cost(instance, "m", usage, local=False) == 2.5


def asked_for(settings: Settings, choice: Choice, **providers: Any) -> list[tuple[str, str | None]]:
    """Return the providers and models that would be asked."""

    async def ask() -> list[tuple[str, str | None]]:
        router = Router(settings, providers=providers)
        try:
            return [(each.provider, each.model) for each in await router.targets(choice)]
        finally:
            await router.aclose()

    return asyncio.run(ask())


@proves(*(f"llm.tasks.{task}" for task in keys.TASKS))
def tasks(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    lines = "".join(f"{task} = 'Anthropic/org/{task}:7b'\n" for task in keys.TASKS)
    both = {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY}
    settings = setter(f"[llm]\ndefault_provider = 'openai'\n[llm.tasks]\n{lines}", **both)
    for task in keys.TASKS:
        found = asked_for(settings, Choice(task=task))
        assert found[0] == ("anthropic", f"org/{task}:7b")
        assert found[1][0] == "openai"
        assert asked_for(settings, Choice(task=task, provider="openai"))[0][0] == "openai"
        assert asked_for(settings, Choice(task=task, model="mine"))[0] == ("anthropic", "mine")
        model_alone = setter(f"[llm.tasks]\n{task} = '/org/big'\n", **both)
        assert asked_for(model_alone, Choice(task=task))[0] == ("openai", "org/big")
        assert asked_for(model_alone, Choice())[0] == ("openai", None)
        nobody = setter(f"[llm.tasks]\n{task} = 'none'\n", **both)
        assert asked_for(nobody, Choice(task=task)) == []


@proves("llm.prefer_local")
def prefer_local(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    absent = {"ollama": Listening(), "lm_studio": Listening(), "embedded": Listening()}
    house = (
        "[llm.providers.house]\nkind = 'openai_compatible'\nbase_url = 'http://127.0.0.1:9/v1'\n"
    )

    def asked(toml: str) -> list[str]:
        return order(setter(f"{toml}{house}", OPENAI_API_KEY=KEY), absent)

    assert sorted(asked("")) == ["house", "openai"]
    assert asked("[llm.providers.openai]\npriority = 1\n") == ["openai", "house"]
    preferred = "[llm]\nprefer_local = true\n[llm.providers.openai]\npriority = 1\n"
    assert asked(preferred) == ["house", "openai"]


@proves("llm.providers.NAME.fallbacks")
def fallbacks(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    toml = (
        "[llm]\ndefault_provider = 'openai'\nfallback_provider = 'ollama'\n"
        "[llm.providers.openai_spare]\npriority = 200\nfallbacks = ['Anthropic']\n"
        "[llm.providers.openai_other]\npriority = 300\n"
    )
    one = setter(f"{toml}{OPENAI}fallbacks = 'openai-spare'\n", OPENAI_API_KEY=KEY)
    assert order(one) == ["openai", "openai_spare", "anthropic", "openai_other", "ollama"]
    two = setter(f"{toml}{OPENAI}fallbacks = ['lm-studio', 'ollama']\n", OPENAI_API_KEY=KEY)
    assert order(two)[:3] == ["openai", "lm_studio", "ollama"]


class Failing:
    """A provider that is overloaded, and counts how often it was asked."""

    kind = "openai"
    name = "openai"
    prompt_budget_tokens = None

    def __init__(self) -> None:
        self.asked = 0

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
        from aiex_ipy.errors import UnavailableError

        self.asked += 1
        raise UnavailableError("It is overloaded.", code="overloaded")
        yield

    async def aclose(self) -> None:
        pass


class Clock:
    """Time that passes only while it is slept."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def failures(
    settings: Settings, times: int = 1, pause_s: float = 0.0
) -> tuple[int, Clock, list[str]]:
    """Return how often an overloaded provider was asked, the pauses, and the errors; `pause_s`
    pass after each request."""
    from aiex_ipy.errors import AiexError
    from aiex_ipy.routing.state import RoutingState

    clock, provider, codes = Clock(), Failing(), []
    state = RoutingState(clock=lambda: clock.now, sleep=clock.sleep, random=lambda: 0.0)

    async def ask() -> None:
        router = Router(settings, providers={"openai": provider}, state=state)  # type: ignore[dict-item]
        for _ in range(times):
            try:
                async for _ in router.stream(
                    lambda target: ModelRequest(messages=()), Choice(provider="openai")
                ):
                    raise AssertionError("it answered")
            except AiexError as error:
                codes.append(error.code)
            clock.now += pause_s
        await router.aclose()

    asyncio.run(ask())
    return provider.asked, clock, codes


@proves("llm.max_retries", "llm.backoff_factor", "llm.retry_budget_ms")
def retries(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    asked, clock, _ = failures(setter())
    assert (asked, clock.slept) == (4, [0.5, 1.0, 2.0])
    asked, clock, _ = failures(setter("[llm]\nmax_retries = 2\nbackoff_factor = 3\n"))
    assert (asked, clock.slept) == (3, [0.5, 1.5])
    assert failures(setter("[llm]\nmax_retries = 0\n"))[0] == 1
    asked, clock, _ = failures(setter("[llm]\nretry_budget = 1_700\n"))
    assert (asked, clock.slept) == (3, [0.5, 1.0])


def asked_twice(settings: Settings, at_once: bool) -> int:
    """Return how often the server was asked for one question put twice, at once or in turn."""

    def build(target: Target) -> ModelRequest:
        return ModelRequest(messages=(Message(role="user", content="hi"),), model="m")

    async def answer(router: Router) -> str:
        async with aclosing(router.stream(build, Choice(provider="openai"))) as chunks:
            return "".join([each.text async for each in chunks if isinstance(each, TextDelta)])

    async def both() -> list[str]:
        router = Router(settings)
        try:
            if at_once:
                return await asyncio.gather(answer(router), answer(router))
            return [await answer(router), await answer(router)]
        finally:
            await router.aclose()

    with LoopbackServer(Reply(text="a b c", pause_s=0.05)) as server:
        openai = settings.llm.providers["openai"]
        openai = msgspec.structs.replace(openai, base_url=server.openai_url)
        llm = msgspec.structs.replace(settings.llm, providers={"openai": openai})
        settings = msgspec.structs.replace(settings, llm=llm)
        assert asyncio.run(both()) == ["a b c", "a b c"]
        return len(server.asked)


@proves("llm.deduplicate")
def deduplicate(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    assert asked_twice(setter(OPENAI_API_KEY=KEY), at_once=True) == 1
    apart = setter("[llm]\ndeduplicate = false\n", OPENAI_API_KEY=KEY)
    assert asked_twice(apart, at_once=True) == 2


@proves("llm.cache.enabled", "llm.cache.max_mb")
def response_cache(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    from aiex_ipy.messages import Finish, Opened
    from aiex_ipy.routing.response_cache import cache_path
    from aiex_ipy.routing.state import RoutingState

    patch.setenv("AIEX_DATA_DIR", str(place.home / "data"))
    assert asked_twice(setter(OPENAI_API_KEY=KEY), at_once=False) == 2
    assert not cache_path().exists()
    kept = setter("[llm.cache]\nenabled = true\nmax_mb = 1\n", OPENAI_API_KEY=KEY)
    assert asked_twice(kept, at_once=False) == 1
    words = [Opened(provider="p", model="m"), TextDelta("x" * 400_000), Finish(reason="stop")]

    async def fill() -> None:
        cache = RoutingState().cache(kept.llm.cache)
        for number in range(4):
            await cache.put(bytes([number] * 32), words)

    asyncio.run(fill())
    assert 400_000 < cache_path().stat().st_size <= 1_000_000


@proves("llm.circuit_breaker.failure_threshold", "llm.circuit_breaker.recovery_time_ms")
def breaker(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    once = "[llm]\nmax_retries = 0\n"
    asked, _, codes = failures(setter(once), times=7)
    assert (asked, codes[4:]) == (5, ["overloaded", "circuit_open", "circuit_open"])
    quick = f"{once}[llm.circuit_breaker]\nfailure_threshold = 2\n"
    assert failures(setter(quick), times=7)[0] == 2
    pausing = f"{quick}recovery_time = 9_000\n"
    assert failures(setter(quick), times=3, pause_s=10.0)[0] == 2
    assert failures(setter(pausing), times=3, pause_s=10.0)[0] == 3
    assert failures(setter(pausing), times=3, pause_s=8.0)[0] == 2


@proves("llm.timeout_ms", "llm.providers.NAME.timeout_ms")
def timeouts(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    def deadline(settings: Settings, name: str) -> float:
        return Router(settings).provider(name).first_byte_s  # type: ignore[attr-defined]

    settings = setter(f"[llm]\ntimeout = 7_000\n{OPENAI}timeout = 5_000\n")
    assert deadline(settings, "openai") == 5.0
    assert deadline(settings, "anthropic") == 7.0
    assert deadline(settings, "ollama") == 7.0
    assert deadline(setter(), "openai") == 30.0


class Holding:
    """A provider that answers nobody, and counts whom it has been asked by."""

    prompt_budget_tokens = None

    def __init__(self, name: str) -> None:
        self.name = self.kind = name
        self.asked = 0

    async def stream(self, request: ModelRequest, /) -> AsyncGenerator[Chunk, None]:
        self.asked += 1
        await asyncio.Event().wait()
        yield TextDelta("")  # never

    async def aclose(self) -> None:
        pass


def entered(settings: Settings, name: str, asked: int = 30) -> tuple[int, int, float]:
    """Ask a provider so many questions. Return how many reach it at once, how many wait, and the
    seconds until its rate allows the next."""
    from aiex_ipy.errors import RateLimitError
    from aiex_ipy.routing.gate import limits_for
    from aiex_ipy.routing.state import RoutingState

    async def ask() -> tuple[int, int, float]:
        provider, state = Holding(name), RoutingState()
        router = Router(settings, providers={name: provider}, state=state)  # type: ignore[dict-item]

        async def one(number: int) -> None:
            def request(target: Target) -> ModelRequest:
                return ModelRequest(
                    messages=(Message(role="user", content=f"{number}"),), max_tokens=9
                )

            async with aclosing(router.stream(request, Choice(provider=name))) as chunks:
                async for _ in chunks:
                    pass

        asking = [asyncio.create_task(one(number)) for number in range(asked)]
        for _ in range(20):
            await asyncio.sleep(0)
        remote = not router.is_local(name)
        limits = limits_for(settings.llm.providers[name], settings.llm, remote=remote, slots=None)
        gate = state.gate(settings.llm.providers[name], limits)
        next_in_s = gate.next_in_s
        refused = [each.exception() for each in asking if each.done()]
        assert all(isinstance(each, RateLimitError) for each in refused)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        assert gate.running == gate.waiting == 0
        return provider.asked, asked - provider.asked - len(refused), next_in_s

    return asyncio.run(ask())


@proves("llm.max_concurrent_requests", "llm.providers.NAME.max_concurrent_requests")
def concurrent(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    rate = "[llm.rate_limit]\nburst_size = 100\n"
    assert entered(setter(rate), "openai")[:2] == (10, 20)
    own = f"{OPENAI}max_concurrent_requests = 3\n"
    own += "[llm.providers.lm_studio]\nmax_concurrent_requests = 2\n"
    settings = setter(f"[llm]\nmax_concurrent_requests = 4\n{rate}{own}")
    assert entered(settings, "anthropic")[:2] == (4, 26)
    assert entered(settings, "openai")[:2] == (3, 27)
    assert entered(settings, "ollama")[:2] == (30, 0)
    assert entered(settings, "lm_studio")[:2] == (2, 28)


@proves("llm.rate_limit.burst_size", "llm.providers.NAME.burst_size")
def burst(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    many = "[llm]\nmax_concurrent_requests = 100\n[llm.rate_limit]\nrequests_per_minute = 1\n"
    assert entered(setter(many), "openai")[:2] == (10, 20)
    own = f"{OPENAI}burst_size = 3\n[llm.providers.lm_studio]\nburst_size = 2\n"
    settings = setter(f"{many}burst_size = 4\n{own}")
    assert entered(settings, "anthropic")[:2] == (4, 26)
    assert entered(settings, "openai")[:2] == (3, 27)
    assert entered(settings, "ollama")[:2] == (30, 0)
    assert entered(settings, "lm_studio")[:2] == (2, 28)


@proves("llm.rate_limit.requests_per_minute", "llm.providers.NAME.requests_per_minute")
def per_minute(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    many = "[llm]\nmax_concurrent_requests = 100\n"
    settings = setter(
        f"{many}[llm.rate_limit]\nrequests_per_minute = 2\n{OPENAI}requests_per_minute = 1\n"
    )
    assert entered(setter(many), "openai")[2] <= 1
    assert 20 < entered(settings, "anthropic")[2] <= 30
    assert 40 < entered(settings, "openai")[2] <= 60
    assert entered(settings, "ollama")[2] == 0


@proves("llm.max_queued_requests")
def queued(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    slow = "[llm.rate_limit]\nrequests_per_minute = 1\n"
    assert entered(setter(slow), "openai")[:2] == (10, 20)
    assert entered(setter(f"[llm]\nmax_queued_requests = 5\n{slow}"), "openai")[:2] == (10, 5)


def there(server: LoopbackServer) -> str:
    return f"[llm.providers.ollama]\nbase_url = '{server.url}'\nmodel = 'm'\n"


@proves("llm.idle_timeout_ms", "llm.total_timeout_ms")
def deadlines_of_an_answer(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    block = b'{"message": {"role": "assistant", "content": "begun"}, "done": false}\n'
    for word, ends, pause in (("idle", "silence", 0.0), ("total", "end", 0.05)):
        times = 1 if word == "idle" else 1000
        reply = Raw(
            headers={"content-type": "application/x-ndjson"},
            blocks=(block,) * times,
            pause_s=pause,
            end=ends,  # type: ignore[arg-type]
        )
        with LoopbackServer(reply) as server:
            settings = setter(f"[llm]\n{word}_timeout = 200\n{there(server)}")
            with pytest.raises(InterruptedAnswerError) as caught:
                say(settings, "ollama")
        assert caught.value.reason == {"idle": "idle", "total": "total_timeout"}[word]


@proves("llm.connect_timeout_ms")
def connect_timeout(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    """What a connection that nobody accepts runs into is seen in the tests of deadlines."""
    for line, seconds in (("", 5.0), ("[llm]\nconnect_timeout = 700\n", 0.7)):
        provider = Router(setter(line)).provider("ollama")
        assert provider.timeout.connect == seconds  # type: ignore[attr-defined]


@proves("network.timeout_ms")
def network_timeout(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    import socket

    async def ask(settings: Settings) -> str:
        router = Router(settings)
        try:
            await router.provider("ollama").models()
        except ProviderError as error:
            return error.message
        finally:
            await router.aclose()
        return ""

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        toml = f"[network]\ntimeout = 150\n[llm.providers.ollama]\nbase_url = '{url}'\n"
        assert "did not answer within 0.15 s" in asyncio.run(ask(setter(toml)))


@proves("network.max_redirects")
def redirects(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    moved = Raw(status=307, headers={"location": "/api/chat?again=1"})
    for most, answered in ((1, True), (0, False)):
        with LoopbackServer(moved, Reply(text="found")) as server:
            settings = setter(f"[network]\nmax_redirects = {most}\n{there(server)}")
            if answered:
                assert say(settings, "ollama") == "found"
            else:
                with pytest.raises(ProviderError, match="redirects more than 0 times"):
                    say(settings, "ollama")


class Listening:
    """A provider that keeps how long it was waited for."""

    kind = "ollama"
    name = "ollama"
    prompt_budget_tokens = None

    def __init__(self) -> None:
        self.waited: list[float] = []

    async def available(self, within_s: float, /) -> bool:
        self.waited.append(within_s)
        return False

    async def aclose(self) -> None:
        pass


@proves("llm.probe_timeout_ms")
def probe_timeout(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    local, studio = Listening(), Listening()
    order(setter("[llm]\nprobe_timeout = 150\n"), {"ollama": local, "lm_studio": studio})
    assert local.waited == studio.waited == [0.15]


@proves("llm.probe_keep_ms")
def probe_keep(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    async def probes(settings: Settings) -> int:
        local, studio = Listening(), Listening()
        router = Router(settings, providers={"ollama": local, "lm_studio": studio})  # type: ignore[dict-item]
        for _ in range(3):
            await router.targets(Choice(by_name_only=True))
        return len(local.waited)

    assert asyncio.run(probes(setter())) == 1
    assert asyncio.run(probes(setter("[llm]\nprobe_keep_ms = 0\n"))) == 3


def embedded(settings: Settings) -> EmbeddedProvider:
    return EmbeddedProvider(settings.llm.providers["embedded"], settings)


def own_model(place: Place) -> Path:
    file = place.config / "own.gguf"
    file.write_bytes(b"GGUF" + bytes(64))
    return file


@proves("llm.embedded.model")
def embedded_model(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("AIEX_DATA_DIR", str(place.home))
    file = own_model(place)
    provider = embedded(setter("[llm.embedded]\nmodel = './own.gguf'\n"))
    assert [model.name for model in asyncio.run(provider.models())] == [str(file)]
    assert embedded(setter()).unavailable() is not None


@proves(
    "llm.embedded.threads",
    "llm.embedded.context_tokens",
    "llm.embedded.linger_ms",
    "llm.embedded.first_byte_timeout_ms",
)
def embedded_server(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    """What the server's process is started with, which its own tests follow into the process."""
    file = own_model(place)
    toml = (
        f"[llm.embedded]\nmodel = '{file}'\nthreads = 3\ncontext_tokens = 1024\nlinger = 7\n"
        "first_byte_timeout = 9_000\n"
    )
    server = embedded(setter(toml))._server(None)
    spec = server._spec
    assert (spec.threads, spec.context_tokens, spec.linger_ms) == (3, 1024, 7)
    assert server.first_byte_s == 9.0


@proves("llm.embedded.prompt_budget_tokens")
def embedded_budget(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    assert (
        embedded(setter("[llm.embedded]\nprompt_budget_tokens = 500\n")).prompt_budget_tokens == 500
    )


@proves("llm.providers.NAME.kind")
def kind(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    toml = "[llm.providers.gateway]\nkind = 'scripted'\nanswers = ['from gateway']\n"
    assert say(setter(toml), "gateway") == "from gateway"


@proves("llm.providers.NAME.answers")
def answers(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    assert say(setter("[llm.providers.scripted]\nanswers = ['four']\n"), "scripted") == "four"


@proves(
    "llm.providers.NAME.base_url",
    "llm.providers.NAME.api_key",
    "llm.providers.NAME.api_key_env",
    "llm.providers.NAME.model",
    "llm.providers.NAME.max_tokens",
)
def request_sent(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    with LoopbackServer() as server:
        toml = f"{OPENAI}base_url = '{server.openai_url}'\nmodel = 'mine'\nmax_tokens = 77\n"
        say(setter(f"{toml}api_key = '{KEY}'\n"), "openai")
        say(setter(f"{toml}api_key_env = 'MY_KEY'\n", MY_KEY="sk-of-mine"), "openai")
    first, second = server.asked
    assert first.headers["authorization"] == f"Bearer {KEY}"
    assert second.headers["authorization"] == "Bearer sk-of-mine"
    assert first.json["model"] == "mine"
    assert 77 in first.json.values()


@proves("llm.providers.NAME.priority")
def priority(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    toml = "[llm.providers.anthropic]\npriority = 1\n[llm.providers.openai]\npriority = 2\n"
    keys_set = {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY}
    assert order(setter(toml, **keys_set)) == ["anthropic", "openai"]


def readable(settings: Settings, file: Path) -> bool:
    try:
        Workspace(settings).read(file)
    except WorkspaceError:
        return False
    return True


@proves("sandbox.max_file_size_mb")
def size(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    file = place.project / "a.py"
    file.write_bytes(b"#" * 1_000_001)
    assert readable(setter(), file)
    assert not readable(setter("[sandbox]\nmax_file_size_mb = 1\n"), file)


@proves("sandbox.allowed_extensions")
def suffixes(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    file = place.project / "a.odd"
    file.write_text("x")
    assert not readable(setter(), file)
    assert readable(setter("[sandbox]\nallowed_extensions = ['.odd']\n"), file)


@proves("sandbox.allowed_paths")
def allowed(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    patch.chdir(place.project)
    data = place.home / "data"
    data.mkdir()
    (data / "a.py").write_text("")
    before = Workspace(setter())
    after = Workspace(setter("[sandbox]\nallowed_paths = ['~/data']\n"))
    found = before.resolve(data / "a.py")
    assert (before.is_open(found), after.is_open(found)) == (False, True)


@proves("sandbox.denied_paths")
def denied(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    file = place.project / "a.py"
    file.write_text("")
    assert readable(setter(), file)
    assert not readable(setter(f"[sandbox]\ndenied_paths = ['{place.project}']\n"), file)


@proves("sandbox.denied_patterns")
def patterns(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    file = place.project / "customers.csv"
    file.write_text("")
    assert readable(setter(), file)
    assert not readable(setter("[sandbox]\ndenied_patterns = ['**/customers.*']\n"), file)


@proves("analyze.analyzers")
def plugin_analyzers(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    from aiex_ipy.engine.engine import Engine
    from aiex_ipy.grounding import plugged
    from aiex_ipy.grounding.facts import Issue, Subject
    from aiex_ipy.operations.analyze import AnalyzeRequest

    issue = Issue(
        severity="low", category="security", rule="P1", path="<stdin>", line=1, end_line=1,
        message="Seen", source="acme",
    )  # fmt: skip
    patch.setattr(plugged, "_load", lambda name: type("A", (), {"issues": lambda *_: [issue]})())

    def rules(line: str) -> list[str]:
        engine = Engine(setter(f"[analyze]\n{line}\n[llm]\ndefault_provider = 'none'\n"))
        subject = Subject(path="<stdin>", text="x = 1\n")
        try:
            return [i.rule for i in engine.run_sync(AnalyzeRequest(subjects=(subject,))).issues]
        finally:
            engine.close()

    assert rules("") == []
    assert rules("analyzers = ['acme']") == ["P1"]


class Counting:
    """A screen that counts how often it is drawn."""

    def __init__(self) -> None:
        self.changed = False
        self.drawn = 0

    def words(self, text: str) -> None:
        self.changed = True

    def show(self) -> int:
        self.drawn += 1
        self.changed = False
        return 0

    def ignore(self, *_: object) -> None:
        pass

    note = speaking = facts = finish = stop = ignore


@proves("display.updates_per_second")
def updates(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from aiex_ipy.engine.engine import Engine
    from aiex_ipy.frontends.ipython import streaming
    from aiex_ipy.operations.ask import AskRequest
    from aiex_ipy.providers.scripted import ScriptedProvider

    def drawn(rate: int) -> int:
        settings = setter(f"[display]\nupdates_per_second = {rate}\n")
        instance = settings.llm.providers["scripted"]
        slow = ScriptedProvider(instance, settings, script=["a " * 40], pause_s=0.01)
        engine = Engine(settings, models=Router(settings, providers={"scripted": slow}))
        screen = Counting()
        session = SimpleNamespace(
            engine=engine, shell=None, mark_shown=screen.ignore, keep=screen.ignore
        )
        patch.setattr(streaming, "_screen", lambda *_: screen)
        try:
            streaming.show_and_run(session, AskRequest(query="q", provider="scripted"))  # type: ignore[arg-type]
        finally:
            engine.close()
        return screen.drawn

    assert drawn(1) < drawn(60)


@proves("completion.max_tokens")
def completion_max_tokens(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    from aiex_ipy.engine.completing import completer_of
    from aiex_ipy.engine.engine import Engine

    with LoopbackServer() as server:
        settings = setter(
            '[llm]\ndefault_provider = "there"\n[llm.providers.there]\nkind = "openai_compatible"\n'
            f'base_url = "{server.openai_url}"\nmodel = "m"\n[completion]\nmax_tokens = 7\n'
        )
        engine = Engine(settings)
        try:
            engine.run_sync(completer_of(engine).request("x = ", namespace={}))
        finally:
            engine.close()
        assert server.asked[0].json["max_tokens"] == 7


@proves("completion.jedi_deadline_ms")
def completion_jedi_deadline(place: Place, setter: Setter, patch: pytest.MonkeyPatch) -> None:
    from aiex_ipy.engine.completing import completer_of
    from aiex_ipy.engine.engine import Engine

    code = "def area(radius):\n    return rad"
    found = []
    for deadline in (0, 10_000):
        settings = setter(
            f'[llm]\ndefault_provider = "none"\n[completion]\njedi_deadline_ms = {deadline}\n'
        )
        engine = Engine(settings)
        try:
            found.append(engine.run_sync(completer_of(engine).request(code, namespace={})).count)
        finally:
            engine.close()
    assert found == [0, 1]
