"""Names that libraries had and have no more: since when, and what takes their place."""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from aiex_ipy.grounding.diagnosis.sight import class_name, module_name, mro
from aiex_ipy.grounding.failure.evaluate import isinstance_


class Removal(Struct, frozen=True):
    """`since` is the version without the name, `successor` what to write, a bare name where it
    stands in the same place and takes the same arguments."""

    since: str
    successor: str

    @property
    def is_rename(self) -> bool:
        return self.successor.isidentifier()


_PANDAS_BOTH = {
    "append": ("2.0", "pandas.concat([a, b])"),
    "ix": ("1.0", ".loc (labels) or .iloc (positions)"),
    "iteritems": ("2.0", "items"),
    "as_matrix": ("1.0", "to_numpy"),
    "get_value": ("1.0", ".at[row, column]"),
    "set_value": ("1.0", ".at[row, column] = value"),
    "mad": ("2.0", "(x - x.mean()).abs().mean()"),
    "slice_shift": ("2.0", "shift"),
    "tshift": ("2.0", "shift(freq=…)"),
    "swapaxes": ("3.0", "transpose"),
    "first": ("3.0", ".loc with a date"),
    "last": ("3.0", ".loc with a date"),
    "pad": ("3.0", "ffill"),
    "backfill": ("3.0", "bfill"),
    "bool": ("3.0", "item"),
}
TABLE: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "pandas.DataFrame": {
        **_PANDAS_BOTH,
        "applymap": ("3.0", "map"),
        "lookup": ("2.0", "factorize and indexing"),
        "sort": ("0.20", "sort_values"),
        "to_msgpack": ("1.0", "to_parquet"),
    },
    "pandas.Series": {
        **_PANDAS_BOTH,
        "is_monotonic": ("2.0", "is_monotonic_increasing"),
        "view": ("3.0", "astype"),
        "ravel": ("3.0", "to_numpy"),
        "order": ("0.20", "sort_values"),
        "sort": ("0.20", "sort_values"),
    },
    "pandas": {
        "Panel": ("1.0", "a DataFrame with a MultiIndex"),
        "datetime": ("2.0", "`from datetime import datetime`"),
        "np": ("2.0", "`import numpy as np`"),
        "Int64Index": ("2.0", "Index"),
        "UInt64Index": ("2.0", "Index"),
        "Float64Index": ("2.0", "Index"),
        "rolling_mean": ("0.23", "x.rolling(n).mean()"),
        "TimeGrouper": ("1.0", "Grouper(freq=…)"),
        "value_counts": ("3.0", "Series(x).value_counts()"),
    },
    "numpy": {
        "float": ("1.24", "float64"),
        "int": ("1.24", "int64"),
        "object": ("1.24", "object_"),
        "str": ("1.24", "str_"),
        "complex": ("1.24", "complex128"),
        "bool": ("1.24", "bool_"),
        "typeDict": ("1.24", "sctypeDict"),
        "asscalar": ("1.23", "x.item()"),
        "float_": ("2.0", "float64"),
        "complex_": ("2.0", "complex128"),
        "longfloat": ("2.0", "longdouble"),
        "singlecomplex": ("2.0", "complex64"),
        "cfloat": ("2.0", "complex128"),
        "unicode_": ("2.0", "str_"),
        "string_": ("2.0", "bytes_"),
        "Inf": ("2.0", "inf"),
        "Infinity": ("2.0", "inf"),
        "infty": ("2.0", "inf"),
        "PINF": ("2.0", "inf"),
        "NINF": ("2.0", "-np.inf"),
        "NaN": ("2.0", "nan"),
        "NAN": ("2.0", "nan"),
        "product": ("2.0", "prod"),
        "cumproduct": ("2.0", "cumprod"),
        "sometrue": ("2.0", "any"),
        "alltrue": ("2.0", "all"),
        "round_": ("2.0", "round"),
        "asfarray": ("2.0", "asarray(x, dtype=float)"),
        "msort": ("2.0", "sort(x, axis=0)"),
        "find_common_type": ("2.0", "result_type"),
        "cast": ("2.0", "asarray(x, dtype=…)"),
        "issubclass_": ("2.0", "issubclass (Python's own)"),
        "math": ("2.0", "`import math`"),
        "mat": ("2.0", "asmatrix"),
        "byte_bounds": ("2.0", "numpy.lib.array_utils.byte_bounds"),
        "in1d": ("2.4", "isin"),
        "trapz": ("2.4", "trapezoid"),
    },
    "numpy.ndarray": {
        "ptp": ("2.0", "np.ptp(x)"),
        "itemset": ("2.0", "x[index] = value"),
        "newbyteorder": ("2.0", "x.view(x.dtype.newbyteorder(order))"),
        "tostring": ("2.3", "tobytes"),
    },
    "polars.DataFrame": {
        "groupby": ("1.0", "group_by"),
        "with_column": ("1.0", "with_columns"),
        "apply": ("1.0", "map_rows"),
        "with_row_count": ("2.0", "with_row_index"),
        "melt": ("2.0", "unpivot"),
        "frame_equal": ("1.0", "equals"),
    },
    "polars.LazyFrame": {
        "groupby": ("1.0", "group_by"),
        "with_column": ("1.0", "with_columns"),
    },
    "polars.Series": {"apply": ("1.0", "map_elements"), "set_at_idx": ("1.0", "scatter")},
    "sklearn.externals": {"joblib": ("0.23", "`import joblib`"), "six": ("0.23", "`import six`")},
    "sklearn": {
        "cross_validation": ("0.20", "model_selection"),
        "grid_search": ("0.20", "model_selection"),
        "learning_curve": ("0.20", "model_selection"),
    },
    "sklearn.datasets": {"load_boston": ("1.2", "fetch_california_housing")},
    "sklearn.preprocessing": {"Imputer": ("0.22", "sklearn.impute.SimpleImputer")},
    "sklearn.metrics": {
        "plot_confusion_matrix": ("1.2", "ConfusionMatrixDisplay.from_estimator"),
        "plot_roc_curve": ("1.2", "RocCurveDisplay.from_estimator"),
        "plot_precision_recall_curve": ("1.2", "PrecisionRecallDisplay.from_estimator"),
    },
    "matplotlib.cm": {"get_cmap": ("3.9", "matplotlib.colormaps[name]")},
    "PIL.Image": {
        "ANTIALIAS": ("10.0", "LANCZOS"),
        "LINEAR": ("10.0", "BILINEAR"),
        "CUBIC": ("10.0", "BICUBIC"),
    },
    "scipy.integrate": {
        "simps": ("1.14", "simpson"),
        "trapz": ("1.14", "trapezoid"),
        "cumtrapz": ("1.14", "cumulative_trapezoid"),
    },
    "scipy.misc": {"imread": ("1.2", "imageio.imread"), "imresize": ("1.3", "PIL's resize")},
    "networkx": {
        "from_numpy_matrix": ("3.0", "from_numpy_array"),
        "to_numpy_matrix": ("3.0", "to_numpy_array"),
        "info": ("3.0", "print(graph)"),
    },
    "jinja2": {
        "Markup": ("3.1", "`from markupsafe import Markup`"),
        "escape": ("3.1", "`from markupsafe import escape`"),
        "contextfilter": ("3.1", "pass_context"),
    },
    "flask": {
        "escape": ("3.0", "`from markupsafe import escape`"),
        "Markup": ("3.0", "`from markupsafe import Markup`"),
    },
    "werkzeug": {"secure_filename": ("1.0", "werkzeug.utils.secure_filename")},
    "sqlalchemy.Engine": {"execute": ("2.0", "`with engine.connect() as c: c.execute(text(sql))`")},
    "tensorflow": {
        "Session": ("2.0", "tf.compat.v1.Session"),
        "placeholder": ("2.0", "tf.compat.v1.placeholder"),
        "ConfigProto": ("2.0", "tf.compat.v1.ConfigProto"),
    },
    "collections": {
        name: ("Python 3.10", f"collections.abc.{name}")
        for name in (
            "Callable",
            "Hashable",
            "Iterable",
            "Iterator",
            "Mapping",
            "MutableMapping",
            "MutableSequence",
            "MutableSet",
            "Sequence",
            "Set",
            "Sized",
        )
    },
    "asyncio": {
        "async": ("Python 3.7", "ensure_future"),
        "coroutine": ("Python 3.11", "`async def`"),
        "get_child_watcher": ("Python 3.14", "nothing: asyncio needs none"),
    },
    "inspect": {
        "getargspec": ("Python 3.11", "getfullargspec"),
        "formatargspec": ("Python 3.11", "signature"),
    },
    "time": {"clock": ("Python 3.8", "perf_counter")},
    "string": {
        "letters": ("Python 3", "ascii_letters"),
        "lowercase": ("Python 3", "ascii_lowercase"),
        "uppercase": ("Python 3", "ascii_uppercase"),
        "maketrans": ("Python 3", "str.maketrans"),
        "join": ("Python 3", "separator.join(parts)"),
    },
    "sys": {"maxint": ("Python 3", "maxsize"), "setdefaultencoding": ("Python 3", "nothing")},
    "os": {
        "getcwdu": ("Python 3", "getcwd"),
        "errno": ("Python 3.7", "`import errno`"),
        "popen2": ("Python 3", "subprocess.Popen"),
    },
    "itertools": {
        "izip": ("Python 3", "zip (a builtin)"),
        "imap": ("Python 3", "map (a builtin)"),
        "ifilter": ("Python 3", "filter (a builtin)"),
        "izip_longest": ("Python 3", "zip_longest"),
        "ifilterfalse": ("Python 3", "filterfalse"),
    },
    "urllib": {
        "urlopen": ("Python 3", "urllib.request.urlopen"),
        "urlretrieve": ("Python 3", "urllib.request.urlretrieve"),
        "urlencode": ("Python 3", "urllib.parse.urlencode"),
        "quote": ("Python 3", "urllib.parse.quote"),
        "unquote": ("Python 3", "urllib.parse.unquote"),
    },
    "base64": {
        "encodestring": ("Python 3.9", "encodebytes"),
        "decodestring": ("Python 3.9", "decodebytes"),
    },
    "fractions": {"gcd": ("Python 3.9", "math.gcd")},
    "platform": {
        "linux_distribution": ("Python 3.8", "freedesktop_os_release"),
        "dist": ("Python 3.8", "freedesktop_os_release"),
    },
    "configparser": {"SafeConfigParser": ("Python 3.12", "ConfigParser")},
    "locale": {"format": ("Python 3.12", "format_string")},
    "ssl": {
        "wrap_socket": ("Python 3.12", "SSLContext.wrap_socket"),
        "match_hostname": ("Python 3.12", "SSLContext.check_hostname"),
    },
    "threading.Thread": {"isAlive": ("Python 3.9", "is_alive")},
    "array.array": {
        "tostring": ("Python 3.9", "tobytes"),
        "fromstring": ("Python 3.9", "frombytes"),
    },
    "dict": {
        "has_key": ("Python 3", "key in d"),
        "iteritems": ("Python 3", "items"),
        "iterkeys": ("Python 3", "keys"),
        "itervalues": ("Python 3", "values"),
        "viewitems": ("Python 3", "items"),
    },
    "generator": {"next": ("Python 3", "next(g)")},
    "str": {"decode": ("Python 3", "nothing: a str is decoded already")},
}
"""Module or class → name → (version without it, successor).

Source: the release notes of pandas 1.0, 2.0, 3.0; NumPy 1.23, 1.24, 2.0, 2.3, 2.4 (and its NumPy
2.0 migration guide); scikit-learn 0.20 to 1.2; polars' upgrade guides 0.19 to 2; matplotlib 3.9;
Pillow 10; SciPy 1.2 to 1.14; networkx 3.0; Jinja 3.1; Flask 3.0; SQLAlchemy 2.0; TensorFlow 2;
Python's "What's New" under "Removed".
"""
MODULES: Mapping[str, tuple[str, str]] = {
    "distutils": ("3.12", "setuptools"),
    "imp": ("3.12", "importlib"),
    "asyncore": ("3.12", "asyncio"),
    "asynchat": ("3.12", "asyncio"),
    "smtpd": ("3.12", "the package aiosmtpd"),
    "cgi": ("3.13", "urllib.parse, email, or the package legacy-cgi"),
    "cgitb": ("3.13", "traceback, or the package legacy-cgi"),
    "crypt": ("3.13", "hashlib, or the package bcrypt"),
    "imghdr": ("3.13", "the package filetype"),
    "sndhdr": ("3.13", "the package filetype"),
    "telnetlib": ("3.13", "the package telnetlib3"),
    "pipes": ("3.13", "subprocess and shlex"),
    "audioop": ("3.13", "the package audioop-lts"),
    "nntplib": ("3.13", "the package nntplib"),
    "uu": ("3.13", "base64"),
    "xdrlib": ("3.13", "struct"),
    "formatter": ("3.10", "nothing"),
    "parser": ("3.10", "ast"),
    "symbol": ("3.10", "ast"),
    "binhex": ("3.11", "base64"),
    "urllib2": ("3.0", "urllib.request"),
    "urlparse": ("3.0", "urllib.parse"),
    "httplib": ("3.0", "http.client"),
    "ConfigParser": ("3.0", "configparser"),
    "Queue": ("3.0", "queue"),
    "StringIO": ("3.0", "io"),
    "cStringIO": ("3.0", "io"),
    "cPickle": ("3.0", "pickle"),
    "Tkinter": ("3.0", "tkinter"),
    "tkMessageBox": ("3.0", "tkinter.messagebox"),
    "HTMLParser": ("3.0", "html.parser"),
    "commands": ("3.0", "subprocess"),
    "thread": ("3.0", "threading"),
    "__builtin__": ("3.0", "builtins"),
    "sklearn.cross_validation": ("scikit-learn 0.20", "sklearn.model_selection"),
    "sklearn.grid_search": ("scikit-learn 0.20", "sklearn.model_selection"),
    "sklearn.externals.joblib": ("scikit-learn 0.23", "joblib"),
    "sklearn.externals": ("scikit-learn 0.23", "the packages themselves"),
    "pandas.util.testing": ("pandas 2.0", "pandas.testing"),
    "pandas.io.json.json_normalize": ("pandas 2.0", "pandas.json_normalize"),
    "pandas.tools.plotting": ("pandas 0.24", "pandas.plotting"),
    "django.core.urlresolvers": ("Django 2.0", "django.urls"),
    "keras.utils.np_utils": ("Keras 2.13", "keras.utils"),
    "moviepy.editor": ("moviepy 2.0", "moviepy"),
}
"""Module → (Python version, or library and version, without it, successor). Same sources."""


def removal(value: Any, name: str) -> tuple[Removal, str] | None:
    """Return what became of an attribute an object no longer has, and whose it was."""
    owners = (
        [module_name(value)]
        if type(value) is types.ModuleType
        else [_full(each) for each in mro(value if isinstance_(value, type) else type(value))]
    )
    for owner in owners:
        entry = TABLE.get(owner, {}).get(name)
        if entry is not None:
            return Removal(*entry), owner
    return None


def _full(kind: type) -> str:
    """`pandas.DataFrame` for the class of that public name, wherever it is defined."""
    return class_name(kind)


def instead(successor: str) -> str:
    """Return the remedy for a name that has a successor, or needs none."""
    needless, colon, why = successor.partition(": ")
    if needless == "nothing":
        return f"Leave it out{colon}{why}."
    return f"Use {successor} instead."


def version_of(owner: str) -> str:
    """Return `pandas 3.1.1` for an imported package, `Python 3.11` for one of Python's own."""
    root = owner.partition(".")[0]
    found = getattr(sys.modules.get(root), "__version__", None)
    if type(found) is str and root not in sys.stdlib_module_names:
        return f"{root} {found}"
    return f"Python {sys.version_info.major}.{sys.version_info.minor}"
