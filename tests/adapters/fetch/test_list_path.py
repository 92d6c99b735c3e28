import os
from pathlib import Path

import pytest

from banlistd.adapters.fetch.list_path import open_list
from banlistd.errors import FetchError

NO_ACCOUNT: frozenset[int] = frozenset()
US = frozenset({os.geteuid()})


def content(path: Path, closed: tuple[Path, ...] = (), trusted: frozenset[int] = US) -> bytes:
    with os.fdopen(open_list(path, closed, trusted), "rb") as file:
        return file.read()


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "TOKEN").write_text("S3CR3T")
    return folder


def written(path: Path) -> Path:
    path.write_bytes(b"192.0.2.1\n")
    return path


def linked(path: Path, target: str | Path) -> Path:
    path.symlink_to(target)
    return path


@pytest.fixture
def of_another_account(tmp_path: Path) -> Path:
    """A file whose owner is not the one that makes links here."""
    if os.geteuid():
        return Path("/etc/hostname")
    path = written(tmp_path / "theirs")
    os.chown(path, 12345, 12345)
    return path


def test_links_of_a_trusted_account_are_followed(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    written(folder / "list")
    linked(tmp_path / "folder", "a")
    links = [
        linked(tmp_path / "relative", "folder/b/list"),
        linked(tmp_path / "absolute", tmp_path / "folder" / "b" / "list"),
        linked(tmp_path / "upward", "folder/b/../b/./list"),
        linked(tmp_path / "again", "relative"),
    ]
    for path in (*links, tmp_path / "folder" / "b" / "list", folder / ".." / "b" / "list"):
        assert content(path) == b"192.0.2.1\n"


def test_a_link_of_the_owner_of_its_file_is_followed(tmp_path: Path) -> None:
    written(tmp_path / "list")
    assert content(linked(tmp_path / "link", "list"), trusted=NO_ACCOUNT) == b"192.0.2.1\n"


@pytest.mark.parametrize("way", ["the file", "a folder", "a link to a link"])
def test_a_link_of_another_account_than_its_file_is_not_followed(tmp_path: Path, of_another_account: Path, way: str) -> None:
    linked(tmp_path / "link", of_another_account)
    linked(tmp_path / "folder", of_another_account.parent)
    linked(tmp_path / "second", "link")
    ways = {"the file": "link", "a folder": f"folder/{of_another_account.name}", "a link to a link": "second"}
    with pytest.raises(FetchError, match="symbolic link of another account") as caught:
        content(tmp_path / ways[way], trusted=NO_ACCOUNT)
    assert "chown -h" in caught.value.hint


def test_a_file_of_another_account_is_read_without_a_link(of_another_account: Path) -> None:
    assert content(of_another_account, trusted=NO_ACCOUNT)


@pytest.fixture
def ways_in(tmp_path: Path, credentials: Path) -> dict[str, Path]:
    linked(tmp_path / "folder", credentials)
    return {
        "plain": credentials / "TOKEN",
        "link": linked(tmp_path / "mine", credentials / "TOKEN"),
        "link to a link": linked(tmp_path / "mine2", "mine"),
        "folder": tmp_path / "folder" / "TOKEN",
        "upward": tmp_path / "folder" / ".." / "credentials" / "TOKEN",
        "below": credentials / ".." / "credentials" / "TOKEN",
    }


@pytest.mark.parametrize("way", ["plain", "link", "link to a link", "folder", "upward", "below"])
def test_no_path_leads_to_a_credential_even_by_a_trusted_link(ways_in: dict[str, Path], credentials: Path, way: str) -> None:
    with pytest.raises(FetchError, match="leads into a folder of credentials"):
        content(ways_in[way], closed=(Path("/nonexistent"), credentials))


def test_a_folder_of_credentials_that_is_a_link_is_closed_as_well(tmp_path: Path, credentials: Path) -> None:
    with pytest.raises(FetchError, match="leads into a folder of credentials"):
        content(credentials / "TOKEN", closed=(linked(tmp_path / "other-name", credentials),))


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    linked(tmp_path / "a", "b")
    linked(tmp_path / "b", "a")
    with pytest.raises(OSError, match="symbolic links"):
        content(tmp_path / "a")


@pytest.mark.parametrize("path", ["/", "/dev/zero", "/dev/..", "/proc"])
def test_only_a_regular_file_is_opened(path: str) -> None:
    with pytest.raises(FetchError, match="not a regular file"):
        content(Path(path))


def test_a_link_to_the_root_is_no_regular_file(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="not a regular file"):
        content(linked(tmp_path / "root", "/"))


@pytest.mark.parametrize("refused", [False, True])
def test_no_descriptor_is_left_open(tmp_path: Path, credentials: Path, refused: bool) -> None:
    path = credentials / "TOKEN" if refused else linked(tmp_path / "link", written(tmp_path / "list"))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        try:
            os.close(open_list(path, (credentials,), US))
        except FetchError:
            assert refused
    assert len(list(Path("/proc/self/fd").iterdir())) == before
