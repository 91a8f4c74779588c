"""What tests of several packages share."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is slow, which is no fault of what is tested; and what CI tries is tried again the
# same, so that a change is not refused for a case that it has nothing to do with.
settings.register_profile(
    "aiex",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("aiex")

# Two threads collapse to a tenth of one thread's speed when the machine is busy: they spin
# while they wait for each other. Kernels and commands the tests start inherit it.
os.environ.setdefault("AIEX_EMBEDDED_THREADS", "1")


# A shell that starts a job in the background has it ignore interrupts, and every program the
# tests start would inherit that; Ctrl-C is what some of them are about.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


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


@pytest.fixture(scope="session")
def model_home(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that has the small model and nothing else."""
    home = tmp_path_factory.mktemp("home")
    (home / "models").mkdir()
    (home / "models" / smollm2.name).symlink_to(smollm2)
    return home


@pytest.fixture
def at_home(model_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`model_home` as the data directory of this test and of the processes it starts."""
    monkeypatch.setenv("AIEX_DATA_DIR", str(model_home))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    return model_home


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Files of a self-signed certificate, for 127.0.0.1 and `model.invalid`, and of its key."""
    from aiex_ipy.testing.certificates import self_signed

    return self_signed(tmp_path_factory.mktemp("certificate"))
