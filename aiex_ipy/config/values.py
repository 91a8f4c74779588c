"""One value of one key: from TOML, from a variable's text or from Python to the typed form."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiex_ipy.config.keys import KeyDoc
from aiex_ipy.config.settings import Secret
from aiex_ipy.errors import ConfigError, near_miss

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_TRUE = ("true", "1", "yes", "on")
_FALSE = ("false", "0", "no", "off")
_MOST_SHOWN = 80
_LONGEST_PATH = 500
MOST_IN_MODEL_NAME = 1_000
"""Names are short, but some servers name a model by the path of its file."""
# A label of a host name, with letters of any script. Source: RFC 1123, section 2.1.
_HOST = re.compile(r"[\w-]{1,63}(\.[\w-]{1,63})*\.?")


class Place:
    """Where a value stands, for messages: a file, a variable, a call.

    `base_dir` is what relative paths start from. `trusted` False says that the value came with
    a project and not from its user.
    """

    __slots__ = ("base_dir", "file", "layer", "source", "trusted")

    def __init__(
        self,
        layer: str,
        source: str,
        *,
        base_dir: str = "",
        file: str | None = None,
        trusted: bool = True,
    ) -> None:
        self.layer = layer
        self.source = source
        self.base_dir = base_dir
        self.file = file
        self.trusted = trusted

    def key(self, key: str) -> str:
        """Return how the key is named to people: the variable itself when it is one."""
        if self.layer == "environment":
            return repr(self.source)
        return f"{key!r} in {self.source!r}" if self.source else repr(key)


class Unusable:
    """Stands in the place of a provider's value that cannot be used, with its error."""

    __slots__ = ("error",)

    def __init__(self, error: ConfigError) -> None:
        self.error = error


def shown(value: Any, most: int = _MOST_SHOWN) -> str:
    """Return the value as `repr`, cut to one short line; secrets and passwords never."""
    if isinstance(value, Secret):
        return repr(value)
    text = repr(without_password(value) if isinstance(value, str) else value)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def without_password(url: str) -> str:
    """Return a URL with what stands before its `@` hidden."""
    return re.sub(r"(?<=://)[^/@\s]+@", "***@", url)


def bad_value(
    doc: KeyDoc, key: str, value: Any, place: Place, wanted: str, hint: str
) -> ConfigError:
    """Return the error for a value that cannot be used."""
    secret = doc.kind == "secret"
    is_path = doc.kind in ("path", "certificates")
    most = _LONGEST_PATH if is_path else _MOST_SHOWN  # a path's end is its name
    fact = "" if secret else f"is {shown(value, most)}, but "
    return ConfigError(
        f"{place.key(key)} {fact}must be {wanted}.",
        code="bad_value",
        hint=hint,
        key=key,
        file=place.file,
        value=None if secret else shown(value),
    )


def typed(doc: KeyDoc, key: str, value: Any, place: Place, *, text: bool) -> Any:
    """Return `value` in the type of the key. `text` says it came as text (variable, CLI).

    Raises ConfigError with code `bad_value`.
    """
    if isinstance(value, Secret):
        value = value.reveal()
    if doc.kind in ("integer", "duration", "decimal"):
        return _number(doc, key, value, place, text=text)
    if doc.kind == "boolean":
        return _boolean(doc, key, value, place, text=text)
    if doc.kind in ("paths", "suffixes", "strings", "providers"):
        return _several(doc, key, value, place, text=text)
    if not isinstance(value, str):
        hint = "Write it in quotes." if isinstance(value, int | float) else "Give one text."
        raise bad_value(doc, key, value, place, "a text", hint)
    return _one(doc, key, value.strip(), place)


def _number(doc: KeyDoc, key: str, value: Any, place: Place, *, text: bool) -> float:
    """Return a whole number, for a decimal key any finite one; inclusive bounds."""
    if doc.kind == "decimal":
        return _decimal(doc, key, value, place, text=text)
    example = "30000" if doc.kind == "duration" else str(doc.default or doc.minimum or 100_000)
    unit = {"ms": "milliseconds", "1/s": "times a second"}.get(doc.unit, doc.unit)
    hint = f"Give a whole number{f' of {unit}' if unit else ''}, like {example}."
    number = value
    if text and isinstance(value, str):
        try:
            number = int(value)
        except ValueError:
            number = None
    if not isinstance(number, int) or isinstance(number, bool):
        raise bad_value(doc, key, value, place, "a whole number", hint)
    return _bounded(doc, key, number, place, hint)


