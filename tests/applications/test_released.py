"""The files that the applications ask for are those that the original asks for; see `golden/make_released.py`."""

import json
from pathlib import Path

import pytest

from kcore import applications
from kcore import backend as K
from kcore.applications.imagenet_utils import weights

RELEASED = json.loads((Path(__file__).parent / "golden" / "released.json").read_text(encoding="utf-8"))

pytestmark = pytest.mark.slow


class Asked(Exception):
    """Ends the call where it would fetch its weights."""


@pytest.mark.parametrize("key", RELEASED)
def test_address_name_and_hash(key, monkeypatch):
    def cached_file(name, origin, file_hash, cache_subdir):
        assert cache_subdir == "models"
        raise Asked(origin, name, file_hash)

    monkeypatch.setattr(weights, "cached_file", cached_file)
    name, *variant, part = key.split("/")
    options = {"input_shape": (int(variant[0]),) * 2 + (3,), "alpha": float(variant[1])} if variant else {}
    K.clear_session()
    with pytest.raises(Asked) as asked:
        getattr(applications, name)(include_top=part == "top", **options)
    assert list(asked.value.args) == RELEASED[key]
