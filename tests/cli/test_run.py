"""`kcore run` and `kcore.compat`: scripts in plain Keras 2 style, with no change to them."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

import kcore.compat
from kcore.errors import CompatError

SCRIPT = """\
'''An MLP on made-up data.'''
from __future__ import print_function

import sys
import keras
import numpy as np
from keras import backend as K
from keras.models import Sequential
from keras.layers import Dense, Dropout
from keras.layers.core import Activation
from keras.engine.topology import Layer
from keras.optimizers import RMSprop
from keras.utils import np_utils, to_categorical
from keras.utils.generic_utils import Progbar
import keras.layers.recurrent
import keras.preprocessing

assert keras.__version__ == '2.1.6', keras.__version__
assert keras.layers.Dense is Dense and keras.backend is K
assert np_utils.to_categorical is to_categorical is keras.utils.to_categorical

class Scale(Layer):
    def build(self, input_shape):
        self.scale = self.add_weight(name='scale', shape=(input_shape[-1],), initializer='ones')
        super(Scale, self).build(input_shape)
    def call(self, x):
        return x * self.scale

np.random.seed(1337)
x = np.random.random((200, 10))
y = keras.utils.to_categorical((x[:, :2].sum(axis=1) > 1).astype('int'), 2)
model = Sequential()
model.add(Dense(16, activation='relu', input_shape=(10,)))
model.add(Scale())
model.add(Dropout(0.1))
model.add(Dense(2))
model.add(Activation('softmax'))
model.compile(loss='categorical_crossentropy', optimizer=RMSprop(lr=0.01), metrics=['accuracy'])
history = model.fit(x, y, batch_size=32, epochs=40, verbose=0, validation_data=(x, y))
score = model.evaluate(x, y, verbose=0)
print('Test accuracy:', score[1])
print('argv', sys.argv[1:], __name__)
assert score[1] > 0.9
"""


def run(*words, folder, code=0):
    result = subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == code, result.stdout + result.stderr
    return result


@pytest.mark.parametrize("how", [["-m", "kcore", "run"], ["-m", "kcore.compat"]])
def test_a_script(tmp_path, how):
    (tmp_path / "mlp.py").write_text(SCRIPT)
    result = run(*how, "mlp.py", "--epochs", "3", "-v", folder=tmp_path)
    assert "argv ['--epochs', '3', '-v'] __main__" in result.stdout and result.stderr == ""


def test_what_a_script_raises_is_shown_as_python_shows_it(tmp_path):
    (tmp_path / "wrong.py").write_text("from keras.layers import Dense\n\nDense(2)('text')\n")
    result = run("-m", "kcore", "run", "wrong.py", folder=tmp_path, code=1)
    lines = result.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):" and 'wrong.py", line 3, in <module>' in lines[1]
    (tmp_path / "exit.py").write_text("import sys; sys.exit(7)\n")
    run("-m", "kcore", "run", "exit.py", folder=tmp_path, code=7)
    assert "there is no file" in run("-m", "kcore", "run", "nothing.py", folder=tmp_path, code=2).stderr


def test_modules_beside_the_script_and_processes_it_spawns(tmp_path):
    (tmp_path / "helper.py").write_text("from keras.layers import Dense\nUNITS = Dense(3).units\n")
    (tmp_path / "spawns.py").write_text(
        textwrap.dedent("""\
        import multiprocessing
        import keras
        from keras.utils import Sequence
        from helper import UNITS

        class Data(Sequence):
            def __len__(self):
                return UNITS
            def __getitem__(self, index):
                return keras.utils.to_categorical([index], 3)

        if __name__ == '__main__':
            with multiprocessing.get_context('spawn').Pool(1) as pool:
                print(pool.map(Data().__getitem__, range(2))[1].tolist())
                pool.close()
                pool.join()
        """)
    )
    assert "[[0.0, 1.0, 0.0]]" in run("-m", "kcore", "run", "spawns.py", folder=tmp_path).stdout


def test_an_installed_keras_is_not_touched(tmp_path):
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras" / "__init__.py").write_text("name = 'the other'\n")
    (tmp_path / "asks.py").write_text("import keras\nprint(getattr(keras, 'name', 'kcore'))\n")
    assert run("-m", "kcore", "run", "asks.py", folder=tmp_path).stdout == "kcore\n"
    assert run("asks.py", folder=tmp_path).stdout == "the other\n"
    (tmp_path / "late.py").write_text("import keras, kcore.compat\nkcore.compat.install()\n")
    assert "call kcore.compat.install() before" in run("late.py", folder=tmp_path, code=1).stderr


@pytest.fixture
def installed():
    kcore.compat.install()
    yield
    kcore.compat.uninstall()
    assert not [name for name in sys.modules if name.partition(".")[0] == "keras"]


def test_install_in_a_program(installed):
    import keras.layers.core
    from keras.models import Model

    import kcore.layers.core
    import kcore.models

    kcore.compat.install()  # again: no harm
    assert keras.layers.core is kcore.layers.core and Model is kcore.models.Model
    assert "layers" in dir(keras) and keras.Sequential is kcore.models.Sequential
    with pytest.raises(ModuleNotFoundError, match="cannot import name 'nothing' from 'keras'"):
        import keras.nothing
    with pytest.raises(ImportError, match="from 'kcore.models'.*Did you mean 'Sequential'"):
        from keras.models import Sequental  # noqa: F401
    with pytest.raises(ImportError, match="Unknown layer: 'Dance'"):
        from keras.layers import Dance  # noqa: F401
    with pytest.raises(AttributeError):
        keras.nothing  # noqa: B018


def test_uninstall(monkeypatch):
    kcore.compat.install()
    kcore.compat.uninstall()
    assert not any("shim" in folder for folder in sys.path)
    monkeypatch.setitem(sys.modules, "keras", type(sys)("keras"))
    with pytest.raises(CompatError, match="Keras itself is imported already"):
        kcore.compat.install()
