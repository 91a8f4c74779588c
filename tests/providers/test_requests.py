"""What each provider sends, and which model it asks when none is named."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from aiex_ipy.config.settings import LLMSettings, ProviderSettings, Secret, Settings
from aiex_ipy.errors import ConfigError, CredentialsError, ProviderError
from aiex_ipy.messages import Answer, Message, ModelRequest, Opened, ToolCall
from aiex_ipy.providers.anthropic import AnthropicProvider, messages_body
from aiex_ipy.providers.chat_completions import chat_body
from aiex_ipy.providers.fold import collect
from aiex_ipy.providers.lm_studio import LMStudioProvider
from aiex_ipy.providers.ollama import OllamaProvider
from aiex_ipy.providers.ollama import chat_body as ollama_body
from aiex_ipy.providers.openai import OpenAIProvider
from aiex_ipy.providers.openai_compatible import OpenAICompatibleProvider
from aiex_ipy.providers.scripted import ScriptedProvider
from aiex_ipy.providers.wire import http_url, is_loopback
from aiex_ipy.testing.conformance import SCHEMA, TOOL, question
from aiex_ipy.testing.loopback import Listed, LoopbackServer
from aiex_ipy.testing.replies import Raw, Reply

ASKED = ModelRequest(
    messages=(
        Message(role="system", content="Be brief."),
        Message(role="user", content="Read both."),
        Message(
            role="assistant",
            content="",
            tool_calls=(
                ToolCall(id="a", name="read_lines", arguments='{"path": "a.py"}'),
                ToolCall(id="b", name="read_lines", arguments="{broken"),
            ),
        ),
        Message(role="tool", content="x = 1", tool_call_id="a"),
        Message(role="tool", content="y = 2", tool_call_id="b"),
    ),
    max_tokens=50,
    temperature=0.5,
    stop=("END",),
    tools=(TOOL,),
    response_schema=SCHEMA,
)


@pytest.fixture
def server():
    with LoopbackServer() as server:
        yield server


def use(
    made: Callable[[ProviderSettings, Settings], Any],
    instance: ProviderSettings,
    work: Callable[[Any], Awaitable[Any]],
) -> Any:
    """Run `work` with a provider on a loop of its own."""

    async def run() -> Any:
        provider = made(instance, Settings(llm=LLMSettings(timeout_ms=5000)))
        try:
            return await work(provider)
        finally:
            await provider.aclose()

    return asyncio.run(run())


async def first_and_answer(provider: Any) -> tuple[Opened, Answer]:
    chunks = [chunk async for chunk in provider.stream(question())]
    assert isinstance(chunks[0], Opened)
    return chunks[0], chunks[-1]


def test_the_vendors_own_host_gets_its_own_words():
    """OpenAI's reasoning models refuse `max_tokens`; other servers know only that."""
    own, others = (chat_body(ASKED, "m", vendors=vendors) for vendors in (True, False))
    assert (own["max_completion_tokens"], "max_tokens" in own) == (50, False)
    assert (others["max_tokens"], "max_completion_tokens" in others) == (50, False)
    assert own["response_format"]["json_schema"]["strict"] is True
    assert own["stream_options"] == {"include_usage": True}
    assert [message["role"] for message in own["messages"]] == [
        "system",
        "user",
        "assistant",
        "tool",
        "tool",
    ]


def test_the_messages_wire_joins_tool_results_and_sets_the_system_apart():
    """Results of several calls must be one turn; a system message is no turn."""
    body = messages_body(ASKED, "m", vendors=True)
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    assert [block["tool_use_id"] for block in body["messages"][2]["content"]] == ["a", "b"]
    assert body["messages"][1]["content"][1]["input"] == {}
    assert body["system"] == "Be brief."
    assert body["stop_sequences"] == ["END"]
    assert body["output_config"]["format"]["type"] == "json_schema"
    assert "temperature" not in body


def test_a_stand_in_for_anthropic_is_told_the_schema_in_words_too():
    """llama.cpp ignores `output_config`; and it takes a temperature."""
    body = messages_body(ASKED, "m", vendors=False)
    assert "JSON schema" in body["system"]
    assert body["temperature"] == 0.5


