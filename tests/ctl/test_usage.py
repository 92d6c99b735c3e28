"""The sentence on a wrong command line, as both programs print it."""

import pytest

from banlistd.__main__ import main


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("--chekc", "banlistd: unrecognized arguments: --chekc (did you mean --check?)"),
        ("--dryrun", "(did you mean --dry-run?)"),
        ("-x", "(banlistd --help lists the options)"),
        ("--chekc\x1b[2J", "\\x1b[2J"),
    ],
)
def test_banlistd_names_the_option_that_was_probably_meant(capsys: pytest.CaptureFixture[str], word: str, words: str) -> None:
    with pytest.raises(SystemExit) as end:
        main([word])

    err = capsys.readouterr().err
    assert end.value.code == 64
    assert words in err
    assert "\x1b" not in err
