"""`ai()`, `%aiex` and `%%aiex` in a shell of this process: what is sent, shown and kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aiex_ipy.messages import Answer
from aiex_ipy.testing.loopback import LoopbackServer
from aiex_ipy.testing.replies import Raw, Reply

from .conftest import KEY
from .test_interpolation import UNCHANGED

Capture = pytest.CaptureFixture[str]


class Run:
    """Runs cells and keeps what they print."""

    def __init__(self, shell: Any, capsys: Capture, server: LoopbackServer) -> None:
        self.shell, self.capsys, self.server = shell, capsys, server
        self.out = self.err = ""

    def __call__(self, cell: str) -> Any:
        self.capsys.readouterr()
        result = self.shell.run_cell(cell, store_history=True)
        self.out, self.err = self.capsys.readouterr()
        return result

    def fails(self, cell: str) -> str:
        """Run a cell that must fail; return the one line that is shown."""
        result = self(cell)
        assert not result.success
        assert result.result is None, "an error is no value of the cell"
        shown = (self.out + self.err).strip().splitlines()
        assert "Traceback" not in "\n".join(shown)
        return shown[-1]

    @property
    def sent(self) -> list[dict[str, str]]:
        """The messages of the last request."""
        return list(self.server.asked[-1].json["messages"])

    @property
    def question(self) -> str:
        return self.sent[-1]["content"]


@pytest.fixture
def run(shell: Any, capsys: Capture, server: LoopbackServer) -> Run:
    return Run(shell, capsys, server)


def test_an_answer_is_shown_once(run: Run) -> None:
    """`ai(…)` as the last value of a cell shows its words once, and is the cell's value."""
    result = run("ai('hello')")
    assert isinstance(result.result, Answer)
    assert run.out.count("Hello from the loopback server.") == 1
    assert "gpt" in run.out and "openai" in run.out


def test_an_answer_can_be_shown_again_later(run: Run) -> None:
    """`_`, `Out[n]`, `_aiex` and a variable show the answer in a later cell."""
    run("x = ai('hello'); x")
    assert run.out.count("loopback server.") == 1
    for name in ("x", "_aiex", "Out[1]", "_"):
        run(name)
        assert run.out.count("loopback server.") == 1, name
    assert run("_aiex is x and Out[1] is x").result is True


def test_display_shows_it_again_in_the_same_cell(run: Run) -> None:
    """Only the cell's own value is left out: who asks for a display gets one."""
    run("from IPython.display import display\nx = ai('hello')\ndisplay(x)\nx")
    assert run.out.count("loopback server.") == 2


def test_a_cell_magic_has_no_value_and_a_line_magic_can_be_assigned(run: Run) -> None:
    """The last result is `_aiex`; `x = %aiex …` keeps it too."""
    assert run("%%aiex\nhello").result is None
    assert run("%aiex ask hello").result is None
    run("x = %aiex ask hello")
    assert run("x is _aiex and type(x).__name__ == 'Answer'").result is True


def test_into_keeps_the_result_in_a_variable(run: Run) -> None:
    """`--into NAME` is for loops and pipelines of one's own."""
    run("%%aiex ask --into found\nhello")
    assert run("found.text").result == "Hello from the loopback server."
    assert "--into 'a-b'" in run.fails("%%aiex ask --into a-b\nhello")


def test_values_are_sent_and_unknown_names_told(run: Run) -> None:
    """`{name}` in line and cell are the user's values; the rest goes out as it stands."""
    run("n = 3; word = '{n} --model evil'")
    run("%%aiex ask about {word}\nis {n} in {In[1]}? {nope}")
    assert (
        run.question == "about {n} --model evil\n\nis 3 in n = 3; word = '{n} --model evil'? {nope}"
    )
    assert "No such variable, sent as it stands: {nope}." in run.out
    assert run.server.asked[-1].json["model"] != "evil"


def test_the_error_of_a_cell_is_a_value(run: Run) -> None:
    """`{Err[n]}` pairs with `{In[n]}`."""
    run("{}['missing']")
    run("%%aiex\n{In[1]} gave {Err[1]} and {Err[-1]}")
    assert run.question.count("KeyError: 'missing'") == 2
    assert run.question.startswith("{}['missing'] gave Traceback")


@pytest.mark.parametrize("text", UNCHANGED.values(), ids=UNCHANGED.keys())
def test_a_cell_full_of_braces_is_sent_unchanged(run: Run, text: str) -> None:
    """f-strings, dicts, Jinja, LaTeX, tracebacks: the server gets the cell as it was typed."""
    run("x = y = a = b = n = i = k = name = item = items = df = d = f = 1")
    cell = f"look at this:\n{text}\nthat was it"
    run(f"%%aiex\n{cell}")
    assert run.question == cell