def _decimal(doc: KeyDoc, key: str, value: Any, place: Place, *, text: bool) -> float:
    hint = f"Give an amount in {doc.unit}, like 2.50."
    number = value
    if text and isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            number = None
    # NaN is not equal to itself, and a whole number too large for a float is out of bounds.
    good = isinstance(number, int | float) and not isinstance(number, bool) and number == number
    if not good or number in (float("inf"), float("-inf")):
        raise bad_value(doc, key, value, place, "a number", hint)
    return float(_bounded(doc, key, number, place, hint))


def _bounded(doc: KeyDoc, key: str, number: float, place: Place, hint: str) -> float:
    if not number and doc.zero:
        wanted = f"more than 0, since 0 would {doc.zero}"
        raise bad_value(doc, key, number, place, wanted, "Leave the key out to have no bound.")
    if not doc.minimum <= number <= doc.maximum:
        wanted = f"between {doc.minimum} and {doc.maximum}"
        if doc.zero:
            wanted = f"more than 0, and at most {doc.maximum}"
        raise bad_value(doc, key, number, place, wanted, hint)
    return number


def _boolean(doc: KeyDoc, key: str, value: Any, place: Place, *, text: bool) -> bool:
    if isinstance(value, bool):
        return value
    if text and isinstance(value, str) and value.strip().lower() in _TRUE + _FALSE:
        return value.strip().lower() in _TRUE
    hint = "Write true or false" + (", without quotes." if isinstance(value, str) else ".")
    raise bad_value(doc, key, value, place, "true or false", "Use true or false." if text else hint)


def _several(doc: KeyDoc, key: str, value: Any, place: Place, *, text: bool) -> tuple[str, ...]:
    separator = os.pathsep if doc.kind == "paths" else ","
    if text and isinstance(value, str):
        value = [part for part in value.split(separator) if part.strip()]
    if doc.kind == "providers" and isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple):
        hint = f'Write a list, like {doc.key.split(".")[-1]} = ["…"].'
        raise bad_value(doc, key, value, place, "a list of texts", hint)
    for item in value:
        if not isinstance(item, str):
            raise bad_value(doc, key, item, place, "a list of texts", "Write each item in quotes.")
    if doc.kind == "strings":
        return tuple(item.strip() if text else item for item in value)
    if doc.kind == "providers":
        return tuple(item.strip() for item in value)
    if doc.kind == "paths":
        return tuple(_absolute(item.strip(), place) for item in value)
    return tuple(_suffix(doc, key, item, place) for item in value)


def _suffix(doc: KeyDoc, key: str, item: str, place: Place) -> str:
    suffix = item.strip().lower()
    if not re.fullmatch(r"\.[^./\\*\s]+(\.[^./\\*\s]+)*", suffix):
        raise bad_value(
            doc, key, item, place, "suffixes with their dot", "Write suffixes like '.py'."
        )
    return suffix


def _one(doc: KeyDoc, key: str, value: str, place: Place) -> str | Secret:
    if not value:
        raise bad_value(doc, key, value, place, "a text that is not empty", "Leave the key out.")
    if "\x00" in value:
        raise bad_value(doc, key, value, place, "a text without NUL", "Remove the character.")
    if doc.kind == "path":
        return _absolute(value, place)
    read = _READ.get(doc.kind)
    return read(doc, key, value, place) if read else value


def _choice(doc: KeyDoc, key: str, value: str, place: Place) -> str:
    lowered = value.lower()
    if lowered not in doc.choices:
        wanted = f"one of {', '.join(doc.choices)}"
        raise bad_value(doc, key, value, place, wanted, near_miss(value, doc.choices))
    return lowered


def _variable(doc: KeyDoc, key: str, value: str, place: Place) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        # It may be the key itself, which no message shows.
        raise ConfigError(
            f"{place.key(key)} must be the name of an environment variable.",
            code="bad_value",
            hint="Give the name of the variable, never the key itself.",
            key=key,
            file=place.file,
        )
    return value


def _model(doc: KeyDoc, key: str, value: str, place: Place) -> str:
    if wanted := model_name_fault(value):
        raise bad_value(doc, key, value, place, wanted, "Copy the name from `aiex llm models`.")
    if doc.kind == "model" and ("/" in value or os.sep in value or value.endswith(".gguf")):
        return _absolute(value, place)
    return value


