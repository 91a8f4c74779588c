"""Path patterns: globs with `**`, the files that are never read, and `.gitignore`."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Places of credentials of common tools, as their documentation names them. `secrets` and
# `credentials` are data files here: a module of that name is source.
ALWAYS_DENIED: tuple[str, ...] = (
    "**/.env",
    "**/.env.*",
    "**/*.env",
    "**/.envrc",
    "**/.ssh/**",
    "**/.gnupg/**",
    "**/.aws/**",
    "**/.azure/**",
    "**/.config/gcloud/**",
    "**/.kube/**",
    "**/.docker/config.json",
    "**/.netrc",
    "**/_netrc",
    "**/.pgpass",
    "**/.my.cnf",
    "**/.pypirc",
    "**/.npmrc",
    "**/.git-credentials",
    "**/.git/config",
    "**/.htpasswd",
    "**/id_rsa*",
    "**/id_dsa*",
    "**/id_ecdsa*",
    "**/id_ed25519*",
    "**/*.pem",
    "**/*.key",
    "**/*.p12",
    "**/*.pfx",
    "**/*.jks",
    "**/*.keystore",
    "**/*.kdbx",
    "**/*.tfstate",
    "**/*.tfvars",
    "**/*.secret.exs",
    "**/credentials",
    *(
        f"**/{word}.{suffix}"
        for word in ("secrets", "secret", "credentials")
        for suffix in ("json", "yaml", "yml", "toml", "ini", "cfg", "conf", "txt", "properties")
    ),
)

# Files that show the form of a secret file without its content.
_EXAMPLES = ("example", "sample", "template", "dist")
NOT_DENIED: tuple[str, ...] = tuple(f"**/.env.{word}" for word in _EXAMPLES)


def glob_to_regex(pattern: str) -> str:
    """Return the regular expression, to be matched in full, of a glob on posix paths.

    `*` and `?` stay within a name, `**` is any number of directories, `[…]` one character. A
    pattern without a `/` matches the name at any depth.
    """
    if "/" not in pattern:
        pattern = f"**/{pattern}"
    out: list[str] = []
    place = 0
    while place < len(pattern):
        piece, place = _piece(pattern, place)
        out.append(piece)
    return "".join(out)


def _piece(pattern: str, place: int) -> tuple[str, int]:
    if pattern.startswith("**/", place) and (place == 0 or pattern[place - 1] == "/"):
        return "(?:.*/)?", place + 3
    if pattern.startswith("/**", place) and place + 3 == len(pattern):
        return "(?:/.*)?" if place else "/.*", place + 3
    char = pattern[place]
    if char == "*":
        end = place + 1
        while pattern.startswith("*", end):
            end += 1
        return "[^/]*", end
    if char == "?":
        return "[^/]", place + 1
    if char == "[":
        closing = pattern.find("]", place + 2)
        if closing > 0:
            inside = pattern[place + 1 : closing]
            negated = inside[0] in "!^"
            inside = re.sub(r"([\\\[&~|^])", r"\\\1", inside[1:] if negated else inside)
            return f"(?!/)[{'^' if negated else ''}{inside}]", closing + 1
    if char == "\\" and place + 1 < len(pattern):
        return re.escape(pattern[place + 1]), place + 2
    return re.escape(char), place + 1


def any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """Return one expression that matches, in full and without case, what any pattern does."""
    joined = "|".join(f"(?:{glob_to_regex(pattern)})" for pattern in patterns)
    return re.compile(joined or r"(?!)", re.IGNORECASE | re.DOTALL)


class Ignored:
    """The rules of one `.gitignore`, for paths relative to its directory.

    Source: gitignore(5), "PATTERN FORMAT".
    """

    def __init__(self, text: str) -> None:
        self._rules = [rule for line in text.split("\n") if (rule := _rule(line))]

    def verdict(self, path: str, *, is_directory: bool) -> bool | None:
        """Return True for ignored, False for taken back by a `!` rule, None when no rule fits."""
        for regex, negated, directories_only in reversed(self._rules):
            if (is_directory or not directories_only) and regex.fullmatch(path):
                return not negated
        return None


def _rule(line: str) -> tuple[re.Pattern[str], bool, bool] | None:
    line = line.rstrip("\r")
    line = re.sub(r"(?<!\\) +$", "", line)
    if not line or line.startswith("#"):
        return None
    negated = line.startswith("!")
    line = line[1:] if negated else line
    directories_only = line.endswith("/")
    line = line.rstrip("/") if directories_only else line
    if not line:
        return None
    anchored = "/" in line
    line = line.removeprefix("/")
    if line.endswith("/**"):
        regex = glob_to_regex(f"{line[:-3]}/*") + "(?:/.*)?" if line[:-3] else ".*"
    elif anchored:
        regex = glob_to_regex(line) if "/" in line else glob_to_regex(f"/{line}")[1:]
    else:
        regex = glob_to_regex(line)
    try:
        return re.compile(regex, re.DOTALL), negated, directories_only
    except re.error:
        return None  # git, too, takes a pattern it cannot read for one that matches nothing
