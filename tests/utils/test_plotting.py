"""Pictures of models: boxes and arrows, and what is said where they cannot be drawn."""

import shutil
import sys

import pytest

from kcore.layers import LSTM, Bidirectional, Dense, Input, TimeDistributed, concatenate
from kcore.models import Model, Sequential
from kcore.utils import model_to_dot, plot_model
from kcore.utils.vis_utils import plot_model as old_path

pydot = pytest.importorskip("pydot")
needs_graphviz = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")


@pytest.fixture
def model():
    encoder = Sequential([Dense(4, input_shape=(3,), name="narrow"), Dense(2, name="code")], name="encoder")
    a, b = Input((3,), name="a"), Input((3,), name="b")
    joined = concatenate([encoder(a), encoder(b)], name="joined")
    return Model([a, b], Dense(1, name="out")(joined))


def boxes(dot):
    return {node.get_name(): node.get_label().strip('"') for node in dot.get_nodes() if node.get_label()}


def arrows(dot):
    names = boxes(dot)
    return sorted((names[e.get_source()], names[e.get_destination()]) for e in dot.get_edges())


def test_boxes_and_arrows(model):
    dot = model_to_dot(model)
    assert sorted(boxes(dot).values()) == [
        "a: InputLayer",
        "b: InputLayer",
        "encoder: Sequential",
        "joined: Concatenate",
        "out: Dense",
    ]
    assert arrows(dot) == [
        ("a: InputLayer", "encoder: Sequential"),
        ("b: InputLayer", "encoder: Sequential"),
        ("encoder: Sequential", "joined: Concatenate"),
        ("joined: Concatenate", "out: Dense"),
    ]
    assert dot.get_rankdir() == "TB" and model_to_dot(model, rankdir="LR").get_rankdir() == "LR"
    assert old_path is plot_model


def test_shapes_and_names(model):
    labels = boxes(model_to_dot(model, show_shapes=True, show_layer_names=False)).values()
    assert "Dense|{input:|output:}|{{(None, 4)}|{(None, 1)}}" in labels
    assert "Concatenate|{input:|output:}|{{[(None, 2), (None, 2)]}|{(None, 4)}}" in labels


def test_wrappers_say_what_is_inside():
    model = Sequential([TimeDistributed(Dense(2, name="d"), input_shape=(3, 4), name="t")])
    model.add(Bidirectional(LSTM(2, name="l"), name="b"))
    assert sorted(boxes(model_to_dot(model)).values()) == [
        "b(l): Bidirectional(LSTM)",
        "t(d): TimeDistributed(Dense)",
    ]
    assert len(arrows(model_to_dot(model))) == 1


def test_a_model_inside_is_drawn_in_a_frame(model):
    dot = model_to_dot(model, expand_nested=True)
    (frame,) = dot.get_subgraphs()
    assert sorted(boxes(frame).values()) == ["code: Dense", "narrow: Dense"]
    inside = boxes(frame)
    names = {**boxes(dot), **inside}
    ends = sorted((names[e.get_source()], names[e.get_destination()]) for e in dot.get_edges())
    assert ends == [
        ("a: InputLayer", "narrow: Dense"),
        ("b: InputLayer", "narrow: Dense"),
        ("code: Dense", "joined: Concatenate"),
        ("joined: Concatenate", "out: Dense"),
    ]


@needs_graphviz
@pytest.mark.parametrize(
    ("name", "start"), [("m.png", b"\x89PNG"), ("m.svg", b"<?xml"), ("m.pdf", b"%PDF"), ("m", b"\x89PNG")]
)
def test_files(model, tmp_path, name, start):
    plot_model(model, tmp_path / name, show_shapes=True, expand_nested=True)
    assert (tmp_path / name).read_bytes().startswith(start)


def test_without_graphviz(model, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match="apt install graphviz"):
        plot_model(model, tmp_path / "m.png")
    plot_model(model, tmp_path / "m.dot")
    assert "encoder: Sequential" in (tmp_path / "m.dot").read_text()


def test_without_pydot(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydot", None)
    with pytest.raises(ImportError, match=r"pip install \"kcore\[plot\]\""):
        plot_model(model, tmp_path / "m.png")


def test_wrong_arguments(model):
    with pytest.raises(ValueError, match="Expected a model"):
        model_to_dot(model.layers[0])
    with pytest.raises(ValueError, match="rankdir"):
        model_to_dot(model, rankdir="up")