def test_code_to_analyze_and_explain_is_never_interpolated(run: Run) -> None:
    """In code `{x}` is a set or an f-string, whatever is called x."""
    run("x = 'VALUE'")
    run("%%aiex analyze --provider none --into found\ny = {x}\nz = f'{x}'")
    assert run("found.path, found.metrics['statements']").result == ("In[2]", 2)
    run("%%aiex explain --provider openai\ny = {x}\nz = f'{x}'")
    assert "y = {x}" in run.server.asked[-1].body.decode()


def test_analyze_does_not_run_the_cell(run: Run) -> None:
    """A cell that is judged is not executed."""
    run("%%aiex analyze --provider none\nran = True")
    assert "ran" not in run.shell.user_ns


def test_files_are_analyzed_with_an_empty_cell(run: Run, tmp_path: Path) -> None:
    """`%%aiex analyze FILE` and `%aiex analyze FILE` are the same; blanks and values in paths."""
    (tmp_path / "my file.py").write_text("import os\n")
    run("name = 'my file'")
    run("a = %aiex analyze 'my file.py' --provider none")
    run("%%aiex analyze '{name}.py' --provider none --into b")
    assert run("a.path, b.path, a == b").result == ("my file.py", "my file.py", True)


def test_formats(run: Run, tmp_path: Path) -> None:
    """`--output` chooses the form that is shown."""
    (tmp_path / "f.py").write_text("import os\n")
    run("%aiex analyze f.py --provider none --output json")
    assert '"quality_score"' in run.out
    run("%aiex analyze f.py --provider none --output markdown")
    assert "**Quality Score:**" in run.out


def test_chat_remembers_per_type(run: Run) -> None:
    """Each conversation knows its turns; `--new` forgets them."""
    run("%aiex chat my name is Ada")
    run("%aiex chat what is my name?")
    assert run.sent[1]["content"] == "my name is Ada"
    assert len(run.sent) == 4
    run("%aiex chat --type coding hello")
    assert len(run.sent) == 2
    run("%aiex chat --new hello")
    assert len(run.sent) == 2


def test_debug_chat_knows_the_last_failure(run: Run) -> None:
    """`%%aiex chat --type debug` with nothing typed asks about the last error and its cell."""
    run("def f():\n    return {'a': 1}['b']\nf()")
    run("%aiex nonsense")
    run("%aiex chat --type debug")
    assert "KeyError: 'b'" in run.question
    assert "return {'a': 1}['b']" in run.question


def test_names_of_the_session_are_explained(run: Run) -> None:
    """A function made in a cell is explained from its own source."""
    run("def area(r):\n    'circle'\n    return 3.14 * r * r")
    run("%aiex explain area --provider none --into found")
    assert "function area in In[1]" in run.out
    assert run("found.kind, found.symbol").result == ("function", "area")
    run("class Pond:\n    'wet'\n    def depth(self):\n        return 1\npond = Pond()")
    run("%aiex explain Pond --provider none")
    assert "class Pond in In[4]" in run.out
    run("%aiex explain pond.depth --provider none")
    assert "function depth in In[4]" in run.out
    run("import json as j")
    run("%aiex explain j.dumps --provider none")
    assert "dumps" in run.out


JUDGEMENT = """{"summary": "It is fine.", "issues": [], "recommendations":
    [{"title": "Test it", "detail": "with pytest"}]}"""


def test_facts_come_before_the_model(run: Run, server: LoopbackServer) -> None:
    """The analyzers' facts stand on the screen before any model is waited for, and once; after them
    comes what the model adds, with its name."""
    server.replies = [Reply(text=JUDGEMENT, first_pause_s=0.2)]
    assert run("%%aiex analyze --provider openai\nimport os").success
    assert run.out.count("Quality Score:") == 1
    assert run.out.index("Quality Score:") < run.out.index("says: It is fine.")
    assert "no model" not in run.out
    assert "Asking a model" in run.err
    server.replies = [Reply(text="It gives `r` back.", first_pause_s=0.2)]
    assert run("%%aiex explain --provider openai\ndef f(r):\n    return r").success
    assert run.out.count("It gives `r` back.") == 1
    assert run.out.index("def f(r)") < run.out.index("It gives")
    assert "no model was asked" not in run.out


