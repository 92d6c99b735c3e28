"""The configuration's files in their folder. core.config.load reads their content."""

from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from banlistd.core.config.catalogue.known import KnownLists, known_lists
from banlistd.core.config.kept import Files, Loaded
from banlistd.core.config.load import read_config
from banlistd.core.config.problems import Document, Problem
from banlistd.core.config.yaml import LARGEST_FILE, parse_document
from banlistd.errors import ConfigError

MAIN = "banlistd.yaml"
MORE = "sources.d"


def load(folder: Path) -> Loaded:
    """The configuration of a folder: `banlistd.yaml`, then `sources.d/*.yaml` in the order of their names.

    Raises ConfigError with every problem of every file.
    """
    if folder.is_file():
        words = f"is a file, and a folder with {MAIN} in it is wanted"
        problem = Problem(str(folder), 0, "", words, f"--config {folder.parent}")
        raise ConfigError("configuration cannot be read", problems=(str(problem),))
    found: dict[str, bytes] = {}
    documents = [_read(folder / MAIN, found), *_slips(folder), *_more_of(folder / MORE, found)]
    files = {str(Path(name).relative_to(folder)): content for name, content in found.items()}
    return Loaded(read_config(documents, load_catalogue(), folder.absolute()), files)


def load_kept(folder: Path, files: Files) -> Loaded:
    """The configuration that a folder had. Raises ConfigError."""
    documents = [parse_document(str(folder / name), content) for name, content in files.items()]
    return Loaded(read_config(documents, load_catalogue(), folder.absolute()), files)


def read_files(folder: Path) -> Files:
    """The octets of the files that `load` reads; one that cannot be read is left out. Nothing is parsed, so that a daemon at
    work can look whether they are still the same: the YAML of 5,000 sources keeps all its threads from running for a second.
    """
    paths = [folder / MAIN, *(path for path in (folder / MORE).glob("*.yaml") if not path.name.startswith("."))]
    found: dict[str, bytes] = {}
    for path in paths:
        with suppress(OSError):
            found[str(path.relative_to(folder))] = _octets(path)
    return found


def load_catalogue() -> KnownLists:
    """The lists that are known by name; they ship with the program."""
    return known_lists((files("banlistd") / "catalogue.json").read_bytes())


def _slips(folder: Path) -> list[Document]:
    """A file that was meant to be the configuration, where there is none: a daemon with both starts."""
    slip = (folder / MAIN).with_suffix(".yml")
    if not slip.exists() or (folder / MAIN).exists():
        return []
    problem = Problem(str(slip), 0, "", "is not read", f"the configuration is {MAIN}: rename it")
    return [Document(str(slip), problems=(problem,))]


def _more_of(folder: Path, found_files: dict[str, bytes]) -> list[Document]:
    try:
        found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as fault:
        return [_unreadable(folder, fault)]
    documents = []
    for path in found:
        if path.suffix == ".yaml":
            documents.append(_read(path, found_files))
        elif path.suffix == ".yml":
            # Backups of editors and of package managers are passed over; this ending is a slip that would go unnoticed.
            slip = Problem(str(path), 0, "", "is not read", "files of sources.d end in .yaml: rename or remove it")
            documents.append(Document(str(path), problems=(slip,)))
    return documents


def _read(path: Path, found_files: dict[str, bytes]) -> Document:
    try:
        content = _octets(path)
    except OSError as fault:
        return _unreadable(path, fault)
    found_files[str(path)] = content
    return parse_document(str(path), content)


def _octets(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST_FILE + 1)


def _unreadable(path: Path, fault: OSError) -> Document:
    hint = next((words for kind, words in _WAYS_OUT.items() if isinstance(fault, kind)), "")
    words = f"cannot be read: {(fault.strerror or 'for an unknown reason').lower()}"
    return Document(str(path), problems=(Problem(str(path), 0, "", words, hint),))


_WAYS_OUT: dict[type[OSError], str] = {
    FileNotFoundError: "create it, or name another folder with --config",
    PermissionError: "the daemon's account must be able to read it",
}
