"""`%config Aiex`: the settings as traits, made from the list of all keys when first asked for.

IPython asks each object in `shell.configurables` for its class's traits; making one trait a key
at load would cost more than all the rest of loading, so a light stand-in is registered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiex_ipy.frontends.ipython.session import Session


class Aiex:
    """Stands in `shell.configurables` for the session's settings.

    The class answers what IPython asks a Configurable's class, the object what it asks a
    Configurable; each trait is a key with `_` for its dots.
    """

    def __init__(self, session: Session) -> None:
        self.__dict__["_session"] = session

    @classmethod
    def class_traits(cls, **metadata: Any) -> dict[str, Any]:
        """Return the traits by name."""
        from aiex_ipy.frontends.ipython.traits import traits

        return traits()

    @classmethod
    def class_trait_names(cls, **metadata: Any) -> list[str]:
        """Return the traits' names."""
        return list(cls.class_traits())

    @classmethod
    def class_get_help(cls, inst: Aiex | None = None) -> str:
        """Return every setting with its meaning and, with `inst`, its present value."""
        from aiex_ipy.frontends.ipython.traits import help_text

        return help_text(None if inst is None else inst._session)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        from aiex_ipy.frontends.ipython.traits import value

        return value(self._session, name)

    def __setattr__(self, name: str, value: Any) -> None:
        from aiex_ipy.frontends.ipython.traits import change

        change(self._session, {name: value})

    def update_config(self, config: Any) -> None:
        """Take over the section `Aiex` of a traitlets Config. Raises ConfigError, and then
        changes nothing."""
        if "Aiex" in config:
            from aiex_ipy.frontends.ipython.traits import change

            change(self._session, dict(config["Aiex"]))
