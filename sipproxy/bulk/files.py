"""The files of an import or export: a directory, a zip archive, or one file. Nothing here knows what is in them."""

import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from sipproxy.errors import SipproxyError
from sipproxy.private_file import private_file

MAX_BYTES: Final = 1024 * 1024 * 1024
"""All files of an import together, unpacked: a domain of a million numbers has about 150 MB."""
Form = Literal["tables", "lines", "document"]
_FORMS: Final[Mapping[str, Form]] = {
    ".csv": "tables",
    ".txt": "tables",
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".json": "document",
    ".yaml": "document",
    ".yml": "document",
}
_WORKBOOKS: Final = frozenset({".xlsx", ".xlsm", ".xls", ".ods"})
ENDINGS: Final = ", ".join(_FORMS)


@dataclass(frozen=True, slots=True)
class Source:
    """What was found: the form, and the bytes by file name."""

    form: Form
    files: Mapping[str, bytes]


def read_source(path: Path) -> Source:
    """Read a directory or zip archive of tables, or one file. Raises `SipproxyError`."""
    try:
        if path.is_dir():
            return _tables({file.name: file for file in sorted(path.iterdir())}, path)
        if path.suffix.casefold() == ".zip":
            return _zipped(path)
        form = _FORMS.get(path.suffix.casefold())
        if path.suffix.casefold() in _WORKBOOKS:
            raise SipproxyError(f"{path} is a workbook", "save its sheet as CSV UTF-8, and import that")
        if form is None:
            raise SipproxyError(f"{path}: what is in it cannot be told by its name", f"name it with one of {ENDINGS}, .zip")
        _bounded(path.stat().st_size, path)
        return Source(form, {path.name: path.read_bytes()})
    except (OSError, zipfile.BadZipFile, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise SipproxyError(f"{path} cannot be read: {why}", "name a directory, a zip archive or a file") from None


def _tables(found: Mapping[str, Path], path: Path) -> Source:
    tables = {name: file for name, file in found.items() if file.suffix.casefold() == ".csv" and not name.startswith(".")}
    if not tables:
        raise SipproxyError(f"{path} holds no tables", "put orders.csv, rules.csv and so on into it; docs/bulk.md names them")
    _bounded(sum(file.stat().st_size for file in tables.values()), path)
    return Source("tables", {name: file.read_bytes() for name, file in tables.items()})


def _zipped(path: Path) -> Source:
    with zipfile.ZipFile(path) as archive:
        entries = [
            entry
            for entry in archive.infolist()
            if entry.filename.casefold().endswith(".csv") and not entry.filename.startswith(("__MACOSX", "."))
        ]
        if not entries:
            raise SipproxyError(f"{path} holds no tables", "put orders.csv, rules.csv and so on into it; docs/bulk.md names them")
        # What the directory of the archive says is what reading yields at most: zipfile stops there.
        _bounded(sum(entry.file_size for entry in entries), path)
        files = {entry.filename.rpartition("/")[2]: archive.read(entry) for entry in entries}
    if len(files) != len(entries):
        raise SipproxyError(f"{path} holds two tables of the same name", "put them into one folder")
    return Source("tables", files)


def _bounded(size: int, path: Path) -> None:
    if size > MAX_BYTES:
        raise SipproxyError(f"{path} is too large ({size:,} bytes, at most {MAX_BYTES:,})", "divide it")


def write_tables(path: Path, files: Mapping[str, bytes]) -> None:
    """Write tables into a directory, or a zip archive when the name says so; each file whole or not at all."""
    if path.suffix.casefold() == ".zip":
        with tempfile.SpooledTemporaryFile(max_size=64 * 1024 * 1024) as buffer:
            with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, data in files.items():
                    archive.writestr(name, data)
            buffer.seek(0)
            write_file(path, buffer.read())
        return
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SipproxyError(f"{path} cannot be made: {error.strerror}", "name another directory") from None
    for name, data in files.items():
        write_file(path / name, data)


def write_file(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read; it appears whole or not at all. Raises `SipproxyError`."""
    with private_file(path) as out:
        out.write(data)
