"""The file as the HDF5 library is given it: damage on which it would never return, and values read past it."""

import io
import struct

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcore.errors import DamagedFileError, SavedModelError
from kcore.saving.files import reading
from kcore.saving.groups import read_array, text_attribute
from kcore.saving.guarded import GuardedFile


def with_heap(**options):
    """The bytes of a file with a text in a global heap, and where the heap begins."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", **options) as file:
        file.attrs.create("config", "x" * 100, dtype=h5py.string_dtype())
        file["values"] = np.arange(6.0).reshape(2, 3)
    data = bytearray(buffer.getvalue())
    return data, data.index(b"GCOL\x01")


def objects(data, heap):
    """The places of the objects of a heap."""
    place, end = heap + 16, heap + struct.unpack_from("<Q", data, heap + 8)[0]
    while place + 16 <= end:
        yield place
        index, _, _, size = struct.unpack_from("<HHIQ", data, place)
        place += size if index == 0 else 16 + -(-size // 8) * 8


def read_config(source):
    with reading(source) as group:
        return text_attribute(group, "config")


def test_a_sound_heap(tmp_path):
    data, _ = with_heap()
    path = tmp_path / "sound.h5"
    path.write_bytes(data)
    with open(path, "rb") as file:
        for source in (path, str(path), bytes(data), data, io.BytesIO(data), file):
            assert read_config(source) == "x" * 100


@pytest.mark.parametrize(
    "size, why",
    [(0, "free space of no size"), (1 << 63, "beyond the end"), ((1 << 64) - 4096, "round the end of the numbers")],
)
@pytest.mark.parametrize("reserved", [b"\0\0\0", b"abc"])
def test_a_heap_without_end_is_refused(tmp_path, size, why, reserved):
    data, heap = with_heap()
    *_, last = objects(data, heap)
    assert struct.unpack_from("<H", data, last) == (0,)
    struct.pack_into("<Q", data, last + 8, size)
    data[heap + 5 : heap + 8] = reserved  # the library does not look at them
    path = tmp_path / "endless.h5"
    path.write_bytes(data)
    for source in (path, bytes(data)):
        with pytest.raises(SavedModelError, match=f"'config' of / is damaged: .* heap at byte {heap} do not end"):
            read_config(source)


def test_an_object_whose_length_overflows(tmp_path):
    data, heap = with_heap()
    first, *_ = objects(data, heap)
    struct.pack_into("<Q", data, first + 8, (1 << 64) - 16)  # 16 more are 0 in 64 bits
    with pytest.raises(SavedModelError, match="do not end"):
        read_config(bytes(data))


def test_a_heap_across_blocks():
    """A collection that begins at the end of one small read is seen."""
    data, heap = with_heap(userblock_size=512)
    *_, last = objects(data, heap)
    struct.pack_into("<Q", data, last + 8, 0)
    for cut in range(1, 5):
        file = GuardedFile(io.BytesIO(data))
        file.seek(heap - 10)
        file.readinto(bytearray(10 + cut))
        with pytest.raises(DamagedFileError, match="do not end"):
            for start in range(heap + cut, heap + 4096, 4096 - 7):
                file.seek(start)
                file.readinto(bytearray(4096 + 7))


def test_many_heaps_in_each_other_take_no_long_time():
    """A million collections that all reach to the end of the file."""
    count = 1 << 20
    one = b"GCOL\x01\0\0\0" + struct.pack("<Q", 0)
    data = bytearray(one * count)
    sizes = np.frombuffer(data, "<u8")[1::2]
    sizes[:] = np.arange(count, 0, -1, dtype="u8") * 16
    with pytest.raises(DamagedFileError, match="do not end"):
        GuardedFile(io.BytesIO(data)).read(len(data))


def test_lengths_of_other_sizes_are_refused(tmp_path):
    path = tmp_path / "short.h5"
    how = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    how.set_sizes(4, 4)
    h5py.h5f.create(str(path).encode(), h5py.h5f.ACC_TRUNC, how).close()
    with pytest.raises(DamagedFileError, match=r"short.h5 cannot be read: it keeps lengths in 4 bytes, and not in 8"):
        read_config(path)


def test_a_signature_among_values_is_a_value(tmp_path):
    data = np.frombuffer((b"GCOL\x01\0\0\0" + struct.pack("<Q", 4096) + bytes(4096)) * 4, np.uint8)
    path = tmp_path / "values.h5"
    with h5py.File(path, "w") as file:
        file["values"] = data
    for source in (path, path.read_bytes()):
        with reading(source) as group:
            np.testing.assert_array_equal(read_array(group, "values", 1 << 20), data)


class OnlyRead:
    """A file object that has no `readinto`, and gives little at a time."""

    def __init__(self, data):
        self.file = io.BytesIO(data)
        self.seek, self.tell = self.file.seek, self.file.tell

    def read(self, size=-1):
        return self.file.read(min(size, 100))


dtypes = st.sampled_from(["<f4", ">f4", "<f2", "<f8", ">f8", "i1", "<u2", ">i4", "<i8", "?"])
shapes = st.lists(st.integers(0, 5), max_size=3).map(tuple)


@settings(deadline=None, max_examples=60)
@given(dtype=dtypes, shape=shapes, layout=st.sampled_from(["plain", "chunked", "compressed", "compact", "empty"]),
       userblock=st.sampled_from([0, 512]))  # fmt: skip
def test_values_are_those_that_the_library_reads(dtype, shape, layout, userblock):
    value = (np.random.RandomState(0).randint(0, 100, shape)).astype(dtype)
    if layout in ("chunked", "compressed") and (not shape or 0 in shape):
        layout = "plain"
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", userblock_size=userblock) as file:
        if layout == "compact":
            how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            how.set_layout(h5py.h5d.COMPACT)
            h5py.h5d.create(file.id, b"a", h5py.h5t.py_create(value.dtype), h5py.h5s.create_simple(shape), how)
            file["a"][()] = value
        elif layout == "empty":  # never written: the library fills it in
            file.create_dataset("a", shape, dtype)
            value = np.zeros(shape, dtype)
        else:
            options = {"chunked": {"chunks": True}, "compressed": {"compression": "gzip"}}.get(layout, {})
            file.create_dataset("a", data=value, **options)
    for source in (buffer, OnlyRead(buffer.getvalue())):
        with reading(source) as group:
            found = read_array(group, "a", 1 << 20)
        assert found.dtype == value.dtype
        np.testing.assert_array_equal(found, value)


def test_types_of_odd_precision_are_converted_by_the_library(tmp_path):
    """NumPy has no type of 12 bits; h5py says int16, and the library knows which bits count."""
    path = tmp_path / "bits.h5"
    kind = h5py.h5t.STD_I16LE.copy()
    kind.set_precision(12)
    kind.set_offset(4)
    with h5py.File(path, "w") as file:
        dataset = h5py.h5d.create(file.id, b"a", kind, h5py.h5s.create_simple((3,)))
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([1, -2, 300], "i2"))
    with reading(path) as group:
        assert read_array(group, "a", 100).tolist() == [1, -2, 300]


def test_a_file_that_somebody_else_opened_is_read_by_the_library(tmp_path):
    """Also while another one is being read here: offsets are of the right file."""
    one, other = tmp_path / "one.h5", tmp_path / "other.h5"
    for path, value in ((one, 1.0), (other, 2.0)):
        with h5py.File(path, "w") as file:
            file["a"] = np.full(4, value)
    with reading(one) as first, h5py.File(other, "r") as opened:
        with reading(opened) as second:
            assert read_array(second, "a", 100).tolist() == [2.0] * 4
        assert read_array(first, "a", 100).tolist() == [1.0] * 4


def test_values_beyond_the_end(tmp_path):
    path = tmp_path / "cut.h5"
    with h5py.File(path, "w") as file:
        file["a"] = np.zeros(1000)
    with reading(path) as group:
        with open(path, "r+b") as file:
            file.truncate(4000)
        with pytest.raises(DamagedFileError, match="it ends at byte"):
            read_array(group, "a", 1 << 20)


@pytest.mark.parametrize("source", [None, 3, ["model.h5"]])
def test_what_is_no_source(source):
    with pytest.raises(ValueError, match=r"A path, an open h5py.File .* was expected, but got"), reading(source):
        pass


@pytest.mark.parametrize("place", [10, 95, 100, 1 << 40, (1 << 64) - 1])
def test_reads_beyond_the_end(tmp_path, place):
    path = tmp_path / "short"
    path.write_bytes(bytes(100))
    with open(path, "rb", buffering=0) as raw:
        for file in (GuardedFile(raw), GuardedFile(io.BytesIO(bytes(100)))):
            file.seek(place)
            with pytest.raises(DamagedFileError, match="it ends at byte 100"):
                file.readinto(bytearray(91))
