"""The command line: results, formats, manners and exit codes, through the installed program."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

AIEX = str(Path(sys.executable).with_name("aiex"))
BAD = "import os\n\ndef run(code):\n    return eval(code)\n"


@pytest.fixture
def aiex(tmp_path, monkeypatch):
    """Runs `aiex` in an empty project with no model and no settings of the user."""
    env = {
        k: v for k, v in os.environ.items() if not k.startswith(("AIEX_", "OPENAI", "ANTHROPIC"))
    }
    env |= {
        "AIEX_DEFAULT_PROVIDER": "none",
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
    }
    project = tmp_path / "project"
    project.mkdir()
    (project / "bad.py").write_text(BAD)

    def run(*words, stdin="", **more):
        return subprocess.run(
            [AIEX, *words],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=project,
            env={**env, **more},
            timeout=60,
        )

    run.project = project
    return run


def scripted(project, *answers):
    """Makes the project's provider say `answers`; returns the variables to run with."""
    listed = json.dumps(list(answers))
    (project / "aiex.toml").write_text(f"[llm.providers.scripted]\nanswers = {listed}\n")
    return {"AIEX_DEFAULT_PROVIDER": "scripted"}


def test_the_same_file_gives_the_same_bytes_and_no_absolute_path(aiex):
    """`analyze --output json` is reproducible and holds no path of the machine."""
    first, second = (aiex("ai", "analyze", "--file", "bad.py", "--output", "json") for _ in "ab")
    assert first.returncode == second.returncode == 0
    assert first.stdout == second.stdout
    assert str(aiex.project) not in first.stdout
    result = json.loads(first.stdout)
    assert result["path"] == "bad.py"
    assert (result["model"], result["grounded"]) == (None, True)
    assert {"S307", "F401"} <= {issue["rule"] for issue in result["issues"]}


def test_the_text_form_has_the_guides_sections_in_its_order(aiex):
    """Title, rule, Summary, Quality Score, Issues Found, Recommendations."""
    out = aiex("ai", "analyze", "bad.py").stdout
    parts = ["Code Analysis Results", "=" * 50, "Summary:", "Quality Score:", "/10"]
    parts += ["Issues Found (2):", "Recommendations (2):"]
    places = [out.index(part) for part in parts]
    assert places == sorted(places)


def test_a_terminal_that_is_not_utf8_gets_no_symbols(aiex):
    """Where the encoding cannot show them, our own symbols are left out, nothing crashes."""
    run = aiex("ai", "analyze", "bad.py", PYTHONIOENCODING="ascii")
    assert run.returncode == 0
    assert run.stdout.isascii()
    assert run.stdout.startswith("Code Analysis Results")


@pytest.mark.parametrize(
    ("name", "content", "code", "says"),
    [
        ("missing.py", None, 2, "missing.py"),
        ("binary.py", b"\x00\x01\x02" * 50, 2, "binary"),
        ("latin.py", b"# caf\xe9\nx = 1\n", 2, "encod"),
        ("huge.py", b"x = 1\n" * 2_000_000, 2, "MB"),
        ("notebook.ipynb", b'{"cells": [', 2, "notebook.ipynb"),
    ],
)
def test_an_input_that_cannot_be_read_is_one_clear_line(aiex, name, content, code, says):
    """Exit 2, the file and the fact named, no traceback."""
    if content is not None:
        (aiex.project / name).write_bytes(content)
    run = aiex("ai", "analyze", "--file", name)
    assert run.returncode == code
    assert says in run.stderr
    assert "Traceback" not in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1
    assert run.stdout == ""


def test_an_empty_file_has_no_score_and_is_no_error(aiex):
    """Nothing to score is null, and a gate on it fails naming the file."""
    (aiex.project / "empty.py").write_text("")
    run = aiex("ai", "analyze", "empty.py", "--output", "json")
    assert run.returncode == 0
    assert json.loads(run.stdout)["quality_score"] is None
    gated = aiex("ai", "analyze", "empty.py", "--fail-under", "5")
    assert gated.returncode == 1
    assert "empty.py" in gated.stderr


