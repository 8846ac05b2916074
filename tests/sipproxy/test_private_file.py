"""What is exported is for one pair of eyes, and whole or not there."""

import os
import stat
import threading
from pathlib import Path

import pytest

from sipproxy.errors import SipproxyError
from sipproxy.private_file import private_file


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_private_also_where_an_open_one_stands(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("for all to read", "utf-8")
    path.chmod(0o644)
    with private_file(path) as file:
        file.write(b"secret")
    assert (path.read_bytes(), mode(path)) == (b"secret", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_bytes(b"before")

    def half() -> None:
        with private_file(path) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_pipe_stays_a_pipe(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    with private_file(pipe) as file:
        file.write(b"through")
    reader.join(5)
    assert read == [b"through"]
    assert pipe.is_fifo()


def test_a_link_is_followed(tmp_path: Path) -> None:
    link, target = tmp_path / "link", tmp_path / "target"
    link.symlink_to(target)
    with private_file(link) as file:
        file.write(b"x")
    assert link.is_symlink()
    assert (target.read_bytes(), mode(target)) == (b"x", 0o600)


def test_a_place_that_is_not_there_is_named(tmp_path: Path) -> None:
    def write() -> None:
        with private_file(tmp_path / "no" / "file"):
            pass

    with pytest.raises(SipproxyError, match="No such file"):
        write()