def _task(doc: KeyDoc, key: str, value: str, place: Place) -> str:
    """Cut at the first slash: the names of models hold slashes, those of providers none."""
    name, slash, model = (part.strip() for part in value.partition("/"))
    hint = "Write 'provider', 'provider/model' or '/model'."
    if slash and (wanted := model_name_fault(model)):
        raise bad_value(doc, key, value, place, f"a provider, a slash and {wanted}", hint)
    return f"{name}{slash}{model}"


def model_name_fault(name: str) -> str:
    """Return what a model's name must be and `name` is not, `""` when nothing is wrong.

    A name may hold slashes, colons and inner blanks. It goes into requests, headers and paths of
    URLs, and is shown: nothing that cannot be seen may stand in it.
    """
    if not name.strip():
        return "a name that is not empty"
    if not name.isprintable():
        return "a name without control characters"
    if len(name) > MOST_IN_MODEL_NAME:
        return f"a name of at most {MOST_IN_MODEL_NAME} characters"
    return ""


def _secret(doc: KeyDoc, key: str, value: str, place: Place) -> Secret:
    # A key travels in an HTTP header. Source: RFC 9110, section 5.5, field values.
    good = all("!" <= char <= "~" for char in value)
    wanted = "printable ASCII without blanks"
    # `docker run --env-file` keeps quotes as a part of the value.
    if good and value[0] == value[-1] and value[0] in "'\"`":
        good, wanted = False, "a key without quotes around it"
    if not good:
        hint = "Copy the key again, without quotes or line breaks."
        raise bad_value(doc, key, None, place, wanted, hint)
    return Secret(value)


def _url(doc: KeyDoc, key: str, value: str, place: Place) -> str:
    from urllib.parse import urlsplit  # with ipaddress 3 ms, and most have no address to read

    url = value if "://" in value else f"http://{value}"
    hint = "Give an address like 'http://localhost:11434'."
    try:
        parts = urlsplit(url)
        if parts.username is not None:
            # An address is shown in many places, a password in none.
            proxy = doc.key == "network.proxy_url"
            hint = "Give what the server asks for as api_key."
            hint = "Keep both in HTTPS_PROXY." if proxy else hint
            raise bad_value(doc, key, value, place, "an address without name and password", hint)
        wanted = _url_fault(value, parts)
    except ValueError:  # a bracket that is not closed
        wanted = "an http or https address"
    if wanted:
        raise bad_value(doc, key, value, place, wanted, hint)
    return url.rstrip("/")


def _url_fault(written: str, parts: SplitResult) -> str:
    """Return what an address must be and this is not, `""` when nothing is wrong."""
    # `http:/host` and `http//host` would be hosts called http.
    slip = re.match(r"https?(:/?|/+)(?!/)", written) and "://" not in written
    if parts.scheme not in ("http", "https") or slip or parts.path.startswith("//"):
        return "an http or https address"
    if not written.isprintable() or " " in written:
        return "an address without blanks and control characters"
    if not parts.hostname:
        return "an address with a host"
    if "[" not in parts.netloc and not _HOST.fullmatch(parts.hostname):
        return "an address with a host that can be looked up"
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        return "an address with a port from 1 to 65535"
    return "an address without '?' and '#'" if parts.query or parts.fragment else ""


def _certificates(doc: KeyDoc, key: str, value: str, place: Place) -> str:
    """Return the absolute path of a file that TLS can read its trusted certificates from."""
    import ssl  # 10 ms, paid by those who name a file

    path = _absolute(value, place)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        wanted = "a file of PEM certificates"
    except OSError as error:
        wanted = f"a file that can be read ({error.strerror or type(error).__name__})"
    else:
        return path
    hint = "Name the file of your CA's certificates, or leave it out for the system's."
    raise bad_value(doc, key, path, place, wanted, hint)


def _absolute(path: str, place: Place) -> str:
    return os.path.abspath(os.path.join(place.base_dir, os.path.expanduser(path)))


_READ: dict[str, Callable[[KeyDoc, str, str, Place], str | Secret]] = {
    "certificates": _certificates,
    "choice": _choice,
    "model": _model,
    "model_name": _model,
    "secret": _secret,
    "task": _task,
    "url": _url,
    "variable": _variable,
}