def test_a_syntax_error_scores_zero_with_one_issue(aiex):
    """A file that does not parse: score 0, exactly one issue, exit 0."""
    (aiex.project / "broken.py").write_text("def broken(:\n    pass\n")
    run = aiex("ai", "analyze", "broken.py", "--output", "json")
    assert run.returncode == 0
    result = json.loads(run.stdout)
    assert result["quality_score"] == 0
    assert [issue["category"] for issue in result["issues"]] == ["syntax"]


def test_some_of_several_inputs_failing_is_exit_4(aiex):
    """The others are analyzed, the failed one is named, exit 4."""
    run = aiex("ai", "analyze", "bad.py", "missing.py", "--output", "json")
    assert run.returncode in (2, 4)
    (aiex.project / "latin.py").write_bytes(b"# caf\xe9\nx = 1\n")
    run = aiex("ai", "analyze", ".", "--output", "json")
    assert run.returncode == 4
    result = json.loads(run.stdout)
    errors = {file["path"]: file["error"] for file in result["files"]}
    assert errors["bad.py"] == ""
    assert "latin.py" in errors["latin.py"]


def test_no_input_that_could_be_read_is_exit_2(aiex):
    """When every one of several inputs fails, each is named and nothing counts as done."""
    (aiex.project / "latin.py").write_bytes(b"# caf\xe9\nx = 1\n")
    run = aiex("ai", "analyze", "latin.py", "missing.py")
    assert run.returncode == 2
    assert "latin.py" in run.stderr
    assert "missing.py" in run.stderr


def test_a_gate_counts_though_its_reader_has_left(aiex):
    """A closed pipe does not turn a missed gate into success."""
    command = f"{AIEX} ai analyze bad.py --fail-under 9.9 | true; exit ${{PIPESTATUS[0]}}"
    env = {**os.environ, "AIEX_DEFAULT_PROVIDER": "none"}
    run = subprocess.run(["bash", "-c", command], cwd=aiex.project, env=env, capture_output=True)
    assert run.returncode == 1


def test_a_gate_fails_below_its_score_only(aiex):
    """`--fail-under` exits 1 below the score and 0 at it; findings alone never change it."""
    score = json.loads(aiex("ai", "analyze", "bad.py", "--output", "json").stdout)["quality_score"]
    assert aiex("ai", "analyze", "bad.py", "--fail-under", str(score)).returncode == 0
    over = aiex("ai", "analyze", "bad.py", "--fail-under", str(min(10, score + 0.01)))
    assert over.returncode == 1
    assert str(score) in over.stderr


def test_code_comes_from_stdin_too(aiex):
    """`-` and a pipe are the same, under the name the user gives."""
    named = aiex("ai", "analyze", "-", "--stdin-filename", "x.py", "--output", "json", stdin=BAD)
    piped = aiex("ai", "analyze", "--output", "json", stdin=BAD)
    assert json.loads(named.stdout)["path"] == "x.py"
    assert json.loads(named.stdout)["quality_score"] == json.loads(piped.stdout)["quality_score"]


@pytest.mark.parametrize("name", ["out.md", "out.json", "out.html", "out.txt"])
def test_a_file_name_as_output_gives_its_format(aiex, name):
    """The suffix decides the format; stdout stays empty."""
    run = aiex("ai", "analyze", "bad.py", "--output", name)
    assert (run.returncode, run.stdout) == (0, "")
    text = (aiex.project / name).read_text("utf-8")
    marks = {"out.md": "## ", "out.json": "{", "out.html": "<!doctype html>"}
    assert text.startswith(marks.get(name, "📊"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("ai", "anlyze", "x"), "Did you mean 'analyze'"),
        (("ai", "analyze", "--tpye", "all", "bad.py"), "--type"),
        (("ai", "analyze", "--type", "securty", "bad.py"), "security"),
        (("ai", "ask", "hi", "--provider", "opnai"), "openai"),
        (("ai", "analyze", "bad.py", "--output", "jsn"), "json"),
        (("ai", "ask"), "empty"),
        (("ai", "ask", " "), "empty"),
        (("mdoels", "list"), "models"),
        (("help", "modles"), "models"),
    ],
)
def test_a_mistyped_word_names_the_near_miss(aiex, words, says):
    """An unknown command, option, type, format or provider is exit 2 with what was meant."""
    run = aiex(*words)
    assert run.returncode == 2, run.stderr
    assert says in run.stderr
    assert "Traceback" not in run.stderr