def test_ollama_gets_a_context_that_holds_the_prompt():
    """Its default context cuts a longer prompt without a word."""
    short = ollama_body(question("hello"), "m")
    assert "num_ctx" not in short["options"]
    long = ollama_body(question("word " * 4000, max_tokens=100), "m")
    assert long["options"]["num_ctx"] == 8192
    assert long["options"]["num_predict"] == 100


def test_ollama_gets_tool_results_by_the_tools_name():
    """Its wire has no call ids."""
    body = ollama_body(ASKED, "m")
    assert body["messages"][3]["tool_name"] == "read_lines"
    assert body["messages"][2]["tool_calls"][1]["function"]["arguments"] == {}
    assert body["format"]["additionalProperties"] is False


CHAT, EMBED = ("completion", "tools"), ("embedding",)


@pytest.mark.parametrize(
    ("models", "chosen", "note"),
    [
        (
            [
                Listed(name="old", modified_at="2025-01-01T00:00:00Z", capabilities=CHAT),
                Listed(name="new", modified_at="2026-01-01T00:00:00Z", capabilities=CHAT),
            ],
            "new",
            "the model Ollama got last",
        ),
        (
            [
                Listed(name="new", modified_at="2026-01-01T00:00:00Z"),
                Listed(
                    name="used",
                    modified_at="2025-01-01T00:00:00Z",
                    used_at="2026-11-22T10:00:00Z",
                ),
                Listed(
                    name="used-last",
                    modified_at="2024-01-01T00:00:00Z",
                    used_at="2026-11-22T10:05:00Z",
                ),
            ],
            "used-last",
            "the model Ollama used last",
        ),
        (
            [
                Listed(name="embed", capabilities=EMBED, used_at="2026-11-22T10:05:00Z"),
                Listed(name="chat", capabilities=CHAT, used_at="2026-11-22T10:00:00Z"),
            ],
            "chat",
            "the model Ollama used last",
        ),
    ],
)
def test_ollama_is_asked_for_the_model_it_used_last(server, models, chosen, note):
    """Without a model set, the one most recently used that can chat; the answer says so."""
    server.models = tuple(models)
    instance = ProviderSettings(name="ollama", kind="ollama", base_url=server.url)
    opened, finish = use(OllamaProvider, instance, first_and_answer)
    assert (opened.model, opened.note) == (chosen, note)
    assert server.asked[0].json["model"] == chosen
    assert finish.usage.cost_usd == 0.0


CLOUD = "https://ollama.com:443"
USED = "2026-11-22T10:05:00Z"


@pytest.mark.parametrize(
    "remote",
    [
        Listed(name="gpt-oss:120b-cloud", used_at=USED),
        Listed(name="glm-5:cloud", used_at=USED),
        Listed(name="mine", used_at=USED, remote_host=CLOUD),
    ],
    ids=lambda each: each.name,
)
def test_a_model_in_ollamas_cloud_is_asked_by_its_name_only(server, remote):
    """Ollama lists what it passes on to its own cloud beside what runs here: nobody's code leaves
    this machine because such a model was used last."""
    instance = ProviderSettings(name="ollama", kind="ollama", base_url=server.url)
    server.models = (remote, Listed(name="here"))
    opened, finish = use(OllamaProvider, instance, first_and_answer)
    assert opened.model == "here"
    assert finish.usage.cost_usd == 0.0
    assert use(OllamaProvider, instance, lambda p: p.available(5))
    assert {each.name: each.elsewhere for each in use(OllamaProvider, instance, listed)} == {
        remote.name: True,
        "here": False,
    }
    server.models = (remote,)
    with pytest.raises(ProviderError, match="no model on this machine") as caught:
        use(OllamaProvider, instance, first_and_answer)
    assert "--model" in caught.value.hint
    assert not use(OllamaProvider, instance, lambda p: p.available(5))
    named = ProviderSettings(name="ollama", kind="ollama", base_url=server.url, model=remote.name)
    assert use(OllamaProvider, named, lambda p: p.available(5))


async def listed(provider):
    return await provider.models()


