"""What only the embedded store has to bear: its file of vectors, torn, cut, filled with dead rows, or not needed."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ragcli.documents import Document
from ragcli.errors import IndexMismatchError
from ragcli.store import LOCAL, Counts, DocumentUpdate, IndexLocation, open_store
from ragcli.store_local import _SPARE_ROWS
from tests.support import ROOT, environment
from tests.test_store_contract import document, remove
from tests.test_store_vectors import CONFIG, DIMENSION, direction, encoded, found, keys_of, put

HEADER, ROW = 64, 8 + 4 * DIMENSION  # bytes


@pytest.fixture
def location(tmp_path: Path) -> IndexLocation:
    """Name an index that is not there yet."""
    return IndexLocation(LOCAL, "vectors", tmp_path)


@pytest.fixture
def file(location: IndexLocation) -> Path:
    """Name the file of its vectors."""
    return location.home / "indexes" / location.name / "vectors.bin"


def texts(count: int, word: str = "Text") -> list[Document]:
    """Make documents of one passage each."""
    return [document(f"{i:05}", f"{word} {i}.") for i in range(count)]


def check(location: IndexLocation, documents: Sequence[Document]) -> None:
    """Check that an index holds just these, and that each is found by its vector."""
    with open_store(location) as store:
        assert store.counts() == Counts(len(documents), len(documents))
        for one in documents[:: max(1, len(documents) // 10)]:
            [hit] = store.nearest(direction(keys_of(one)[0]), 1)
            assert (hit.id, round(hit.score, 5)) == (one.id, 1)


def test_vectors_are_there_again(location: IndexLocation, file: Path) -> None:
    for number in range(3):
        with open_store(location, CONFIG) as store:
            put(store, *texts(10 * number + 10))
        check(location, texts(10 * number + 10))
    assert file.stat().st_size == HEADER + 30 * ROW  # each once, however often it was written


def test_a_text_that_is_there_twice_has_one_row(location: IndexLocation, file: Path) -> None:
    with open_store(location, CONFIG) as store:
        put(store, document("a"), document("b"))
        put(store, document("c"))
        assert found(store, direction(keys_of(document("a"))[0]), 5) == [("a", 0), ("b", 0), ("c", 0)]
    assert file.stat().st_size == HEADER + ROW


@pytest.mark.parametrize("torn", [1, 8, ROW - 1, ROW, ROW + 1, 3 * ROW])
@pytest.mark.parametrize("fill", [b"\x00", b"\xff"])
def test_a_torn_last_row_is_nothing(location: IndexLocation, file: Path, torn: int, fill: bytes) -> None:
    """After a power cut there may be part of a row, or rows of zeros or noise, after those that were committed."""
    with open_store(location, CONFIG) as store:
        put(store, *texts(10))
    with file.open("ab") as target:
        target.write(fill * torn)
    check(location, texts(10))
    with open_store(location, CONFIG) as store:
        put(store, *texts(20))
    check(location, texts(20))
    assert file.stat().st_size == HEADER + 20 * ROW


@pytest.mark.parametrize("left", [0, 10, HEADER, HEADER + 1, HEADER + 9 * ROW, HEADER + 10 * ROW - 1])
def test_a_file_cut_below_its_committed_rows_is_told(location: IndexLocation, file: Path, left: int) -> None:
    with open_store(location, CONFIG) as store:
        put(store, *texts(10))
    with file.open("rb+") as target:
        target.truncate(left)
    with open_store(location) as store:
        for ask in (
            lambda: store.nearest(direction(0), 5),
            lambda: store.vectors([1]),
            lambda: store.sample(5),
            lambda: store.write([encoded(document("new"))]),
        ):
            with pytest.raises(IndexMismatchError, match="index vectors cannot be read") as error:
                ask()
            assert "--rebuild" in error.value.hint


def test_a_file_of_another_dimension_or_kind_is_told(location: IndexLocation, file: Path) -> None:
    with open_store(location, CONFIG) as store:
        put(store, *texts(10))
    content = file.read_bytes()
    for wrong in (b"x" + content[1:], content[:8] + b"\x11" + content[9:], content[:HEADER] + b"\xff" * 10 * ROW):
        file.write_bytes(wrong)
        with open_store(location) as store, pytest.raises(IndexMismatchError, match="cannot be read"):
            store.nearest(direction(0), 5)


def test_a_lost_file_is_told(location: IndexLocation, file: Path) -> None:
    with open_store(location, CONFIG) as store:
        put(store, *texts(10))
    file.unlink()
    with open_store(location) as store, pytest.raises(IndexMismatchError, match="cannot be read"):
        store.nearest(direction(0), 5)


def test_dead_rows_go_when_they_prevail(location: IndexLocation, file: Path) -> None:
    alive, gone = texts(100), _SPARE_ROWS + 200
    with open_store(location, CONFIG) as store:
        put(store, *alive, *(document(f"x{i}", f"Gone {i}.") for i in range(gone)))
        remove(store, *(f"x{i}" for i in range(gone - 100)))
        assert file.stat().st_size == HEADER + (100 + gone) * ROW  # they do not yet
        remove(store, *(f"x{i}" for i in range(gone)))
        assert file.stat().st_size == HEADER + 100 * ROW
        assert set(store.vectors(keys_of(*alive))) == set(keys_of(*alive))
        put(store, document("new", "A new one."))
    check(location, [*alive, document("new", "A new one.")])


def test_a_reader_keeps_what_it_has_opened(location: IndexLocation) -> None:
    documents = texts(10)
    with open_store(location, CONFIG) as store:
        put(store, *documents)
        with open_store(location) as reader:
            before = found(reader, direction(0), 10)
            put(store, *(document(f"x{i}", f"Gone {i}.") for i in range(2 * _SPARE_ROWS)))
            remove(store, *(f"x{i}" for i in range(2 * _SPARE_ROWS)), "00000")
            assert found(reader, direction(0), 10) == before
    check(location, documents[1:])


def test_words_are_searched_without_numpy(location: IndexLocation) -> None:
    with open_store(location, CONFIG) as store:
        put(store, document("a", "apples"))
    program = f"""
