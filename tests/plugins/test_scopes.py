"""Custom objects: an ordinary dictionary, per thread and task."""

from __future__ import annotations

import asyncio
import threading

import pytest

from kcore.plugins.scopes import CustomObjectScope, custom_object_scope, get_custom_objects


@pytest.fixture(autouse=True)
def nothing_left():
    before = dict(get_custom_objects())
    yield
    assert get_custom_objects() == before


def test_scopes_nest_and_what_was_changed_inside_is_undone():
    get_custom_objects()["a"] = 0
    with CustomObjectScope({"a": 1}, {"b": 2}):
        assert (get_custom_objects()["a"], get_custom_objects()["b"]) == (1, 2)
        get_custom_objects()["c"] = 3
        with custom_object_scope({"a": 4}):
            assert get_custom_objects() == {"a": 4, "b": 2, "c": 3}
            get_custom_objects().clear()
        assert get_custom_objects() == {"a": 1, "b": 2, "c": 3}
    assert get_custom_objects() == {"a": 0}
    del get_custom_objects()["a"]


def test_an_exception_leaves_the_scope():
    with pytest.raises(ZeroDivisionError), CustomObjectScope({"a": 1}):
        1 / 0  # noqa: B018
    assert "a" not in get_custom_objects()


def test_one_scope_can_be_entered_again():
    scope = CustomObjectScope({"a": 1})
    with scope, scope:
        assert get_custom_objects() == {"a": 1}
    with scope:
        assert get_custom_objects() == {"a": 1}


def test_scopes_are_per_thread():
    seen = []
    with CustomObjectScope({"a": 1}):
        thread = threading.Thread(target=lambda: seen.append("a" in get_custom_objects()))
        thread.start()
        thread.join()
    assert seen == [False]


def test_scopes_are_per_task():
    async def look(value, other):
        with CustomObjectScope({"a": value}):
            other.set()
            await asyncio.sleep(0.001)
            return get_custom_objects()["a"]

    async def both():
        event = asyncio.Event()
        return await asyncio.gather(*(look(value, event) for value in range(10)))

    assert asyncio.run(both()) == list(range(10))


def test_global_objects_are_seen_by_other_threads():
    get_custom_objects()["everywhere"] = 1
    seen = []
    thread = threading.Thread(target=lambda: seen.append(dict(get_custom_objects())))
    thread.start()
    thread.join()
    del get_custom_objects()["everywhere"]
    assert seen == [{"everywhere": 1}]
