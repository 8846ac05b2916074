"""What a killed server leaves half written does not count later."""

from pathlib import Path

import pytest

from routing.model import Customer
from rules_store import ABSENT, RulesStore, StoreConnection, StoreSettings
from rules_store.append_file import mend

MULTI = b"*1\r\n$5\r\nMULTI\r\n"
EXEC = b"*1\r\n$4\r\nEXEC\r\n"
COUNT = b"*3\r\n$6\r\nINCRBY\r\n$3\r\nseq\r\n$1\r\n1\r\n"
STORE = b"*4\r\n$4\r\nHSET\r\n$1\r\nh\r\n$1\r\na\r\n$6\r\n\r\n$1\r\n\r\n"
WHOLE = MULTI + COUNT + STORE + EXEC


def file_with(folder: Path, content: bytes) -> Path:
    path = folder / "appendonlydir" / "appendonly.aof.1.incr.aof"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("before", [b"", COUNT, WHOLE, WHOLE + COUNT, b"#TS:1700000000\r\n" + WHOLE])
def test_every_cut_through_a_transaction_leaves_what_was_before(tmp_path: Path, before: bytes) -> None:
    unfinished = MULTI + COUNT + STORE + EXEC
    for end in range(len(MULTI), len(unfinished)):
        path = file_with(tmp_path, before + unfinished[:end])
        assert mend(tmp_path) == end
        assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"", WHOLE, WHOLE + WHOLE, WHOLE + COUNT, WHOLE + COUNT[:-5], WHOLE + MULTI[:-3], b"not a command\r\n" + MULTI]
)
def test_whole_and_foreign_files_are_left_alone(tmp_path: Path, content: bytes) -> None:
    path = file_with(tmp_path, content)
    assert mend(tmp_path) == 0
    assert path.read_bytes() == content


def test_no_file_is_no_fault(tmp_path: Path) -> None:
    assert mend(tmp_path) == 0


async def test_a_half_written_script_does_not_count_after_two_restarts(settings: StoreSettings) -> None:
    async with StoreConnection(settings) as connection:
        await RulesStore(connection).put(Customer(id="C1", name="first"), ABSENT)
        assert connection.server is not None
        folder = connection.server.files.directory
    newest = max((folder / "appendonlydir").glob("*.incr.aof"), key=lambda path: path.stat().st_mtime)
    with newest.open("ab") as file:
        file.write(MULTI + b"*3\r\n$6\r\nINCRBY\r\n$7\r\n{r}:seq\r\n$1\r\n1\r\n" + STORE[:-4])
    for expected in (2, 3):
        async with StoreConnection(settings) as connection:
            store = RulesStore(connection)
            await store.put(Customer(id=f"C{expected}", name="next"), ABSENT)
            assert await store.sequence() == expected