import sys
from pathlib import Path
from random import Random
from ragcli.store import IndexLocation, QueryClause, open_store
with open_store(IndexLocation("local", "vectors", Path({str(location.home)!r}))) as store:
    assert [hit.id for hit in store.search([QueryClause("apples")], 5)] == ["a"]
    assert store.passages("a") and store.frequencies(["apples"]) == [1] and store.counts().passages == 1
    assert "numpy" not in sys.modules
    store.sample(1)
    assert "numpy" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], env=environment({}), check=True)


def test_a_refused_vector_leaves_the_index_as_it_was(location: IndexLocation) -> None:
    with open_store(location, CONFIG) as store:
        put(store, *texts(10))
        bad = encoded(document("bad"))._replace(vectors=np.full((1, DIMENSION), np.nan, np.float32))
        updates: list[DocumentUpdate] = [encoded(document("good", "A good one.")), bad]
        with pytest.raises(Exception, match="NaN"):
            store.write(updates)
    check(location, texts(10))


# Killed

# Writes documents with vectors for ever, with a commit for every hundredth, and tells the number of each.
ENDLESS = """
import sys
from itertools import count
from pathlib import Path
from random import Random
from ragcli import store_local
from ragcli.store import IndexLocation, open_store
from tests.test_store_contract import document
from tests.test_store_vectors import CONFIG, encoded
def changes():
    for i in count():
        print(i, flush=True)
        yield encoded(document(str(i), f"Text {i}."))
store_local._COMMIT_EVERY = 100
with open_store(IndexLocation("local", "vectors", Path(sys.argv[1])), CONFIG) as store:
    store.write(changes())
"""


@pytest.mark.parametrize("last", [50, 101, 250])
def test_the_vectors_of_a_killed_run_are_known_to_the_next(tmp_path: Path, last: int) -> None:
    """Killed before the first commit, just after it, or later."""
    with subprocess.Popen([sys.executable, "-c", ENDLESS, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout
        while int(process.stdout.readline()) < last:
            pass
        process.kill()
        written = max([last, *map(int, process.stdout.read().split())])
    documents = [document(str(i), f"Text {i}.") for i in range(written + 100)]
    keys = keys_of(*documents)
    with open_store(IndexLocation("local", "vectors", tmp_path)) as store:
        assert store.counts().documents in range(last // 100 * 100, written + 1, 100)
        assert set(keys[:last]) <= set(store.vectors(keys)) <= set(keys[: written + 1])
        put(store, *documents)
        assert set(store.vectors(keys)) == set(keys)
        for number in (0, last, written + 99):
            [hit] = store.nearest(direction(keys[number]), 1)
            assert (hit.id, round(hit.score, 5)) == (str(number), 1)
    rows = (tmp_path / "indexes" / "vectors" / "vectors.bin").stat().st_size - 64
    assert rows == len(documents) * (8 + 4 * DIMENSION)  # each once: none was written again
