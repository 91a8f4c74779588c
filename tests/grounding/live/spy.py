"""A class that notes every call of anything of its own, and of its metaclass."""

from __future__ import annotations

from typing import Any

CALLS: list[str] = []


def words(text: str) -> list[str]:
    return text.split()


# Every special method of the data model (docs.python.org, "Data model", 3.11 to 3.14), and those
# that well-known libraries ask objects for. Left out: `__new__`, `__init__` and `__init_subclass__`
# make the object; `__del__` comes with its end; `__slots__` is no method.
SPECIAL = words(
    """
repr str bytes format lt le eq ne gt ge hash bool getattribute getattr setattr delattr dir get
set delete set_name instancecheck subclasscheck class_getitem call len length_hint getitem
setitem delitem missing iter reversed contains next add sub mul matmul truediv floordiv mod
divmod pow lshift rshift and xor or radd rsub rmul rmatmul rtruediv rfloordiv rmod rdivmod rpow
rlshift rrshift rand rxor ror iadd isub imul imatmul itruediv ifloordiv imod ipow ilshift
irshift iand ixor ior neg pos abs invert complex int float index round trunc floor ceil enter
exit await aiter anext aenter aexit buffer release_buffer reduce reduce_ex getstate setstate
getnewargs getnewargs_ex copy deepcopy sizeof mro_entries prepare replace getinitargs
cause context traceback array array_interface array_struct array_ufunc array_function
array_priority array_wrap array_finalize dataframe arrow_c_array arrow_c_stream arrow_c_schema
torch_function torch_dispatch cuda_array_interface dask_graph dask_keys clause_element html
get_pydantic_core_schema
"""
)
PLAIN = words(
    """
_repr_html_ _repr_png_ _repr_mimebundle_ _repr_pretty_ _repr_markdown_ _repr_latex_
_ipython_display_ _ipython_key_completions_ keys values items shape dtype ndim columns name
fileno read tell closed isoformat tolist to_dict to_numpy compute
"""
)
PROPERTIES = words(
    """
__class__ __dict__ __doc__ __module__ __wrapped__ __signature__ __annotations__
__text_signature__ __name__ __self__ __func__ __code__ __defaults__ __notes__ __path__
__weakref__ __dataclass_fields__ __pydantic_fields__ __struct_fields__ _fields _asdict __file__
__objclass__ __abstractmethods__ __type_params__ __origin__ __args__ __mro__ __bases__
"""
)


def noting(owner: str, name: str, answer: Any = None) -> Any:
    def method(*args: Any, **kwargs: Any) -> Any:
        CALLS.append(f"{owner}.{name}")
        if isinstance(answer, Exception):
            raise answer
        return answer

    return method


def spied(owner: str, properties: bool = True) -> dict[str, Any]:
    """Methods and properties of one class, each of which notes that it was called."""
    found: dict[str, Any] = {f"__{name}__": noting(owner, f"__{name}__") for name in SPECIAL}
    found |= {name: noting(owner, name) for name in PLAIN}
    if properties:
        found |= {name: property(noting(owner, name)) for name in PROPERTIES}
    # What storing an object takes must work: in a set, as a key, among the attributes of another.
    found["__hash__"] = noting(owner, "__hash__", 7)
    found["__eq__"] = noting(owner, "__eq__", False)
    return found


_meta = spied("Meta", properties=False)
for name in ("__setattr__", "__delattr__", "__call__", "__prepare__", "__mro_entries__"):
    del _meta[name]  # these make the class and its instances
for name in PROPERTIES:
    if name not in ("__dict__", "__doc__", "__module__", "__qualname__"):
        _meta[name] = property(noting("Meta", name))
_meta["__getattribute__"] = noting("Meta", "__getattribute__", AttributeError())
Meta = type("Meta", (type,), _meta)


def spying(*bases: type, **more: Any) -> type:
    """A class of spies, with the metaclass of its bases under its own."""
    metas = {type(each) for each in bases} - {type}
    meta = type("MetaToo", (Meta, *metas), {}) if metas else Meta
    body = {**spied("Spy"), **more}
    made = type.__new__(meta, "Spy", bases, body)
    CALLS.clear()
    return made


class Watch:
    """Notes what was called within the block."""

    def __enter__(self) -> Watch:
        CALLS.clear()
        return self

    def __exit__(self, *_: object) -> None:
        self.calls = list(CALLS)
