"""Files are seen whole or not at all, what the system refuses is said in one line, and their names name cases."""

import errno
import os
import resource

import pytest
import torch

from seat_components.files import copy_atomically, keep_as, write_text_atomically
from seat_components.refusals import RefusalError
from seat_components.torch_file import save_atomically

WRITERS = {
    "text": lambda path, size: write_text_atomically("x" * size, path),
    "torch": lambda path, size: save_atomically({"weight": torch.zeros(size, dtype=torch.uint8)}, path),
    "copy": lambda path, size: copy_atomically(_source(path, size), path),
}


def _source(path, size):
    source = path.parent.parent / f"source{size}"
    source.touch()
    os.truncate(source, 2)
    return source


@pytest.fixture
def small_files():
    """No file of this process may grow beyond 100 kB: to the process like a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("kind", ["text", "torch"])
def test_what_does_not_fit_is_refused_and_the_file_stays(tmp_path, small_files, kind):
    path = tmp_path / "folder" / "file"
    WRITERS[kind](path, 10)
    before = path.read_bytes()
    with pytest.raises(RefusalError, match=f"{path} cannot be written: File too large"):
        WRITERS[kind](path, 200_000)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_system_that_refuses_is_named(tmp_path, monkeypatch, kind, code):
    path = tmp_path / "file"
    path.write_text("first")

    def fail(_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(RefusalError, match=os.strerror(code)):
        WRITERS[kind](path, 10)
    assert path.read_text() == "first"


def test_an_error_of_the_content_is_no_error_of_the_disk(tmp_path):
    with pytest.raises(AttributeError):
        save_atomically(lambda: 0, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("links", [True, False])
def test_a_file_is_kept_under_another_name_too(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr("pathlib.Path.hardlink_to", lambda *_: (_ for _ in ()).throw(OSError(errno.EPERM, "no")))
    path, other = tmp_path / "new", tmp_path / "old"
    for content in ("first", "second", "third"):
        path.write_text("other content, in place") if path.exists() and not links else None
        write_text_atomically(content, path)
        keep_as(path, other)
        assert (path.read_text(), other.read_text()) == (content, content)
    write_text_atomically("fourth", path)
    assert (path.read_text(), other.read_text()) == ("fourth", "third")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["new", "old"]
