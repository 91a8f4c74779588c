"""Which names and which texts look like secrets, where the values themselves are not known.

Known secrets are masked by exact value, wherever they stand (`redaction.masking`); this is for
values met in a live program, of which only the name or the form is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

WITHHELD = "[withheld]"
"""What stands in the place of a secret-looking value."""

_STRONG = (
    r"passwords?|passwd|pwd|passphrases?|passcodes?|secrets?|credentials?|creds|apikeys?"
    r"|(?:api|secret|private|access|auth|encryption|signing|ssh|master|account|app|client"
    r"|consumer|shared|session|fernet|ssl|tls|aws|openai|anthropic|azure|google|github|stripe)_keys?"
)
_WEAK = r"tokens?|jwt|bearer|authorization|cookies?|dsn|salt|otp|pin|auth|passwd_hash|csrf"
_strong = re.compile(rf"(?:^|_)(?:{_STRONG})(?:$|_)")
_weak = re.compile(rf"(?:^|_)(?:{_WEAK})(?:$|_(?:value|str|string|text|id|hex|b64|header))")
_COUNTED = re.compile(r"^(?:n|num|max|min|total|count|len|nr)_|_(?:count|length|len|size|id)s?$")
_CAPITALS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def is_secret_name(name: str) -> bool:
    """True for names whose value is a secret whatever it is: `api_key`, `dbPassword`."""
    words = _words(name)
    return _strong.search(words) is not None and _COUNTED.search(words) is None


def is_token_name(name: str) -> bool:
    """True for names whose value is a secret when it is a text: `token`, `auth_header`."""
    return _weak.search(_words(name)) is not None


def _words(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", _CAPITALS.sub("_", name[:200]).lower()).strip("_")


# Source of the forms: the vendors' own pages on their keys, and GitHub's list of secret scanning
# patterns (docs.github.com, "Supported secret scanning patterns").
_KEYS = r"""
    -----BEGIN\ [A-Z ]{0,30}PRIVATE\ KEY-----.*?(?:-----END\ [A-Z ]{0,30}PRIVATE\ KEY-----|\Z)
    | \b[sr]k-[A-Za-z0-9_-]{16,}                # OpenAI, Anthropic, OpenRouter, DeepSeek
    | \b[srp]k_(?:live|test)_[A-Za-z0-9]{10,}   # Stripe
    | \bgh[pousr]_[A-Za-z0-9]{20,}              # GitHub
    | \bgithub_pat_[A-Za-z0-9_]{20,}
    | \bglpat-[A-Za-z0-9_-]{16,}                # GitLab
    | \b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}    # Amazon
    | \bAIza[A-Za-z0-9_-]{30,}                  # Google
    | \bya29\.[A-Za-z0-9_-]{20,}
    | \bxox[abeoprs]-[A-Za-z0-9-]{10,}          # Slack
    | \bhf_[A-Za-z0-9]{20,}                     # Hugging Face
    | \bnpm_[A-Za-z0-9]{30,}
    | \bpypi-[A-Za-z0-9_-]{30,}
    | \bdop_v1_[a-f0-9]{30,}                    # DigitalOcean
    | \bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}
    | \beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?    # JWT, RFC 7519
    | (?<=[Bb]earer\ )[A-Za-z0-9._~+/=-]{12,}                              # RFC 6750
    | (?<=[Bb]asic\ )[A-Za-z0-9+/]{12,}={0,2}                              # RFC 7617
    | (?<=://)(?P<user>[^\s/@:'"]{0,200}):(?!\[with)[^\s/'"]+(?=@)     # RFC 3986, user info
    """
_SETTINGS = r"""
    | (?<=[Pp]assword=)(?!\[)[^\s;&'",]+ | (?<=PASSWORD=)(?!\[)[^\s;&'",]+
    | (?<=[Pp]wd=)(?!\[)[^\s;&'",]+ | (?<=PWD=)(?!\[)[^\s;&'",]+
    | (?<=api_key=)(?!\[)[^\s;&'",]+ | (?<=token=)(?!\[)[^\s;&'",]{8,}
    """
_FORMS = re.compile(f"{_KEYS}{_SETTINGS}", re.VERBOSE | re.DOTALL)
_IN_CODE = re.compile(_KEYS, re.VERBOSE | re.DOTALL)
_BEGINNINGS = (
    *("PRIVATE KEY", "sk-", "rk-", "sk_", "rk_", "pk_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
    *("github_pat_", "glpat-", "AKIA", "ASIA", "ABIA", "ACCA", "AIza", "ya29.", "xox", "hf_"),
    *("npm_", "pypi-", "dop_v1_", "SG.", "eyJ", "earer ", "asic "),
)
"""One of these stands in each form of `_KEYS` but user info: a quick look."""
_ASSIGNED = re.compile(
    r"""(?P<name>[A-Za-z_][\w.-]{0,80})
        (?P<between>["']?\s*\]?\s*(?::\s*[\w.\[\], |]{1,40}=|=(?!=)|:)\s*)
        (?P<prefix>[rbfuRBFU]{0,2})(?P<quote>\"\"\"|'''|"|')
        (?P<value>(?:(?!(?P=quote)).){1,4096})(?P=quote)""",
    re.VERBOSE | re.DOTALL,
)


def mask_forms(text: str) -> str:
    """Return the text with what has the form of a secret replaced: vendors' keys, tokens, private
    keys, passwords in URLs and connection strings; the same object when there is none."""
    return _FORMS.sub(_mask, text) if _FORMS.search(text) else text


def _mask(found: re.Match[str]) -> str:
    user = found.group("user")
    return WITHHELD if user is None else f"{user}:{WITHHELD}"


def is_secret_text(name: str, value: str) -> bool:
    """True for a text under a telling name; under one that tells less (`token`) only when it
    looks like a key: a parser's `token = "identifier"` is none."""
    if is_secret_name(name):
        return bool(value)
    mixed = re.search(r"\d", value) and re.search(r"[A-Za-z]", value)
    return is_token_name(name) and len(value) >= 6 and bool(mixed) and not re.search(r"\s", value)


_LISTED = re.compile(
    r"""(?P<head>(?P<name>[A-Za-z_][\w.-]{0,80})["']?\s*(?:=(?!=)|:)\s*[\[(])
        (?P<items>\s*["'][^\[\]()]{1,4000})[\])]""",
    re.VERBOSE,
)
_WORDS = (
    *("pass", "pwd", "secret", "cred", "key", "token", "jwt", "bearer", "auth", "cookie", "dsn"),
    *("salt", "otp", "pin", "csrf"),
)
"""What each secret-looking name has in it: see `_STRONG` and `_WEAK`."""
_LITERAL = re.compile(r"([\"'])(?:(?!\1)[^\\\n]|\\.)+\1")


def assigned_secrets(text: str) -> Iterator[tuple[str, str]]:
    """Yield name and value of the literals that code assigns to secret-looking names."""
    for each in _assignments(_ASSIGNED, text):
        if is_secret_text(each["name"], each["value"]):
            yield each["name"], each["value"]


def mask_assigned(text: str) -> str:
    """Return code with the literals assigned to secret-looking names replaced."""
    for form, change in ((_ASSIGNED, _withheld), (_LISTED, _withheld_items)):
        parts: list[str] = []
        end = 0
        for found in _assignments(form, text):
            parts += [text[end : found.start()], change(found)]
            end = found.end()
        if parts:
            text = "".join([*parts, text[end:]])
    return text


def _assignments(form: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Yield where a form stands at a name that holds a secret's word: looked for from the word on,
    since a search at each letter costs a millisecond a kilobyte."""
    end = 0
    for start in _places(text):
        if start < end:
            continue
        least = max(end, start - 80)
        begin = start
        while begin > least and (text[begin - 1].isalnum() or text[begin - 1] in "_.-"):
            begin -= 1
        while begin < start and not (text[begin].isalpha() or text[begin] == "_"):
            begin += 1
        found = form.match(text, begin)
        if found is not None and found.end("name") > start:
            end = found.end()
            yield found


def _places(text: str) -> list[int]:
    """Where secrets' words stand."""
    lower = text.lower()
    if len(lower) != len(text):  # a letter that becomes two: the places would not be the text's
        lower = "".join(each.lower() if each.isascii() else each for each in text)
    found = []
    for word in _WORDS:
        at = lower.find(word)
        while at >= 0:
            found.append(at)
            at = lower.find(word, at + 1)
    return sorted(found)


def mask_code(text: str) -> str:
    """Return code or words about it with secret-looking literals and vendors' keys replaced; what
    code computes (`password=ask()`) stays. The same object when there is nothing to replace."""
    masked = mask_assigned(text)
    if not any(each in masked for each in _BEGINNINGS) and not ("://" in masked and "@" in masked):
        return masked
    return _IN_CODE.sub(_mask, masked)


def _withheld(found: re.Match[str]) -> str:
    if not is_secret_text(found["name"], found["value"]):
        return found[0]
    quote = found["quote"]
    return f"{found['name']}{found['between']}{quote}{WITHHELD}{quote}"


def _withheld_items(found: re.Match[str]) -> str:
    """The texts in a list or tuple below a secret-looking name."""
    if not is_secret_name(found["name"]):
        return found[0]
    items = _LITERAL.sub(lambda each: f"{each[1]}{WITHHELD}{each[1]}", found["items"])
    return f"{found['head']}{items}{found[0][-1]}"