@pytest.mark.parametrize(
    ("address", "cost"),
    [
        (None, 0.0),
        ("http://gpu.lan:11434", 0.0),
        ("https://ollama.com", None),
        ("https://ollama.com/v1", None),
    ],
)
def test_ollamas_cloud_asked_directly_is_not_called_free(address, cost):
    """Its models have no suffix there."""
    instance = ProviderSettings(name="ollama", kind="ollama", base_url=address)
    decoder = OllamaProvider(instance, Settings()).decoder()
    decoder.feed(b'{"model": "gpt-oss:120b", "message": {"content": "Hi."}, "done": true}\n')
    finish = decoder.finish()
    assert finish is not None
    assert finish.usage.cost_usd == cost


@pytest.mark.parametrize(
    ("model", "told"), [("gpt-oss:120b-cloud", {}), ("mine", {"remote_host": CLOUD})]
)
def test_what_runs_in_ollamas_cloud_is_not_called_free(server, model, told):
    """Nobody knows what its account there pays: unknown, never 0."""
    line = {"model": model, "message": {"content": "Hi."}, "done": True, **told}
    server.replies = [
        Raw(
            headers={"content-type": "application/x-ndjson"},
            blocks=(msgspec.json.encode(line) + b"\n",),
        )
    ]
    instance = ProviderSettings(name="ollama", kind="ollama", base_url=server.url, model=model)
    _, finish = use(OllamaProvider, instance, first_and_answer)
    assert finish.usage.cost_usd is None


def test_ollama_with_nothing_that_chats_says_what_to_do(server):
    """An embedding model is no conversation partner."""
    server.models = (Listed(name="embed", capabilities=EMBED),)
    instance = ProviderSettings(name="ollama", kind="ollama", base_url=server.url)
    with pytest.raises(ProviderError, match="only models that cannot chat") as caught:
        use(OllamaProvider, instance, first_and_answer)
    assert "ollama pull" in caught.value.hint


def test_lm_studio_is_asked_for_the_model_it_has_loaded(server):
    """Without a model set, the loaded one; the answer says so."""
    server.models = (
        Listed(name="embed", capabilities=EMBED, used_at="x"),
        Listed(name="idle"),
        Listed(name="loaded", used_at="x"),
    )
    instance = ProviderSettings(name="lm_studio", kind="lm_studio", base_url=server.openai_url)
    opened, _ = use(LMStudioProvider, instance, first_and_answer)
    assert (opened.model, opened.note) == ("loaded", "the model loaded in LM Studio")


@pytest.mark.parametrize("host", ["{url}", "{url}/", "{url}/v1", "{url}/v1/", "{bare}"])
@pytest.mark.parametrize(("kind", "made"), [("ollama", OllamaProvider), ("lm", LMStudioProvider)])
def test_a_host_is_understood_in_all_its_forms(server, host, kind, made):
    """With or without scheme, `/v1` and closing slash it is one address."""
    bare = server.url.removeprefix("http://")
    address = host.format(url=server.url, bare=bare)
    instance = ProviderSettings(name=kind, kind=kind, base_url=address, model="m")
    use(made, instance, first_and_answer)
    assert len(server.asked) == 1


def test_a_field_the_model_refuses_is_left_out_from_then_on(server):
    """Reasoning models refuse a temperature; the second question knows."""
    fault = {"message": "no", "param": "temperature", "code": "unsupported_value"}
    refusal = Raw(status=400, blocks=(msgspec.json.encode({"error": fault}),))
    server.reply = lambda asked: refusal if "temperature" in asked.json else Reply()
    instance = ProviderSettings(
        name="openai", kind="openai", base_url=server.openai_url, api_key=Secret("k")
    )

    async def work(provider: OpenAIProvider) -> None:
        for _ in range(2):
            await collect(provider.stream(question(temperature=0.0)))

    use(OpenAIProvider, instance, work)
    assert ["temperature" in each.json for each in server.asked] == [True, False, False]