def test_a_cell_of_one_function_is_explained_as_that_function(run: Run) -> None:
    """What goes in and comes out is said of the function, not that a module offers it."""
    run("%%aiex explain --provider none --into found\ndef area(r):\n    return 3 * r")
    assert "function area in In[1] (intermediate)" in run.out
    assert "Returns" in run.out and "`r`" in run.out
    run("%%aiex explain --provider none\nx = 1\ndef area(r):\n    return 3 * r")
    assert "module In[2]" in run.out


def test_an_answer_is_its_text(run: Run) -> None:
    """`print(answer)` and `{answer}` in a question give the words, not the record."""
    run("answer = ai('hello')")
    run("print(answer)")
    assert run.out == "Hello from the loopback server.\n"
    run("%aiex ask Is this true: {answer}")
    assert run.question == "Is this true: Hello from the loopback server."
    assert run("answer.cost is answer.usage.cost_usd").result is True


def test_each_word_of_help_has_help(run: Run) -> None:
    """`%aiex help WORD` knows every word that `%aiex help` lists."""
    run("%aiex help")
    words = [line.split()[0] for line in run.out.splitlines() if line.startswith("    ")]
    assert {"ask", "status", "config"} <= set(words)
    for word in words:
        assert run(f"%aiex help {word}").success
        assert run.out.startswith(f"%aiex {word}")


def test_objects_are_context(run: Run) -> None:
    """`context` takes functions, frames, paths and texts alike."""
    run("def f():\n    return 42\nai('what is it?', context=[f, {'k': 'v'}, 'a text'])")
    assert "return 42" in run.question
    assert "{'k': 'v'}" in run.question and "a text" in run.question


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("%%aiex status\nx", "UsageError: 'status' takes no cell. Write %aiex status on a line"),
        ("%aiex help statu", "UnknownNameError: %aiex has no verb 'statu'. Did you mean 'status'?"),
        ("%aiex explain", "UsageError: There is nothing to explain. Name a file, a module"),
        (
            "%config Aiex.llm_timeout",
            "AttributeError: %config Aiex has no setting 'llm_timeout'. Did you mean 'llm_time",
        ),
        (
            "%aiex analyse f.py",
            "UnknownNameError: %aiex has no verb 'analyse'. Did you mean 'analyze'?",
        ),
        ("%%aiex ask --modle m\nx", "'--model'"),
        ("%%aiex ask --provider opnai\nx", "Did you mean 'openai'?"),
        ("%%aiex chat --type debugg\nx", "'debug'"),
        ("%%aiex analyze --type fast\nx", "Use one of: all, quality"),
        ("%%aiex ask\n  \n", "UsageError: The question is empty."),
        ("ai('')", "UsageError: The question is empty."),
        ("ai('x' * 1_000_000)", "1000000 characters"),
        ("%aiex analyze", "There is nothing to analyze"),
        ("%aiex analyze missing.py", "missing.py"),
        ("%%aiex explain f.py\nx = 1", "two things to explain"),
        ("%aiex help nonsense", "no verb 'nonsense'"),
        ("%aiex config shwo", "Did you mean 'show'?"),
        ("%aiex config set llm.timeout_ms x", "llm.timeout_ms"),
    ],
)
def test_bad_input_gets_one_line(run: Run, cell: str, line: str) -> None:
    """What is wrong and what to do, no traceback, no value; the session goes on."""
    assert line in run.fails(cell)
    assert run("1 + 1").result == 2


def test_a_provider_that_is_down_is_one_line(run: Run) -> None:
    """Nobody listens: the cell fails with the address and a remedy."""
    run('%config Aiex.llm_providers = {"openai": {"base_url": "http://127.0.0.1:9/v1"}}')
    line = run.fails("ai('hello')")
    assert line.startswith("UnavailableError: ")
    assert run.fails("%%aiex\nhello").startswith("UnavailableError: ")


def test_errors_can_be_caught(run: Run) -> None:
    """In code the error is a typed exception."""
    run(
        "from aiex_ipy.errors import AiexError\n"
        "try: ai('x', provider='nobody')\nexcept AiexError: ok = 1"
    )
    assert run("ok").result == 1


@pytest.mark.parametrize(
    ("reply", "line"),
    [
        (Reply(text=""), "EmptyAnswerError"),
        (Raw(blocks=(b"this is no event stream",)), "Error: "),
        (Raw(status=401, blocks=(b'{"error": {"message": "bad key"}}',)), "CredentialsError"),
        (Raw(status=500), "UnavailableError"),
    ],
)
def test_useless_answers_are_one_line(
    run: Run, server: LoopbackServer, reply: Reply | Raw, line: str
) -> None:
    """A model that says nothing or nonsense, a server that refuses: told, not shown as success."""
    server.replies = [reply]
    assert line in run.fails("%%aiex\nhello")
    server.replies = [Reply()]
    assert run("ai('hello').text").result == "Hello from the loopback server."


