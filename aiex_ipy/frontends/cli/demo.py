"""`aiex demo`: the main job on real code, in a real IPython kernel, with the local model."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import click

from aiex_ipy.errors import DemoError
from aiex_ipy.frontends.cli.faults import say

MODULE = "click.formatting"
FUNCTION = "click.formatting.wrap_text"
QUESTION = "What does the Python keyword yield do? Answer in two sentences."
FAILING = """\
order = {"item": "tea", "price": 7}
total = order["prise"]
"""
ANSWER_TIMEOUT_S = 120
START_TIMEOUT_S = 60


@click.command()
def demo() -> int:
    """Do the main job on real code in a real kernel.

    Fetches the local model if it is not here, starts an IPython kernel, loads the extension, asks
    a question, scores a module of an installed package, explains one of its functions, finds out
    why a cell failed, and runs it mended.
    """
    begin = time.monotonic()
    _model()
    with _Kernel() as kernel:
        kernel.step("%load_ext aiex", wants=())
        kernel.step(f'answer = ai("{QUESTION}")', wants=("SmolLM2",), streamed=True)
        kernel.step("print(answer.model, answer.usage)", wants=("SmolLM2", "output_tokens"))
        kernel.step(
            f"%%aiex analyze --provider none {_source(MODULE)}\n", wants=("Quality Score", "/10")
        )
        kernel.step(
            f"%%aiex explain --level basic {FUNCTION}\n",
            wants=("wrap_text", "SmolLM2"),
            streamed=True,
        )
        kernel.step(FAILING, wants=(), fails=True)
        kernel.step("report = ai_debug(provider='none')", wants=("'price'", "-total", "+total"))
        kernel.step("exec(report.best_fix.after); print(total)", wants=("7",))
    print(f"demo: all parts happened, in {time.monotonic() - begin:.1f} s")
    return 0


def _model() -> None:
    from aiex_ipy.providers import model_store

    found = {model.name: model for model in model_store.list_models()}["smollm2"]
    if not found.installed:
        size = found.download_bytes / 1e6
        print(f"demo: fetching {found.model} ({size:.0f} MB, {found.licence}, {found.source})")
    found = model_store.pull("smollm2")
    print(f"demo: local model {found.model} at {found.path}")


def _source(module: str) -> str:
    from aiex_ipy.operations.locate import locate, search_roots

    found = locate(module, search_roots(None))
    if found is None:
        raise DemoError(f"The source of {module!r} was not found.", hint="Install click again.")
    return found[0]


class _Kernel:
    """An IPython kernel of this interpreter, with the embedded model as its provider."""

    def __enter__(self) -> _Kernel:
        from ipykernel.kernelspec import get_kernel_dict
        from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
        from jupyter_client.manager import KernelManager

        class ThisInterpreter(KernelSpecManager):
            """Gives the kernel of the running Python, whatever is installed for the user."""

            def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
                return KernelSpec(**get_kernel_dict())

        print("demo: starting an IPython kernel", flush=True)
        self._manager = KernelManager(kernel_spec_manager=ThisInterpreter())
        self._manager.start_kernel(
            env={**os.environ, "AIEX_DEFAULT_PROVIDER": "embedded"},
            extra_arguments=["--log-level=ERROR"],
        )
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=START_TIMEOUT_S)
        return self

    def __exit__(self, *details: object) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=False)

    def step(
        self, code: str, *, wants: tuple[str, ...], streamed: bool = False, fails: bool = False
    ) -> None:
        """Run a cell, print what it shows as it comes, and check that it really happened."""
        print(f"\nIn: {code.rstrip()}", flush=True)
        shown = _Shown()
        reply = self._client.execute_interactive(
            code, timeout=ANSWER_TIMEOUT_S, output_hook=shown.take, allow_stdin=False
        )
        shown.close()
        if (reply["content"]["status"] != "ok") is not fails:
            raise DemoError(
                f"The cell {code.rstrip()!r} {'did not fail' if fails else 'failed'}.",
                hint="Run `aiex doctor` for the reason.",
            )
        missing = [word for word in wants if word not in shown.text]
        if missing:
            raise DemoError(
                f"The output of {code.rstrip()!r} does not show {missing[0]!r}.",
                hint="Run `aiex doctor` for the reason.",
            )
        if streamed and shown.updates < 2:
            raise DemoError(
                f"The answer of {code.rstrip()!r} came in {shown.updates} piece(s).",
                hint="Run `aiex doctor` for the reason.",
            )


class _Shown:
    """What a cell has shown: its text so far, printed as it grows.

    A display that is written anew, as the last update of an answer is, adds only the lines that
    were not printed before.
    """

    def __init__(self) -> None:
        self.text = ""
        self.updates = 0
        self._last = ""

    def take(self, message: dict[str, Any]) -> None:
        kind, content = message["header"]["msg_type"], message["content"]
        if kind == "stream":
            self._show(content["text"])
        elif kind in ("display_data", "update_display_data", "execute_result"):
            self.updates += 1
            text = content["data"].get("text/plain", "")
            if text.startswith(self._last):
                self._show(text[len(self._last) :])
            else:
                known = set(self.text.splitlines())
                new = [line for line in text.splitlines() if line.strip() and line not in known]
                self._show("\n" + "\n".join(new) + "\n" if new else "")
            self._last = text
        elif kind == "error":
            say(f"aiex: {content['ename']}: {content['evalue']}")

    def _show(self, text: str) -> None:
        self.text += text
        sys.stdout.write(text)
        sys.stdout.flush()

    def close(self) -> None:
        if not self.text.endswith("\n"):
            print()
