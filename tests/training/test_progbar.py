"""The progress bar on a terminal, in a file, in a notebook."""

import io
import os
import re
from types import SimpleNamespace

import pytest

from kcore.engine import progbar
from kcore.engine.progbar import Progbar, format_value, redraws_in_place


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(progbar, "sys", SimpleNamespace(stdout=stream))
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((100, 24)))
    return stream


@pytest.fixture
def clock(monkeypatch):
    """Time that goes on as the test says."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(progbar, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    return clock


def screen(text):
    """What is seen after carriage returns."""
    lines = []
    for line in text.split("\n"):
        seen = ""
        for part in line.split("\r"):
            seen = part + seen[len(part) :]
        lines.append(seen.rstrip())
    return lines


def test_one_line_is_redrawn(terminal, clock):
    bar = Progbar(4)
    for i in range(4):
        clock.now += 1
        bar.update(i + 1, [("loss", float(i))])
    frames = terminal.getvalue().split("\r")
    assert len(frames) == 4
    assert frames[0] == "1/4 [======>.......................] - ETA: 3s - loss: 0.0000"
    assert frames[1].rstrip() == "2/4 [==============>...............] - ETA: 2s - loss: 0.5000"
    assert re.fullmatch(r"4/4 \[={30}\] - 4s 1s/step - loss: 1.5000 *\n", frames[3])
    assert len(screen(terminal.getvalue())) == 2


def test_a_shorter_line_leaves_nothing_behind(terminal, clock):
    bar = Progbar(100)
    bar.update(1)
    clock.now += 2
    bar.update(100)
    assert screen(terminal.getvalue()) == [f"100/100 [{'=' * 30}] - 2s 20ms/step", ""]


def test_no_more_than_one_redraw_an_interval(terminal, monkeypatch):
    monkeypatch.setattr(progbar, "time", SimpleNamespace(perf_counter=lambda: 1.0))
    bar = Progbar(1000, interval=0.05)
    for i in range(999):
        bar.update(i + 1, [("loss", 1.0)])
    assert len(terminal.getvalue().split("\r")) == 1
    bar.update(1000, [("loss", 1.0)])
    assert len(terminal.getvalue().split("\r")) == 2


def test_a_narrow_terminal(terminal, clock, monkeypatch):
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((40, 24)))
    bar = Progbar(10)
    clock.now += 1
    bar.update(5, [("loss", 1.0), ("acc", 0.5), ("val_acc", 0.25)])
    assert len(terminal.getvalue()) <= 39
    assert terminal.getvalue().startswith(" 5/10 [=>...] - ETA: 1s - loss: 1.0000")


def test_a_file_gets_the_finished_line_only(clock, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(progbar, "sys", SimpleNamespace(stdout=stream))
    bar = Progbar(3)
    bar.add(1, [("loss", 2.0)])
    bar.add(1, [("loss", 4.0)])
    assert stream.getvalue() == ""
    clock.now += 1
    bar.add(1, [("loss", 6.0)])
    assert stream.getvalue() == f"3/3 [{'=' * 30}] - 1s 333ms/step - loss: 4.0000\n"


def test_a_notebook_is_redrawn(monkeypatch):
    stdout = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})()
    assert redraws_in_place(stdout)
    assert not redraws_in_place(io.StringIO())
    assert not redraws_in_place(None)


def test_no_console_at_all(monkeypatch):
    monkeypatch.setattr(progbar, "sys", SimpleNamespace(stdout=None))
    Progbar(1).update(1)


def test_one_line_when_finished(capsys):
    bar = Progbar(2, verbose=2)
    bar.update(1, [("loss", 1.0)])
    bar.update(2, [("loss", 2.0)])
    assert capsys.readouterr().out == " - 0s - loss: 1.5000\n"


def test_silence(capsys):
    bar = Progbar(2, verbose=0)
    bar.update(2, [("loss", 1.0)])
    assert capsys.readouterr().out == ""
    assert bar.seen_so_far == 2


def test_unknown_target(terminal, clock):
    bar = Progbar(None)
    bar.update(5, [("loss", 1.0)])
    clock.now += 3
    bar.update(12, [("loss", 1.0)])
    bar.finish()
    assert screen(terminal.getvalue())[0] == "     12/Unknown - 3s 250ms/step - loss: 1.0000"


def test_averages_by_units_and_stateful_values(capsys):
    bar = Progbar(4, stateful_metrics=["count"])
    bar.update(1, [("loss", 1.0), ("count", 3)])
    bar.update(4, [("loss", 5.0), ("count", 8), ("note", "text")])
    assert capsys.readouterr().out.endswith("loss: 4.0000 - count: 8.0000 - note: text\n")


@pytest.mark.parametrize(
    ("value", "text"), [(1.5, "1.5000"), (0, "0.0000"), (2e-5, "2.0000e-05"), (-0.25, "-0.2500"), ("a", "a")]
)
def test_numbers(value, text):
    assert format_value(value) == text


@pytest.mark.parametrize(("seconds", "text"), [(5, "5s"), (75, "1:15"), (3725, "1:02:05")])
def test_time_left(seconds, text):
    assert progbar._clock(seconds) == text
