import os
from pathlib import Path

import pytest

from banlistd.adapters.system.config_file import load, load_catalogue
from banlistd.core.config.catalogue.terms import Purpose
from banlistd.core.config.model import Config
from banlistd.errors import ConfigError


def written(folder: Path, **files: str) -> Path:
    """A configuration folder: `main` is banlistd.yaml, the others stand in sources.d."""
    (folder / "sources.d").mkdir()
    for name, text in files.items():
        path = folder / "banlistd.yaml" if name == "main" else folder / "sources.d" / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
    return folder


def problems_of(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        load(folder)
    return [problem.replace(f"{folder}/", "") for problem in refused.value.problems]


def test_a_folder_is_read_with_the_main_file_first_and_the_others_by_their_names(tmp_path: Path) -> None:
    folder = written(
        tmp_path,
        main="sources: [{id: z, path: z.txt}]",
        b20="{id: c, path: /c.txt}",
        a="- {id: b, path: b.txt}\n- {id: a, path: a.txt}\n",
        b10="use: blocklist-de\n",
    )
    config = load(folder).config
    assert [source.id for source in config.sources] == ["z", "b", "a", "blocklist-de", "c"]
    assert config.sources[0].path == folder / "z.txt"
    assert config.sources[1].path == folder / "b.txt"
    assert config.sources[4].path == Path("/c.txt")


def test_a_folder_without_sources_d_is_fine(tmp_path: Path) -> None:
    (tmp_path / "banlistd.yaml").write_text("sources: []\n")
    assert load(tmp_path).config == Config()


def test_a_relative_folder_gives_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, main="sources: [{id: a, path: a.txt}]")
    monkeypatch.chdir(tmp_path)
    assert load(Path()).config.sources[0].path == tmp_path / "a.txt"


def test_backups_and_hidden_files_are_passed_over(tmp_path: Path) -> None:
    folder = written(tmp_path, main="sources: []")
    for name in (".a.yaml", "a.yaml~", "a.yaml.dpkg-old", "a.yaml.rpmnew", "README", "#a.yaml#"):
        (folder / "sources.d" / name).write_text("not: valid: yaml", encoding="utf-8")
    assert load(folder).config.sources == ()


def test_another_ending_is_reported_because_it_would_go_unnoticed(tmp_path: Path) -> None:
    folder = written(tmp_path, main="sources: []")
    (folder / "sources.d" / "a.yml").touch()
    assert problems_of(folder) == ["sources.d/a.yml: is not read (files of sources.d end in .yaml: rename or remove it)"]


def test_a_missing_main_file_is_a_config_error_and_hides_no_other_problem(tmp_path: Path) -> None:
    folder = written(tmp_path, a="id: A")
    problems = problems_of(folder)
    hint = "create it, or name another folder with --config"
    assert problems[0] == f"banlistd.yaml: cannot be read: no such file or directory ({hint})"
    assert [problem.partition(": ")[0] for problem in problems[1:]] == ["sources.d/a.yaml:1", "sources.d/a.yaml:1"]


def test_a_folder_that_is_not_there_is_a_config_error(tmp_path: Path) -> None:
    assert "cannot be read: no such file" in problems_of(tmp_path / "nowhere")[0]


def test_a_folder_in_the_place_of_a_file_is_a_config_error(tmp_path: Path) -> None:
    folder = written(tmp_path, main="sources: []")
    (folder / "sources.d" / "a.yaml").mkdir()
    assert problems_of(folder) == ["sources.d/a.yaml: cannot be read: is a directory"]


def test_a_file_in_the_place_of_sources_d_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "banlistd.yaml").write_text("sources: []\n")
    (tmp_path / "sources.d").touch()
    assert problems_of(tmp_path) == ["sources.d: cannot be read: not a directory"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_a_config_error(tmp_path: Path) -> None:
    folder = written(tmp_path, main="sources: []")
    (folder / "banlistd.yaml").chmod(0)
    hint = "the daemon's account must be able to read it"
    assert problems_of(folder) == [f"banlistd.yaml: cannot be read: permission denied ({hint})"]


def test_a_dangling_link_is_a_config_error(tmp_path: Path) -> None:
    folder = written(tmp_path, main="sources: []")
    (folder / "sources.d" / "a.yaml").symlink_to("nowhere")
    assert "sources.d/a.yaml: cannot be read" in problems_of(folder)[0]


def test_a_file_that_is_not_utf_8_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "banlistd.yaml").write_bytes("# Büro\n".encode("latin-1"))
    assert problems_of(tmp_path) == ["banlistd.yaml:1: is not UTF-8 (save it as UTF-8)"]


def test_a_file_without_end_is_read_no_further_than_its_bound(tmp_path: Path) -> None:
    (tmp_path / "banlistd.yaml").symlink_to("/dev/zero")
    assert problems_of(tmp_path) == ["banlistd.yaml: is larger than 4 MiB (split it into files of sources.d)"]


def test_two_thousand_sources_are_read(tmp_path: Path) -> None:
    lines = [f"  - {{id: list-{n}, url: https://lists.example/{n}, format: plain, every: 1h}}\n" for n in range(2000)]
    folder = written(tmp_path, main="sources:\n" + "".join(lines))
    assert len(load(folder).config.sources) == 2000


def test_every_list_of_the_catalogue_that_ships_can_be_used(tmp_path: Path) -> None:
    lists = [name for name, entry in load_catalogue().items() if entry.purpose is Purpose.BAN]
    assert len(lists) >= 80
    folder = written(tmp_path, main="sources:\n" + "".join(f"  - use: {name}\n" for name in lists))
    sources = load(folder).config.sources
    assert [source.id for source in sources] == [source.use for source in sources] == lists


def test_another_ending_of_the_main_file_is_reported_in_its_place_and_stops_no_start_beside_it(tmp_path: Path) -> None:
    folder = written(tmp_path, main="sources: []")
    (folder / "banlistd.yml").touch()
    assert load(folder).config.sources == ()
    (folder / "banlistd.yaml").unlink()
    assert "banlistd.yml: is not read (the configuration is banlistd.yaml: rename it)" in problems_of(folder)


def test_a_file_where_a_folder_is_wanted_is_refused_with_the_folder(tmp_path: Path) -> None:
    folder = written(tmp_path, main="sources: []")
    with pytest.raises(ConfigError) as refused:
        load(folder / "banlistd.yaml")
    words = "is a file, and a folder with banlistd.yaml in it is wanted"
    assert refused.value.problems == (f"{folder}/banlistd.yaml: {words} (--config {folder})",)
