"""What calls do to their arguments, for those whose source is not at hand.

Source: the documentation of the libraries. What is not listed is taken to change the object it is
called on; a function of an unknown module, called for its effect, its arguments as well.
"""

from __future__ import annotations

import sys


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FRESH_METHODS = _words(
    "abs absolute agg aggregate all any apply applymap argmax argmin argsort "
    "as_integer_ratio as_posix assign astype between bit_length capitalize casefold center "
    "choose clip collect copy corr count cov cummax cummin cumprod cumsum date "
    "decision_function decode deepcopy describe diff difference digest dim dot drop "
    "drop_duplicates dropna duplicated elements encode endswith equals evaluate ewm exists "
    "expanding expandtabs explode fillna filter find findall finditer flatten format "
    "format_map fullmatch get_feature_names_out get_params glob group group_by groupby "
    "groupdict groups head hex hexdigest idxmax idxmin index info intersection is_dir "
    "is_file is_integer isalnum isalpha isascii isdecimal isdigit isdisjoint isidentifier "
    "isin islower isna isnull isnumeric isoformat isprintable isspace issubset issuperset "
    "istitle isupper item iterdir join kurt lazy ljust lower lstrip maketrans map mask "
    "match max mean median melt memory_usage merge min most_common nlargest nonzero notna "
    "notnull nsmallest numel numpy nunique partition pct_change pivot pivot_table predict "
    "predict_proba prod quantile query rank read_bytes read_text reindex relative_to "
    "removeprefix removesuffix rename rename_axis repeat replace resample reset_index "
    "resolve rfind rglob rindex rjust rolling round rpartition rsplit rstrip sample score "
    "search searchsorted select sem set_index shift size skew sort_index sort_values split "
    "splitlines stack startswith stat std strftime strip sub sum summary swapcase "
    "symmetric_difference tail timestamp title to_bytes to_csv to_dict to_excel to_frame "
    "to_json to_list to_markdown to_numpy to_pandas to_parquet to_polars to_string tobytes "
    "tolist total total_seconds transform translate union unique unstack upper value_counts "
    "var where with_columns with_name with_suffix zfill"
)
"""Methods that change nothing and whose result is new."""

VIEW_METHODS = _words(
    "cast clone cpu detach get get_group items keys pop ravel reshape squeeze swapaxes "
    "transpose values view xs"
)
"""Methods whose result may be, or show, a part of the object; only `pop` changes it."""

PLAIN_BUILTINS = _words(
    "__import__ all any ascii bin bool bytes callable chr classmethod compile complex "
    "delattr dir display float format frozenset hasattr hash help hex id input int "
    "isinstance issubclass lenoct ord print property range repr slice staticmethod str type"
)
"""Builtins that change no argument and whose result holds none."""

HOLDING_BUILTINS = _words(
    "aiter bytearray dict enumerate filter getattr iter list map max memoryview min "
    "reversed set sorted tuple vars zip"
)
"""Builtins whose result holds what their arguments hold."""

ITERATORS = _words("reversed enumerate zip filter map iter aiter")
"""Builtins whose result is used up by going through it."""

CHANGING = _words(
    "bisect.insort bisect.insort_left bisect.insort_right heapq.heapify heapq.heappop "
    "heapq.heappush heapq.heappushpop heapq.heapreplace numpy.copyto numpy.fill_diagonal "
    "numpy.place numpy.put numpy.putmask numpy.random.shuffle operator.delitem "
    "operator.iadd operator.setitem random.Random.shuffle random.shuffle"
)
"""Library functions that change their first argument."""

VIEWS = _words(
    "copy.copy numpy.asarray numpy.atleast_1d numpy.atleast_2d numpy.broadcast_to "
    "numpy.expand_dims numpy.moveaxis numpy.ravel numpy.reshape numpy.squeeze "
    "numpy.swapaxes numpy.transpose torch.as_tensor torch.from_numpy typing.cast"
)
"""Library functions whose result may be their argument, or show it."""

ASKING = _words("ai ai_complete ai_debug ai_doc ai_help ai_project ai_status ai_test_suggest H")
"""Our own helpers, which only look; what `ai_eval` runs is a cell of its own."""

_EFFECTS = ("random.", "set", "reset", "register", "seed", "option", "config", "use")

_LIBRARIES = _words(
    "IPython PIL aiex aiex_ipy altair attr attrs bokeh bs4 cv2 dask datasets duckdb httpx "
    "ipywidgets joblib keras lightgbm matplotlib networkx nltk numpy pandas plotly polars psutil "
    "pyarrow pydantic requests rich scipy seaborn sklearn spacy sqlalchemy statsmodels "
    "sympy tensorflow torch tqdm transformers xarray xgboost yaml"
)


def is_library(name: str) -> bool:
    """True for the name of a module, or of something in it, that leaves its arguments alone but
    for what is listed in `CHANGING`."""
    top = name.partition(".")[0]
    return top in _LIBRARIES or top in sys.stdlib_module_names


def has_no_effect(name: str) -> bool:
    """True for a library function that is called for nothing when nobody takes its result, as a
    `pd.DataFrame(…)` whose value is shown: the module is as it was."""
    top, _, rest = name.partition(".")
    looks = top in ("aiex", "aiex_ipy") or (top != "os" and is_fresh(name))
    return looks and not rest.startswith(_EFFECTS)


def is_fresh(name: str) -> bool:
    """True when a library function's result holds none of its arguments."""
    top = name.partition(".")[0]
    return top in (
        "numpy",
        "pandas",
        "polars",
        "math",
        "statistics",
        "json",
        "re",
        "os",
        "time",
    ) or (name == "copy.deepcopy")
