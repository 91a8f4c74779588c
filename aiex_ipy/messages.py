"""The words exchanged with models: requests in, typed chunks out."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "refusal", "interrupted"]


class ToolCall(Struct, frozen=True, kw_only=True):
    """A call the model asks for; `arguments` is the JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


class Message(Struct, frozen=True, kw_only=True):
    """One turn of a conversation. `tool_call_id` stands on role `tool` only."""

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


class ToolSpec(Struct, frozen=True, kw_only=True):
    """A tool the model may ask for; `parameters` is a JSON schema of type object."""

    name: str
    description: str
    parameters: dict[str, Any]


class ModelRequest(Struct, frozen=True, kw_only=True):
    """What one model is asked, once.

    `model` None means the provider's own default. `response_schema` is a JSON schema the
    answer text must satisfy (`schema_name` names it on the wire). `temperature` None leaves
    the server's own. `stream` False asks for the answer in one piece where the wire can. `within_s`
    is what is left of the total deadline, in seconds; None for all of it.
    """

    messages: tuple[Message, ...]
    model: str | None = None
    max_tokens: int = 4000
    temperature: float | None = None
    stop: tuple[str, ...] = ()
    tools: tuple[ToolSpec, ...] = ()
    response_schema: dict[str, Any] | None = None
    schema_name: str = "answer"
    stream: bool = True
    within_s: float | None = None


class Usage(Struct, frozen=True, kw_only=True):
    """Tokens of one call as the server counted them; None where it did not say.

    `cached_tokens` are those of the input that the server still had, which many bill at less.
    `estimated` is True where a count is ours, from the length of the text. `cost_usd` None means
    unknown, never free; 0.0 is said only where tokens cost nothing, as those of local models.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int = 0
    cost_usd: float | None = None
    estimated: bool = False


class Opened(Struct, frozen=True, kw_only=True, tag="opened"):
    """First chunk of every stream: who answers. `note` tells how the model was chosen.

    `wait_s` is how long the server asks the next request to wait, in seconds.
    """

    provider: str
    model: str
    note: str = ""
    wait_s: float = 0.0


class TextDelta(Struct, frozen=True, tag="text"):
    """The next piece of visible text; never empty."""

    text: str


class ToolCallDelta(Struct, frozen=True, kw_only=True, tag="tool_call"):
    """A piece of call number `index`; `id` and `name` come with the first piece."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


class Finish(Struct, frozen=True, kw_only=True, tag="finish"):
    """Last chunk of every whole stream. A stream that ends without it was cut.

    `model` is the name the server reported, which may be more exact than the one asked for.
    `skipped` counts the events of the stream that could not be read: a part of the text may be
    missing. The router says how long it took: the whole answer and its first chunk, in ms.
    """

    reason: FinishReason
    model: str = ""
    usage: Usage = Usage()
    refusal: str = ""
    skipped: int = 0
    latency_ms: float | None = None
    first_token_ms: float | None = None


Chunk = Opened | TextDelta | ToolCallDelta | Finish


class ModelInfo(Struct, frozen=True, kw_only=True):
    """A model a provider offers. `context_tokens` None where the server does not tell. `elsewhere`
    is True for one that a server only passes questions on to."""

    name: str
    context_tokens: int | None = None
    size_bytes: int | None = None
    modified: str | None = None
    can_chat: bool = True
    elsewhere: bool = False
    loaded: bool | None = None


class Answer(Struct, frozen=True, kw_only=True):
    """A whole answer, or a named part of one: the fold of a stream.

    `finish` is why it ended: `stop` whole, `length` cut at `max_tokens`, `refusal` declined,
    `tool_calls` waiting for tools, `interrupted` cut on its way (only of the answer that an
    InterruptedAnswerError carries, and of one that its reader ended); `reason` is then the code of
    what cut it, such as `idle` or `cancelled`. `provider` and `model` say who spoke; `note` how the
    model was chosen; `skipped` counts the events of the stream that could not be read, so that a
    part of the text may be missing. `grounded` is True when facts of the user's code went into the
    question; `unconfirmed` lists names the answer uses that those facts do not bear out.
    """

    text: str
    provider: str
    model: str
    finish: FinishReason
    usage: Usage = Usage()
    tool_calls: tuple[ToolCall, ...] = ()
    refusal: str = ""
    note: str = ""
    skipped: int = 0
    operation: str = "ask"
    schema_version: int = 1
    grounded: bool = False
    unconfirmed: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    latency_ms: float | None = None
    first_token_ms: float | None = None
    reason: str = ""

    def __str__(self) -> str:
        return self.text

    @property
    def cost(self) -> float | None:
        """What the answer cost, in USD; None means unknown."""
        return self.usage.cost_usd

    @property
    def complete(self) -> bool:
        """True when the model ended by itself and all it said could be read."""
        return self.finish in ("stop", "tool_calls") and not self.skipped

    @property
    def code_blocks(self) -> tuple[str, ...]:
        """Bodies of the fenced code blocks, in order, without the fences.

        Source: CommonMark 0.31.2, section 4.5, fenced code blocks.
        """
        blocks: list[str] = []
        fence = ""
        body: list[str] = []
        for line in self.text.splitlines():
            bare = line.strip()
            if not fence:
                mark = bare[:1]
                if bare.startswith(("```", "~~~")):
                    fence = bare[: len(bare) - len(bare.lstrip(mark))]
                    body = []
            elif bare.startswith(fence) and not bare.strip(fence[0]):
                blocks.append("\n".join(body))
                fence = ""
            else:
                body.append(line)
        return tuple(blocks)
