"""Opening and replacing files."""

import io
import os
import stat

import h5py
import numpy as np
import pytest

from kcore import saving
from kcore.engine import Sequential
from kcore.errors import ArgumentError, DamagedFileError, OverwriteError, SavedModelError
from kcore.layers import Dense
from kcore.models import load_model
from kcore.saving.files import reading, writing


@pytest.fixture
def model():
    return Sequential([Dense(4, input_shape=(3,)), Dense(2)])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.h5"


def test_every_kind_of_source_and_target(model, path):
    x = np.random.rand(2, 3)
    expected = model.predict(x)
    model.save(str(path))
    model.save(path)  # overwrites
    buffer = io.BytesIO()
    model.save(buffer)
    with h5py.File(path.with_name("groups.h5"), "w") as file:
        model.save(file.create_group("inside"))
    with (
        h5py.File(path.with_name("groups.h5"), "r") as groups,
        h5py.File(path, "r") as file,
        open(path, "rb") as opened,
    ):
        for source in (str(path), path, path.read_bytes(), buffer, groups["inside"], file, opened):
            np.testing.assert_array_equal(load_model(source).predict(x), expected)
        assert groups.id.valid  # what was open stays open


def test_a_failed_save_leaves_the_old_file(model, path, monkeypatch):
    model.save(path)
    before = path.read_bytes()
    monkeypatch.setattr("kcore.saving.model.write_weights", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.save(path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["model.h5"]


def test_the_file_is_complete_before_it_gets_its_name(model, path, monkeypatch):
    real = os.replace
    seen = []

    def replace(source, target):
        seen.append(load_model(source).get_weights()[0])
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    model.save(path)
    np.testing.assert_array_equal(seen[0], model.get_weights()[0])


def test_permissions_and_links_stay(model, path):
    path.write_bytes(b"old")
    path.chmod(0o640)
    link = path.with_name("link.h5")
    link.symlink_to(path)
    model.save(link)
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    load_model(path)


def test_overwriting_asks_where_it_is_told_to(model, path, monkeypatch, capsys):
    model.save(path, overwrite=False)  # there is nothing to overwrite
    before = path.read_bytes()
    answers = iter(["what?", "n"])
    monkeypatch.setattr("builtins.input", lambda prompt: next(answers))
    model.layers[0].set_weights([np.zeros((3, 4)), np.zeros(4)])
    model.save(path, overwrite=False)
    assert path.read_bytes() == before
    monkeypatch.setattr("builtins.input", lambda prompt: "y")
    model.save_weights(path, overwrite=False)
    assert path.read_bytes() != before
    assert "overwrite=True" in capsys.readouterr().out


def test_overwriting_where_nobody_can_answer(model, path, monkeypatch):
    model.save(path)
    before = path.read_bytes()
    monkeypatch.setattr("sys.stdin", io.StringIO())
    for save in (model.save, model.save_weights):
        with pytest.raises(OverwriteError, match=r"model.h5 already exists, and .* overwrite=True") as caught:
            save(path, overwrite=False)
        assert isinstance(caught.value, FileExistsError)
        assert isinstance(caught.value, EOFError)
        assert caught.value.path == str(path)
    assert path.read_bytes() == before


def test_targets_that_take_nothing(model, path):
    model.save(path)
    with h5py.File(path, "r") as file, pytest.raises(ArgumentError, match=r"model.h5 is open for reading only"):
        model.save(file)
    with open(path, "rb") as file, pytest.raises(ArgumentError, match="model.h5 does not take bytes: open it with"):
        model.save(file)
    with open(path.with_name("text"), "w") as file, pytest.raises(ArgumentError, match="mode 'wb'"):
        model.save_weights(file)
    for target in (None, 3, ["model.h5"]):
        with pytest.raises(ArgumentError, match="A path, an open h5py.File or Group, or a binary file object was"):
            model.save(target)
    with h5py.File(path.with_name("twice.h5"), "w") as file:
        model.save(file)
        model.save_weights(file.create_group("weights"))
        for group in (file, file["weights"]):
            with pytest.raises(ArgumentError, match="holds a model or weights already"):
                model.save(group)
        model.load_weights(file["weights"])


def test_a_read_only_folder(model, tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir()
    model.save(folder / "model.h5")
    folder.chmod(0o500)
    try:
        if os.access(folder, os.W_OK):
            pytest.skip("this user may write everywhere")
        with pytest.raises(PermissionError, match="nothing was changed") as caught:
            model.save(folder / "model.h5")
        assert caught.value.filename == str(folder / "model.h5")
        load_model(folder / "model.h5")
    finally:
        folder.chmod(0o700)


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(28, "No space left on device")])
def test_a_target_that_the_system_refuses(model, path, monkeypatch, error):
    model.save(path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(error))
    with pytest.raises(type(error), match="nothing was changed") as caught:
        model.save(path)
    assert caught.value.filename == str(path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["model.h5"]


def test_every_message_names_its_file(model, path):
    """Whatever form the file was given in."""
    model.save(path)
    other = Sequential([Dense(5, input_shape=(3,)), Dense(2)])
    deeper = Sequential([Dense(4, input_shape=(3,)), Dense(2), Dense(2)])
    with h5py.File(path, "r") as file, open(path, "rb") as opened:
        for source, name in (
            (path, str(path)),
            (str(path), str(path)),
            (file, str(path)),
            (file["model_weights"], f"{path} (group /model_weights)"),
            (opened, str(path)),
            (io.BytesIO(path.read_bytes()), "the file given as BytesIO"),
            (path.read_bytes(), f"the file given as {path.stat().st_size:,} bytes"),
        ):
            for load in (other.load_weights, deeper.load_weights):
                with pytest.raises(SavedModelError) as caught:
                    load(source)
                assert str(caught.value).startswith(name + ": ")
                assert caught.value.path == name
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = file.attrs["model_config"].replace('"Dense"', '"Dence"')
        del file.attrs["kcore_provenance"]
    for source, name in ((path, str(path)), (io.BytesIO(path.read_bytes()), "the file given as BytesIO")):
        with pytest.raises(ValueError, match="Unknown layer: 'Dence'") as caught:
            load_model(source)
        assert str(caught.value).startswith(name + ": ")


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "nothing.h5")
    with pytest.raises(OSError, match=r"\w"):
        Sequential([Dense(1, input_shape=(1,))]).save(tmp_path / "no_folder" / "model.h5")


def test_what_is_no_hdf5_file(tmp_path):
    path = tmp_path / "text.h5"
    path.write_text("no model")
    with pytest.raises(DamagedFileError, match=r"text.h5 cannot be read") as caught:
        load_model(path)
    assert isinstance(caught.value, OSError)
    assert isinstance(caught.value, ValueError)
    assert caught.value.path == str(path)
    with pytest.raises(ValueError, match="cannot be read"):
        load_model(b"")


def test_weights_files_are_no_models(model, path):
    model.save_weights(path)
    with pytest.raises(ValueError, match="No model found in the file.*load_weights"):
        load_model(path)
    with writing(path) as group:
        group.attrs["something"] = 1
    with pytest.raises(SavedModelError, match="no attribute 'layer_names'"):
        model.load_weights(path)


def test_truncated_at_every_kilobyte(model, path):
    model.compile("adam", "mse")
    model.save(path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 1024):
        path.write_bytes(whole[:length])
        with pytest.raises((ValueError, OSError)):
            load_model(path)


def test_flipped_bytes_end_in_an_error_or_a_model(model, path):
    model.save(path)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    random = np.random.RandomState(5)
    outcomes = {"model": 0, "error": 0}
    for _ in range(150):
        broken = whole.copy()
        broken[random.randint(0, len(whole), 4)] ^= random.randint(1, 256, 4).astype(np.uint8)
        try:
            outcomes["model"] += isinstance(load_model(broken.tobytes()), Sequential)
        except (ValueError, OSError):
            outcomes["error"] += 1
    assert sum(outcomes.values()) == 150
    assert outcomes["error"] > 0


def test_errors_inside_reading_keep_their_kind(path):
    with h5py.File(path, "w"):
        pass
    with pytest.raises(ZeroDivisionError), reading(path):
        1 / 0  # noqa: B018


def test_lazy_names():
    assert set(saving.__all__) <= set(dir(saving))
    for name in saving.__all__:
        assert callable(getattr(saving, name))
