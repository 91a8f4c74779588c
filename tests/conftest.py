"""What tests of several packages share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Two threads collapse to a tenth of one thread's speed when the machine is busy: they spin
# while they wait for each other. Kernels and commands the tests start inherit it.
os.environ.setdefault("AIEX_EMBEDDED_THREADS", "1")


@pytest.fixture(scope="session")
def smollm2(request: pytest.FixtureRequest) -> Path:
    """The GGUF of the small real model, where the user has it, else pulled once into the cache
    of pytest. `smollm2.parent.parent` will do as AIEX_DATA_DIR."""
    from aiex_ipy.providers import model_store

    try:
        found = model_store.find("smollm2")
        model_store.verify(found)
    except model_store.StoreError:
        assert request.config.cache is not None
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AIEX_DATA_DIR", str(request.config.cache.mkdir("aiex")))
            found = model_store.pull("smollm2")
    return Path(found.path)