def test_a_cut_answer_shows_its_words_and_fails(run: Run, server: LoopbackServer) -> None:
    """The words that came stay on the screen, with who said them and what cut them; the cell is no
    success, and its line says how to go on."""
    server.replies = [
        Reply(pieces=("some ", "words ", "more"), cut_after=2, cut="reset", pause_s=0.05)
    ]
    line = run.fails("%%aiex\nhello")
    assert line.startswith("InterruptedAnswerError") and "Go on with %aiex continue" in line
    assert run.out.count("some words") == 1
    assert "The answer is not whole. " in run.out
    assert run("(_aiex.finish, _aiex.text)").result == ("interrupted", "some words ")


def test_a_cut_answer_is_continued(run: Run, server: LoopbackServer) -> None:
    """`%aiex continue` shows the whole answer and gives it as a value; a second one has nothing to
    go on with."""
    server.replies = [Reply(pieces=("some ", "words", "more"), cut_after=2)]
    run.fails("ai('hello')")
    server.replies = [Reply(text="words and more.")]
    result = run("x = %aiex continue")
    assert result.success
    assert run.out.count("some words and more.") == 1
    assert "continued after 10 characters" in run.out
    assert run("(x.text, x.complete, x is _aiex)").result == ("some words and more.", True, True)
    assert "No answer of this session was cut" in run.fails("%aiex continue")
    assert "takes no words" in run.fails("%aiex continue please")


def test_an_earlier_cut_answer_is_named(run: Run, server: LoopbackServer) -> None:
    """Something was asked after it: it is said to which question the words belong."""
    server.replies = [Reply(pieces=("some ", "words", "more"), cut_after=2)]
    run.fails("ai('the first of them')")
    server.replies = [Reply(text="whole")]
    run("ai('the second')")
    server.replies = [Reply(text=" and more.")]
    assert run("%aiex continue").success
    assert "Going on with the answer to 'the first of them'" in run.out


def test_another_provider_goes_on(run: Run, server: LoopbackServer) -> None:
    """`--provider` and `--model` choose who goes on, and stand in the help."""
    server.replies = [Reply(pieces=("some ", "words", "more"), cut_after=2)]
    run.fails("ai('hello')")
    server.replies = [Reply(text=" and more.")]
    assert "No provider 'nobody'" in run.fails("%aiex continue --provider nobody")
    assert run("%aiex continue --provider openai --model small").success
    assert server.asked[-1].json["model"] == "small"
    assert "no option '--modell'" in run.fails("%aiex continue --modell small")
    run("%aiex help continue")
    assert "--provider NAME" in run.out and "--model NAME" in run.out


def test_an_answer_cut_at_its_limit_says_how_to_go_on(run: Run, server: LoopbackServer) -> None:
    """It is shown with the way to have the rest."""
    server.replies = [Reply(text="one two", finish="length")]
    assert run("ai('count')").success
    assert "%aiex continue goes on with it." in run.out
    server.replies = [Reply(text=" three.")]
    assert run("x = %aiex continue").success
    assert run("x.text").result == "one two three."