def test_a_server_without_structured_output_is_told_the_schema_in_words(server):
    """A refused `response_format` costs a second request, not the answer."""
    server.reply = lambda asked: (
        Raw(status=400, blocks=(b'{"error": {"message": "unknown field response_format"}}',))
        if "response_format" in asked.json
        else Reply(text='{"language": "python", "lines": 3}')
    )
    instance = ProviderSettings(
        name="mine", kind="openai_compatible", base_url=server.openai_url, model="m"
    )

    async def work(provider: OpenAICompatibleProvider) -> Answer:
        return await collect(provider.stream(question(response_schema=SCHEMA)))

    assert use(OpenAICompatibleProvider, instance, work).text.startswith("{")
    assert "JSON schema" in server.asked[1].json["messages"][-1]["content"]


def test_a_vendor_without_a_key_names_the_variable():
    """The hint is the variable the key is looked for in."""
    for made, variable in ((OpenAIProvider, "OPENAI_API_KEY"), (AnthropicProvider, "MY_KEY")):
        env = variable if variable == "MY_KEY" else None
        instance = ProviderSettings(name="mine", kind=made.kind, api_key_env=env)
        with pytest.raises(CredentialsError) as caught:
            use(made, instance, first_and_answer)
        assert caught.value.code == "no_key"
        assert variable in caught.value.hint


def test_no_variable_of_a_vendor_travels_to_a_compatible_server(server, monkeypatch):
    """Keys and organisations of the environment are nobody else's business."""
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.setenv(name, "secret-of-the-environment")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Mine: secret-of-the-environment")
    for kind, made in (
        ("openai_compatible", OpenAICompatibleProvider),
        ("lm_studio", LMStudioProvider),
        ("ollama", OllamaProvider),
    ):
        url = server.url if kind == "ollama" else server.openai_url
        instance = ProviderSettings(name=kind, kind=kind, base_url=url, model="m")
        use(made, instance, first_and_answer)
    assert len(server.asked) == 3
    for received in server.requests:
        assert "secret-of-the-environment" not in str(received.headers)


def test_no_proxy_is_asked_for_loopback(server, monkeypatch):
    """A proxy of the environment stands between the user and the world, not and itself."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    instance = ProviderSettings(name="ollama", kind="ollama", base_url=server.url, model="m")
    use(OllamaProvider, instance, first_and_answer)
    assert len(server.asked) == 1


def test_a_scripted_answer_repeats_the_last():
    """The list is said in order, then its last answer again."""
    instance = ProviderSettings(name="s", kind="scripted", answers=("one", "two"))

    async def work(provider: ScriptedProvider) -> list[str]:
        return [(await collect(provider.stream(question()))).text for _ in range(4)]

    assert use(ScriptedProvider, instance, work) == ["one", "two", "two", "two"]


def test_a_script_may_raise():
    """An exception in the script is what the caller meets."""

    async def work(provider: ScriptedProvider) -> None:
        await collect(provider.stream(question()))

    def made(instance: ProviderSettings, settings: Settings) -> ScriptedProvider:
        return ScriptedProvider(instance, settings, script=[ProviderError("down", code="x")])

    with pytest.raises(ProviderError, match="down"):
        use(made, ProviderSettings(name="s", kind="scripted"), work)


def test_a_script_without_answers_says_which_setting_is_missing():
    """An empty list is a mistake in the settings, not an empty answer."""
    instance = ProviderSettings(name="mine", kind="scripted")
    with pytest.raises(ConfigError, match=r"llm\.providers\.mine\.answers"):
        use(ScriptedProvider, instance, first_and_answer)


@pytest.mark.parametrize(
    ("address", "ending", "url"),
    [
        ("localhost:1234", "/v1", "http://localhost:1234/v1"),
        ("http://localhost:1234/v1/", "/v1", "http://localhost:1234/v1"),
        (" https://example.com/ ", "", "https://example.com"),
    ],
)
def test_addresses_are_made_whole(address, ending, url):
    """A scheme and the path are added where they are missing."""
    assert http_url(address, ending=ending) == url


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://localhost:1", True),
        ("http://127.0.0.53:1/v1", True),
        ("http://[::1]:8000", True),
        ("http://192.168.0.2", False),
        ("https://api.openai.com", False),
    ],
)
def test_this_machine_is_known(url, here):
    """Loopback addresses, and no others."""
    assert is_loopback(url) is here
