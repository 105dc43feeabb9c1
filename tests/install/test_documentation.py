"""What README.md, docs/ and the plugins' READMEs print works as printed."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import kcore

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PLUGINS = sorted((ROOT / "plugins").glob("*/README.md")) + sorted((ROOT / "plugins").glob("*/*/README.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")), *PLUGINS]


def section(title):
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", README, re.DOTALL | re.MULTILINE)[1]


def blocks(text, *languages):
    """The blocks of code of a page, or of a part of one."""
    return re.findall(rf"^```(?:{'|'.join(languages)})\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def write_files(text, folder):
    """Each block whose first line is the comment `# path/of/file`, as that file."""
    for block in blocks(text, "toml", "python"):
        path = folder / re.match(r"# (\S+\.\S+)\n", block)[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block, encoding="utf-8")


def run(command, folder):
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=240)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def install_project(fresh, project, *needed):
    """A project that a page shows, with what it needs of ours, in a fresh environment."""
    from hatchling.builders.wheel import WheelBuilder

    (wheel,) = list(WheelBuilder(str(project)).build(directory=str(project / "dist"), versions=["standard"]))
    fresh.install(*needed, wheel)


@pytest.mark.slow
def test_the_example(tmp_path):
    (code,) = blocks(section("30 seconds"), "python")
    (tmp_path / "example.py").write_text(code)
    output = run([sys.executable, "-W", "error", "example.py"], tmp_path)
    assert float(re.search(r"test accuracy ([\d.]+)%", output)[1]) >= 95


@pytest.mark.slow
def test_the_smallest_plugin(fresh, tmp_path):
    write_files(section("Writing a plugin"), tmp_path)
    install_project(fresh, tmp_path, "kcore-layers-core", "kcore-losses", "kcore-optimizers", "kcore-metrics")
    output = run([fresh.executable, "-I", "-W", "error", "try_it.py"], tmp_path)
    assert "'frequency': 2.0" in output
    assert "snake-layer 1.0 (third-party)" in fresh.kcore("plugins", "show", "Snake").stdout


@pytest.mark.slow
def test_the_plugin_with_an_object_of_each_kind(fresh, tmp_path):
    write_files((ROOT / "docs/plugins.md").read_text(encoding="utf-8"), tmp_path)
    install_project(fresh, tmp_path, "kcore[all]")
    output = run([fresh.executable, "-I", "-W", "error", "try_it.py"], tmp_path)
    assert re.fullmatch(r"[\d.]+ seconds\n\{'lr': 0\.001\d*\}\n", output), output
    checked = fresh.kcore("plugins", "check", "--distribution", "shore")
    assert checked.stdout == "7 of 7 names can be used\n", checked.stdout
    for test in ("test_scale", "test_pinball", "test_cube_root"):
        fresh.python(f"import sys; sys.path.insert(0, {str(tmp_path / 'tests')!r}); import test_shore as t; t.{test}()")
    strict = "from kcore import backend as K; K.eval(K.log(K.variable([-1.0])))"
    told = subprocess.run(
        [fresh.executable, "-I", "-c", f"import os; os.environ['KCORE_BACKEND'] = 'strict'; {strict}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "FloatingPointError" in told.stderr


@pytest.mark.slow
def test_a_script_of_keras(tmp_path):
    write_files((ROOT / "docs/from-keras.md").read_text(encoding="utf-8"), tmp_path)
    program = "import sys; from kcore.cli import main; sys.exit(main(['run', 'before.py']))"
    assert run([sys.executable, "-W", "error", "-c", program], tmp_path) == "2.1.6 (3, 3)\n"


def is_whole(code):
    """Whether a block reads no name before it makes it; else it is a part of a program, and cannot be run."""
    made = set(vars(builtins))
    for statement in ast.parse(code).body:
        new, read, inside = set(), set(), set()
        for node in ast.walk(statement):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                new |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
            elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                new.add(node.name)
            elif isinstance(node, ast.arg):
                inside.add(node.arg)
            elif isinstance(node, ast.Name):
                (read if isinstance(node.ctx, ast.Load) else new).add(node.id)
        local = inside | new if isinstance(statement, (ast.FunctionDef, ast.ClassDef)) else inside
        if read - made - local:
            return False
        made |= new
    return True


FETCHES = re.compile(r"load_data\(|get_word_index\(|imagenet|\.fit\(")


@pytest.mark.parametrize("page", PLUGINS, ids=lambda page: page.parent.relative_to(ROOT / "plugins").as_posix())
def test_the_examples_of_a_plugin(page):
    """Whole examples are run, unless they download or train; of all others, what they import is there."""
    for code in blocks(page.read_text(encoding="utf-8"), "python"):
        whole = is_whole(code) and not FETCHES.search(code)
        imports = [node for node in ast.parse(code).body if isinstance(node, (ast.Import, ast.ImportFrom))]
        exec(compile(code if whole else ast.unparse(imports), page, "exec"), {})  # an example of our own


def test_the_settings_are_all_known(tmp_path, monkeypatch):
    (text,) = blocks(section("What is installed, and what is missing"), "json")
    (tmp_path / "kcore.json").write_text(text)
    monkeypatch.setenv("KCORE_HOME", str(tmp_path))
    assert kcore.config.reload().plugins.pins == {"layers:Attention": "their-attention"}
    monkeypatch.undo()
    kcore.config.reload()


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_the_commands_are_in_the_makefile(page):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = re.findall(r"^make (\w+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert commands
    for command in commands:
        assert re.search(rf"^{command}:", makefile, re.MULTILINE)


def test_the_extras_and_commands_are_there():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for extras in re.findall(r"kcore\[([\w,]+)\]", text):
            assert set(extras.split(",")) <= set(project["optional-dependencies"]), page
        for command in re.findall(r"^kcore (\w+)", "".join(blocks(text, "sh")), re.MULTILINE):
            assert importlib.util.find_spec(f"kcore.cli.{command}"), page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^):#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert os.path.exists(page.parent / link), link