def test_the_cache_is_told_as_the_session_has_it(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`%aiex llm cache` knows what `%config` has set."""
    monkeypatch.setenv("AIEX_DATA_DIR", str(tmp_path))
    run("%aiex llm cache")
    assert "The cache is off" in run.out
    run("%config Aiex.llm_cache_enabled = True")
    run("%aiex llm cache")
    assert "0 answers" in run.out and "The cache is off" not in run.out


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("verb", ["explain", "analyze"])
def test_facts_are_shown_when_the_named_model_is_cut(
    run: Run, server: LoopbackServer, verb: str, form: str
) -> None:
    """In each form; the line says nothing of a text that nobody has."""
    server.replies = [Reply(pieces=('{"a"', ": ", "1"), cut_after=2, cut="reset")]
    run("%config Aiex.llm_max_retries = 0")
    cell = f"%%aiex {verb} --output {form} --into facts --provider openai\ndef f(x): return x"
    line = run.fails(cell)
    assert "partial" not in line
    assert ('"operation": ' if form == "json" else "In[") in run.out
    assert run("(facts.operation, facts is _aiex)").result == (verb, True)


def test_a_cut_turn_of_a_talk_is_remembered_whole(run: Run, server: LoopbackServer) -> None:
    """The conversation goes on with the two parts as one turn."""
    server.replies = [Reply(pieces=("some ", "words", "more"), cut_after=2)]
    assert "this turn is not remembered" in run.fails("%aiex chat hello")
    server.replies = [Reply(text=" and more.")]
    run("%aiex continue")
    run("%aiex chat why")
    told = [each["content"] for each in run.sent]
    assert told[1:] == ["hello", "some words and more.", "why"]


def test_words_cannot_steer_the_terminal(run: Run, server: LoopbackServer) -> None:
    """Escape sequences of a model are taken out, also when they come in pieces."""
    server.replies = [
        Reply(pieces=("a\x1b", "]0;evil\x07", "b\x1b[3", "1mc", "\x9b2Jd"), pause_s=0.02)
    ]
    run("ai('x')")
    assert "\x1b" not in run.out and "\x9b" not in run.out and "evil" not in run.out
    assert "abcd" in run.out


def test_no_key_leaves_but_to_the_provider(run: Run, server: LoopbackServer) -> None:
    """The key is in no body, no display and no setting that is shown; only in the header."""
    run(f"key = '{KEY}'; import os")
    run("%%aiex\nmy key is {key}, and {os.environ}")
    assert KEY not in run.server.asked[-1].body.decode()
    assert KEY in run.server.asked[-1].headers["authorization"]
    run("%config Aiex")
    assert KEY not in run.out and "'***'" in run.out
    run("%aiex config show")
    assert KEY not in run.out


def test_settings_of_the_session(run: Run) -> None:
    """`%config Aiex` changes what happens next, is checked, and shows what is in force."""
    assert run("%config Aiex.display_updates_per_second").result == 15
    run("%config Aiex.display_updates_per_second = 5")
    assert run("%config Aiex.display_updates_per_second").result == 5
    assert run("import aiex; aiex.config('display')['updates_per_second']").result == 5
    run("%config Aiex.display_updates_per_second = 5000")
    assert run("%config Aiex.display_updates_per_second").result == 5
    run("%config Aiex.llm_default_provider = 'none'")
    assert "no_provider" in run.fails("ai('hello')") or run.err or run.out
    run("%config Aiex")
    assert "Aiex.llm_default_provider" in run.out and "'none'" in run.out


def test_help_lists_what_there_is(run: Run) -> None:
    """`%aiex` alone tells the verbs; every one that is told has its own help."""
    run("%aiex")
    assert "analyze" in run.out
    for verb in ("ask", "chat", "analyze", "explain"):
        run(f"%aiex help {verb}")
        assert "--model" in run.out
    run("%%aiex")
    assert "analyze" in run.out


def test_status_and_version(run: Run) -> None:
    """Who would be asked, and which aiex this is."""
    import aiex

    run("%aiex version")
    assert run.out == f"aiex {aiex.__version__}\n"
    run("%aiex status")
    assert "provider     openai" in run.out


def test_words_of_the_command_line_are_words_of_the_magic(run: Run) -> None:
    """`%aiex llm providers` is `aiex llm providers`; what it refuses fails the cell."""
    assert run("%aiex llm providers").success
    assert "openai" in run.out
    line = run.fails("%aiex llm provider")
    assert "Did you mean 'providers'?" in run.err
    assert line


def test_usage_and_health_tell_of_the_session(run: Run) -> None:
    """`%aiex llm usage` counts what this kernel asked, not what the command itself did, and
    `llm health` tells that the session leaves a provider alone."""
    from aiex_ipy.errors import QuotaError
    from aiex_ipy.frontends.ipython.session import current_session
    from aiex_ipy.messages import Usage
    from aiex_ipy.routing.ledger import Call

    run("%aiex llm usage")
    before = run.out
    engine = current_session().engine
    usage = Usage(input_tokens=30, output_tokens=4)
    engine.models.state.ledger.add(Call(provider="elsewhere", model="big", usage=usage))
    run("%aiex llm usage")
    assert run.out != before
    assert "elsewhere big" in run.out
    assert "30 + 4 tokens, cost unknown" in run.out
    run("%aiex llm usage --output json")
    rows = json.loads(run.out)["models"]
    assert [(row["model"], row["input_tokens"]) for row in rows][-1] == ("big", 30)
    run("%aiex status")
    assert "usage" in run.out
    stands = engine.models.state.standing(engine.models.instance("openai"))
    stands.mark(QuotaError("Nothing is left."), 10_000.0)
    run("%aiex llm health openai")
    stands.clear(None)
    assert "left alone for " in run.out
