"""Every exception aiex raises on purpose.

    AiexError
    ├── UsageError                 exit 2   the caller's input is off
    │   ├── ConfigError                     a setting: file, key, value
    │   ├── UnknownNameError                an option, type, provider, model: near miss named
    │   └── WorkspaceError                  a path: missing, binary, too large, denied
    ├── ProviderError              exit 3   nobody could answer
    │   ├── CredentialsError                no key, a refused key (401, 403)
    │   ├── RateLimitError                  429, with the wait the server asked for
    │   ├── QuotaError                      the account is empty
    │   ├── ContextTooLongError             the prompt does not fit the model
    │   ├── UnavailableError                no connection, time-out, 5xx, overloaded
    │   └── ProtocolError                   an answer that is not of the wire's form
    ├── AnswerError                exit 3   an answer began and is not whole or not usable
    │   ├── InterruptedAnswerError          the stream was cut; `partial` keeps the text
    │   ├── EmptyAnswerError                the model said nothing
    │   ├── RefusedError                    the model or its vendor declined
    │   └── InvalidAnswerError              not of the asked-for form (JSON schema)
    ├── BudgetError                exit 3   what the user allowed to be spent is spent
    ├── StoreError                 exit 2   the data directory: full, read-only, corrupt file
    ├── PluginError                exit 2   an entry point that cannot be loaded
    ├── DemoError                  exit 3   a part of the demonstration did not happen
    └── EngineClosedError          exit 2   the engine was used after it was closed

A message is a fact with its values as `repr`; `hint` is one imperative sentence with the
remedy. Cancellation (`KeyboardInterrupt`, `asyncio.CancelledError`) is never wrapped.
"""

from __future__ import annotations

from typing import Any


class AiexError(Exception):
    """Base of all errors of aiex. `code` is stable and snake_case; `hint` may be empty; `attempts`
    is how often a provider was asked before it was given up, `heard_chars` how much of an answer
    came, also where none of it was shown."""

    exit_code = 2
    default_code = "error"
    attempts: int = 1
    heard_chars: int = 0

    def __init__(self, message: str, *, code: str = "", hint: str = "", **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint
        self.__dict__.update(details)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback: one line, with no control characters.

        Source: `InteractiveShell.showtraceback` asks an exception for it.
        """
        line = "".join(c if c.isprintable() else " " for c in f"{type(self).__name__}: {self}")
        return [line]

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), dict(self.__dict__))


def _rebuild(cls: type[AiexError], state: dict[str, Any]) -> AiexError:
    return cls(**state)


class UsageError(AiexError):
    default_code = "usage"


class ConfigError(UsageError):
    default_code = "config"


class UnknownNameError(UsageError):
    default_code = "unknown_name"


class WorkspaceError(UsageError):
    default_code = "workspace"


class ProviderError(AiexError):
    """A provider could not answer. `provider` and `model` name it; `status` is the HTTP status.

    `retry_after_s` is the wait in seconds the server asked for, or None.
    """

    exit_code = 3
    default_code = "provider"
    provider: str = ""
    model: str = ""
    status: int | None = None
    retry_after_s: float | None = None


class CredentialsError(ProviderError):
    default_code = "credentials"


class RateLimitError(ProviderError):
    default_code = "rate_limit"


class QuotaError(ProviderError):
    default_code = "quota"


class ContextTooLongError(ProviderError):
    """`limit_tokens` is the model's limit and `prompt_tokens` what the prompt had, as the server
    named and counted them; None where it did not."""

    default_code = "context_too_long"
    limit_tokens: int | None = None
    prompt_tokens: int | None = None


class UnavailableError(ProviderError):
    default_code = "unavailable"


class ProtocolError(ProviderError):
    default_code = "protocol"


class AnswerError(AiexError):
    """An answer began but is not whole or not usable. `partial` is the text received, `usage` what
    it used, None where nobody counted."""

    exit_code = 3
    default_code = "answer"
    provider: str = ""
    model: str = ""
    partial: str = ""
    usage: Any = None


class InterruptedAnswerError(AnswerError):
    """The stream was cut after its first visible words; `reason` is what cut it, as a code.

    `answer` is the Answer so far, with finish `interrupted`, of which `aiex.continue_answer` makes
    a whole one; None where half an answer is of no use.
    """

    reason: str = ""
    answer: Any = None
    default_code = "interrupted"


class EmptyAnswerError(AnswerError):
    default_code = "empty_answer"


class RefusedError(AnswerError):
    default_code = "refused"


class InvalidAnswerError(AnswerError):
    default_code = "invalid_answer"


class BudgetError(AiexError):
    """A budget stopped the next call; nothing was asked."""

    exit_code = 3
    default_code = "budget"


class StoreError(AiexError):
    default_code = "store"


class PluginError(AiexError):
    default_code = "plugin"


class DemoError(AiexError):
    exit_code = 3
    default_code = "demo"


class EngineClosedError(AiexError):
    default_code = "engine_closed"


MOST_LISTED = 20
"""Names a hint lists before it counts the rest."""


def near_miss(word: str, known: list[str] | tuple[str, ...]) -> str:
    """Return `Did you mean 'x'? Known: …` for the hint of an unknown name.

    Source: difflib's ratio of 0.6 as the cut, its documented default.
    """
    import difflib

    close = difflib.get_close_matches(word.lower(), [k.lower() for k in known], n=1)
    listed = ", ".join(known[:MOST_LISTED])
    if len(known) > MOST_LISTED:
        listed += f" and {len(known) - MOST_LISTED} more"
    if close:
        best = next(k for k in known if k.lower() == close[0])
        return f"Did you mean {best!r}? Known: {listed}."
    return f"Use one of: {listed}."