def test_both_spellings_of_an_option_are_taken(aiex):
    """`--fail_under` is `--fail-under`; the guide writes both kinds."""
    assert aiex("ai", "analyze", "bad.py", "--fail_under", "10").returncode == 1
    run = aiex("ai", "chat", "--conversation_type", "coding", stdin="")
    assert run.returncode == 0


def test_asking_with_no_model_says_what_to_set(aiex):
    """No provider is exit 3 with a remedy."""
    run = aiex("ai", "ask", "hello")
    assert run.returncode == 3
    assert "AIEX_DEFAULT_PROVIDER" in run.stderr
    assert run.stdout == ""


def test_an_answer_streams_to_stdout_with_who_spoke(aiex):
    """The words on stdout, then the model's name."""
    run = aiex("ai", "ask", "what", "is", "it?", **scripted(aiex.project, "It is a list."))
    assert run.returncode == 0
    assert run.stdout.startswith("It is a list.")
    assert "scripted" in run.stdout


def test_terminal_escapes_of_a_model_do_not_reach_the_terminal(aiex):
    """An answer with escape sequences is shown without them."""
    hostile = "a\x1b]0;title\x07b\x1b[2Jc"
    run = aiex("ai", "ask", "hi", **scripted(aiex.project, hostile))
    assert "\x1b" not in run.stdout
    assert "\x07" not in run.stdout


def test_a_conversation_from_a_pipe_is_one_turn_per_line(aiex):
    """Each line gets its answer; the commands work; the exit code is the last turn's."""
    env = scripted(aiex.project, "one", "two", "three")
    stdin = "first\n/clear\nsecond\n/usage\n/quit\nthird\n"
    run = aiex("ai", "chat", stdin=stdin, **env)
    assert run.returncode == 0
    assert "2 calls, " in run.stderr
    assert " tokens, free" in run.stderr
    assert "one" in run.stdout
    assert "two" in run.stdout
    assert "three" not in run.stdout


def test_facts_come_before_the_models_words(aiex):
    """With a model the facts stand first on stdout, its words after them, named."""
    said = json.dumps({"summary": "Runs anything.", "issues": [], "recommendations": []})
    out = aiex("ai", "analyze", "bad.py", **scripted(aiex.project, said)).stdout
    assert out.index("Quality Score") < out.index("scripted says: Runs anything.")


def test_settings_are_shown_with_their_origin_and_no_key(aiex):
    """`config show --origin` names where a value came from; a key is masked."""
    run = aiex("config", "show", "--origin", OPENAI_API_KEY="sk-secret-value-123")
    assert run.returncode == 0
    assert "AIEX_DEFAULT_PROVIDER" in run.stdout
    assert "sk-secret" not in run.stdout + run.stderr


def test_a_setting_is_written_and_read_back(aiex):
    """`config set --project` writes the project's file, `config show` shows the value."""
    run = aiex("config", "set", "--project", "display.updates_per_second", "12")
    assert run.returncode == 0
    shown = aiex("config", "show", "display.updates_per_second").stdout
    assert shown.strip() == "display.updates_per_second = 12"
    wrong = aiex("config", "set", "display.updates_per_secnd", "12")
    assert wrong.returncode == 2
    assert "updates_per_second" in wrong.stderr


def test_a_group_alone_shows_its_help_as_it_stands(aiex):
    """`aiex ai` is `aiex help ai`: in lines, on stdout, and no error."""
    for group in ("ai", "llm", "config"):
        run = aiex(group)
        assert (run.returncode, run.stderr) == (0, "")
        assert run.stdout == aiex("help", group).stdout


