"""The settings model: every key aiex knows, typed, with its default.

Durations are integers in milliseconds. A settings value is immutable; `aiex_ipy.config.load`
makes one from the layers.
"""

from __future__ import annotations

from typing import NoReturn

from msgspec import Struct, field


class Secret:
    """A value that never shows itself: `repr`, `str` and formatting give `'***'`, and neither
    pickle nor JSON takes it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value, for the one place that sends it to its provider."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "'***'"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A secret is not pickled.")

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


class ProviderSettings(Struct, frozen=True, kw_only=True):
    """One provider instance, `[llm.providers.NAME]`. None means the kind's own default.

    `api_key_env` is the variable the key is looked for in, for messages about a missing key;
    None where the kind has none. `timeout_ms` holds `llm.timeout_ms` when that was set and the
    instance has none of its own.
    """

    name: str
    kind: str
    base_url: str | None = None
    api_key: Secret | None = None
    api_key_env: str | None = None
    model: str | None = None
    timeout_ms: int | None = None
    max_tokens: int = 4000
    priority: int = 100
    answers: tuple[str, ...] = ()


class EmbeddedSettings(Struct, frozen=True, kw_only=True):
    """The embedded model: `model` is a name known to `aiex models` or a path to a GGUF."""

    model: str = "smollm2"
    threads: int = 2
    context_tokens: int = 4096
    prompt_budget_tokens: int = 700
    first_byte_timeout_ms: int = 60_000
    linger_ms: int = 5_000


class LLMSettings(Struct, frozen=True, kw_only=True):
    default_provider: str | None = None
    fallback_provider: str | None = None
    timeout_ms: int = 30_000
    probe_timeout_ms: int = 200
    probe_keep_ms: int = 30_000
    providers: dict[str, ProviderSettings] = field(default_factory=dict)
    embedded: EmbeddedSettings = EmbeddedSettings()


class SandboxSettings(Struct, frozen=True, kw_only=True):
    """What the workspace may read. `allowed_extensions` empty means the built-in list;
    `denied_patterns` come on top of the built-in ones. Paths are absolute."""

    max_file_size_mb: int = 10
    allowed_extensions: tuple[str, ...] = ()
    allowed_paths: tuple[str, ...] = ()
    denied_paths: tuple[str, ...] = ()
    denied_patterns: tuple[str, ...] = ()


class DisplaySettings(Struct, frozen=True, kw_only=True):
    """How answers are shown in IPython. `updates_per_second` bounds display updates."""

    updates_per_second: int = 15
    widgets: bool = True


class CompletionSettings(Struct, frozen=True, kw_only=True):
    """How code is completed. `jedi_deadline_ms` 0 leaves jedi out; `ghost_text` asks a model for
    grey text while typing pauses in terminal IPython."""

    jedi_deadline_ms: int = 150
    max_tokens: int = 64
    ghost_text: bool = False


class AnalyzeSettings(Struct, frozen=True, kw_only=True):
    """`analyzers` names plugins whose issues are shown beside the built-in ones."""

    analyzers: tuple[str, ...] = ()


class Settings(Struct, frozen=True, kw_only=True):
    project_dir: str | None = None
    env: str = "dev"
    log: str = "warning"
    llm: LLMSettings = LLMSettings()
    sandbox: SandboxSettings = SandboxSettings()
    display: DisplaySettings = DisplaySettings()
    completion: CompletionSettings = CompletionSettings()
    analyze: AnalyzeSettings = AnalyzeSettings()
