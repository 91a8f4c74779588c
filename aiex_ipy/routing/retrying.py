"""What a failure before the first visible word leads to: again, the next provider, or the end."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from aiex_ipy.config.settings import LLMSettings
from aiex_ipy.errors import (
    AiexError,
    AnswerError,
    CredentialsError,
    EmptyAnswerError,
    InterruptedAnswerError,
    InvalidAnswerError,
    QuotaError,
    RateLimitError,
)

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 8.0
JITTER = 0.25
"""The first wait, the longest, and the part of each that chance may take away. Source: both
vendors' SDKs; the factor between two waits is the guide's `backoff_factor`."""

WORTH_WAITING_S = 5.0
"""A server's wait up to this long is obeyed though another provider could be asked."""

MARKED_S = 300.0
"""How long a provider whose key is refused or whose account is empty is passed over, while there
is another one."""

_TRANSIENT = frozenset(
    ("cut", "idle", "overloaded", "server_error", "stream_incomplete", "unavailable", "interrupted")
)
_ANSWERS = frozenset(("bad_request", "context_too_long", "model_not_found", "rate_limit"))
_ACCOUNTS = frozenset(("credentials", "quota"))
_FAULTS = _TRANSIENT | {"connect", "timeout", "too_large", "total_timeout", "wrong_content"}


class Verdict(Struct, frozen=True, kw_only=True):
    """`retries` is how often the same provider may be asked once more, in all; `wait_s` what it
    asks to be waited first; `counts` says that it is the provider's fault, `alive` that the
    provider works; `marked_s` is how long it is passed over."""

    retries: int = 0
    wait_s: float | None = None
    counts: bool = False
    alive: bool = False
    marked_s: float = 0.0


def judge(error: AiexError, llm: LLMSettings, *, alone: bool, here: bool) -> Verdict:
    """Return what follows from `error`. `alone`: no other provider is left; `here`: the server is
    on this machine, where a refused connection stays refused."""
    code = error.code
    if isinstance(error, InterruptedAnswerError) and error.reason:
        code = error.reason
    wait_s: float | None = getattr(error, "retry_after_s", None)
    if code in _ACCOUNTS or isinstance(error, (CredentialsError, QuotaError)):
        return Verdict(marked_s=MARKED_S, alive=True)
    retries = _retries(error, code, llm, alone=alone, here=here)
    if not alone and (wait_s or 0.0) > WORTH_WAITING_S:
        retries = 0
    counts = code in _FAULTS and not (code == "connect" and here)
    status = getattr(error, "status", None)
    answers = isinstance(error, AnswerError) or code in _ANSWERS or 0 < (status or 0) < 500
    return Verdict(retries=retries, wait_s=wait_s, counts=counts, alive=answers and not counts)


def _retries(error: AiexError, code: str, llm: LLMSettings, *, alone: bool, here: bool) -> int:
    if isinstance(error, InvalidAnswerError):
        return 0
    if isinstance(error, EmptyAnswerError):
        return min(1, llm.max_retries)
    if isinstance(error, RateLimitError):
        return 0 if code in ("queue_full", "busy") else llm.max_retries
    if code in _TRANSIENT or (code in ("connect", "dns") and alone and not here):
        return llm.max_retries
    if code == "timeout" and alone:
        return min(1, llm.max_retries)
    return 0


def delay_s(
    retry: int, llm: LLMSettings, wait_s: float | None, random: Callable[[], float]
) -> float:
    """Return how long to wait before retry number `retry` (from 0), in seconds: what the server
    asked for, else growing by the factor, a little less by chance."""
    if wait_s:
        return wait_s
    longest = min(LONGEST_DELAY_S, FIRST_DELAY_S * float(llm.backoff_factor) ** retry)
    return longest * (1.0 - JITTER * random())