def test_version_and_help_need_no_click():
    """The commonest questions are answered without importing click or msgspec."""
    for words in (["version"], ["--help"], ["help", "ai"], ["ai", "analyze", "--help"]):
        code = (
            "import sys; from aiex_ipy.frontends.cli import main; "
            f"main({words!r}); print([m for m in ('click', 'msgspec', 'asyncio', 'typing') "
            "if m in sys.modules], file=sys.stderr)"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert run.returncode == 0
        assert run.stdout
        assert run.stderr.strip() == "[]", words


def test_offline_analysis_loads_nothing_it_does_not_need(tmp_path):
    """Analyzing a file without a model imports no SDK, no asyncio, no pydantic, no IPython."""
    (tmp_path / "a.py").write_text(BAD)
    heavy = ("asyncio", "openai", "anthropic", "httpx2", "pydantic", "IPython", "jedi", "tomlkit")
    code = (
        "import sys; from aiex_ipy.frontends.cli import main; "
        "code = main(['ai', 'analyze', 'a.py']); "
        f"loaded = [m for m in {heavy!r} if m in sys.modules]; "
        "sys.exit(f'{code} {loaded}' if code or loaded else 0)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "AIEX_DEFAULT_PROVIDER": "none"},
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_printed(aiex, shell):
    """Each shell gets a script that names the program."""
    run = aiex("completion", shell)
    assert run.returncode == 0
    assert "_AIEX_COMPLETE" in run.stdout


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("aiex ai an", "plain,analyze"),
        ("aiex ai analyze --ty", "plain,--type"),
        ("aiex ai analyze --type per", "plain,performance"),
        ("aiex comp", "plain,completion"),
    ],
)
def test_a_shell_that_asks_is_told_what_may_follow(aiex, words, offered):
    """The last word is completed, as the script that `completion bash` prints asks for it."""
    at = str(len(words.split()) - 1)
    run = aiex(_AIEX_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=at)
    assert run.stdout.split() == [offered], run.stderr


@pytest.mark.parametrize("words", ["ai analyze big.py", "help ai analyze", "config show", "--help"])
def test_a_reader_that_goes_away_is_no_error(aiex, words):
    """`aiex … | head` ends quietly, and not with 1, the exit code of a failed gate."""
    (aiex.project / "big.py").write_text(BAD * 40)
    reading, writing = os.pipe()
    os.close(reading)
    run = subprocess.run(
        [AIEX, *words.split()], stdout=writing, stderr=subprocess.PIPE, text=True, cwd=aiex.project
    )
    os.close(writing)
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("words", ["ai analyze bad.py", "status", "version"])
def test_a_full_disk_behind_stdout_is_one_clear_line(aiex, words):
    """What cannot be written is said in one line with exit 2, and is no fault of ours."""
    with open("/dev/full", "w") as full:
        run = subprocess.run(
            [AIEX, *words.split()], stdout=full, stderr=subprocess.PIPE, text=True, cwd=aiex.project
        )
    assert run.returncode == 2
    assert run.stderr.startswith("aiex: The output could not be written: No space left")
    assert run.stderr.count("\n") == 1


@pytest.mark.skipif(os.name != "posix", reason="closes streams as a POSIX shell does")
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("ai analyze bad.py >&-", 0),
        ("version >&-", 0),
        ("ai chat <&-", 0),
        ("ai analyze bad.py --output json --fail-under 9 2>&-", 1),
    ],
)
def test_a_closed_stream_is_no_fault(aiex, command, code):
    """A program started without stdin, stdout or stderr works; messages do not get into stdout."""
    run = subprocess.run(
        ["sh", "-c", f"{AIEX} {command}"],
        capture_output=True,
        text=True,
        cwd=aiex.project,
        env={**os.environ, "AIEX_DEFAULT_PROVIDER": "none"},
    )
    assert run.returncode == code
    assert "fault of aiex" not in run.stderr
    if run.stdout:
        json.loads(run.stdout)


@pytest.mark.parametrize("score", ["nan", "-1", "10.5", "high", "²"])
def test_a_gate_that_could_never_fail_is_refused(aiex, score):
    """`--fail-under` takes 0 to 10 and nothing else: no score is below `nan`."""
    run = aiex("ai", "analyze", "bad.py", "--fail-under", score)
    assert run.returncode == 2
    assert f"{score!r} is no score. Give a number from 0 to 10." in run.stderr


def test_a_result_that_can_go_nowhere_is_refused_before_a_model_is_asked(aiex):
    """An `--output` that is a directory, or in none, ends before any words were paid for."""
    env = scripted(aiex.project, "words")
    (aiex.project / "folder").mkdir()
    for target in ("folder", "nowhere/a.md"):
        run = aiex("ai", "ask", "hi", "--output", target, AIEX_LOG="debug", **env)
        assert run.returncode == 2
        assert "cannot be written to" in run.stderr
        assert "asking" not in run.stderr


def test_a_result_is_not_lost_when_its_file_cannot_be_made(aiex):
    """What a model said goes to stdout when the named file fails after all."""
    env = scripted(aiex.project, "precious words")
    name = f"{'n' * 240}.txt"  # fits no directory with what marks an unfinished file
    run = aiex("ai", "ask", "hi", "--output", f"{'n' * 20}{name}", **env)
    assert run.returncode == 2
    assert "precious words" in run.stdout
    assert "it went to stdout" in run.stderr


def test_a_choice_that_is_none_names_the_near_miss(aiex):
    """`--type performnce` is answered with `performance`."""
    run = aiex("ai", "analyze", "bad.py", "--type", "performnce")
    assert run.returncode == 2
    assert "Did you mean 'performance'?" in run.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux")
def test_a_name_that_is_no_utf8_hides_no_finding(aiex):
    """The linter's findings count for a file whatever bytes its name has."""
    (aiex.project / os.fsdecode(b"caf\xe9.py")).write_text(BAD)
    scores = []
    for name in (b"caf\xe9.py", b"bad.py"):
        run = aiex("ai", "analyze", os.fsdecode(name), "--output", "json")
        scores.append(json.loads(run.stdout)["quality_score"])
    assert scores[0] == scores[1]


def test_facts_shown_before_a_model_speaks_do_not_say_that_none_did(aiex):
    """The line about who spoke stands once, at the end, and is true."""
    out = aiex("ai", "explain", "bad.py", **scripted(aiex.project, "It runs code.")).stdout
    assert "no model" not in out
    assert out.rstrip().endswith("scripted (scripted)")
    said = json.dumps({"summary": "Runs anything.", "issues": [], "recommendations": []})
    out = aiex("ai", "analyze", "bad.py", **scripted(aiex.project, said)).stdout
    assert out.count("Facts by") == 1
    assert "no model" not in out


def test_doctor_finds_the_analyzers_working(aiex):
    """The check of the linter passes where the linter works."""
    run = aiex("doctor", "--json")
    states = {check["name"]: check for check in json.loads(run.stdout)}
    assert states["analyzers"]["state"] == "ok", states["analyzers"]


def test_nothing_to_explain_is_said_as_it_is(aiex):
    """An empty file is called empty, a broken one gets the line of its error."""
    for name, content, says in (
        ("empty.py", "", "empty.py is empty."),
        ("broken.py", "x = 1\ndef f(:\n", "cannot be parsed: Invalid syntax, line 2."),
        ("one.txt", "a line\n", "no Python code: 1 line of text."),
    ):
        (aiex.project / name).write_text(content)
        assert says in aiex("ai", "explain", name).stdout


def test_code_from_stdin_is_scored_as_the_file_it_is_called(aiex):
    """An editor that passes a buffer with `--stdin-filename` gets the issues of the file."""
    found = []
    for words, stdin in (
        (("bad.py",), ""),
        (("-", "--stdin-filename", "bad.py"), BAD),
        (("-",), BAD),
    ):
        out = aiex("ai", "analyze", *words, "--output", "json", stdin=stdin).stdout
        result = json.loads(out)
        assert result["kind"] == "file"
        found.append((result["quality_score"], [issue["rule"] for issue in result["issues"]]))
    assert "F401" in found[0][1]
    assert found[0] == found[1] == found[2]


def test_a_missing_file_among_several_loses_no_other(aiex):
    """The others are analyzed, the missing one is named, the exit code is 4."""
    run = aiex("ai", "analyze", "bad.py", "nowhere.py", "bad.py", "--output", "json")
    assert run.returncode == 4
    files = {file["path"]: file for file in json.loads(run.stdout)["files"]}
    assert files["bad.py"]["quality_score"] is not None
    assert "does not exist" in files["nowhere.py"]["error"]
    assert len(files) == len(json.loads(run.stdout)["files"]) == 2
