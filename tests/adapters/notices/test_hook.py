import asyncio
import json
from pathlib import Path

import pytest

from banlistd.adapters.notices.hook import HookReceiver
from banlistd.adapters.notices.secrets import Secrets
from banlistd.core.config.service.notify import ProgramHook
from banlistd.core.notices.notice import Happening, Notice
from banlistd.errors import DeliveryError

HOSTILE = Happening(
    1.5, "warning", "blocklist_import_failed", "--help\n$(reboot)\x1b[2J\0", {"SOURCE_ID": "tor", "REASON": "-rf"}
)


def deliver(tmp_path: Path, *command: str, happening: Happening = HOSTILE, **environment: str) -> str:
    hook = ProgramHook(run=command, environment=environment)
    return asyncio.run(HookReceiver(hook, Secrets([tmp_path])).deliver([Notice(happening, 0.0)], 0, 0))


def test_an_event_is_in_variables_and_on_the_input_and_in_no_argument(tmp_path: Path) -> None:
    script = f'echo "$# $BANLISTD_EVENT $BANLISTD_SOURCE_ID $BANLISTD_REASON"; cat > {tmp_path}/document; env > {tmp_path}/env'
    assert deliver(tmp_path, "/bin/sh", "-c", script) == "0 blocklist_import_failed tor -rf"
    document = json.loads((tmp_path / "document").read_bytes())
    assert document["message"] == HOSTILE.message
    assert document["fields"] == {"SOURCE_ID": "tor", "REASON": "-rf"}
    assert "BANLISTD_MESSAGE=--help\\n$(reboot)\\x1b[2J\\x00\n" in (tmp_path / "env").read_text()


def test_a_credential_reaches_the_program_and_not_the_journal(tmp_path: Path) -> None:
    (tmp_path / "banlistd_token").write_text("s3cret-of-all\n")
    with pytest.raises(DeliveryError) as caught:
        deliver(tmp_path, "/bin/sh", "-c", 'echo "<$VALUE>"; exit 1', VALUE="${credential:token}")
    assert caught.value.message == "exit code 1: <***>"
    assert caught.value.is_final


def test_a_program_may_ask_to_be_run_again(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError) as caught:
        deliver(tmp_path, "/bin/sh", "-c", "exit 75")
    assert not caught.value.is_final


@pytest.mark.parametrize(("command", "words"), [("/no/such/program", "No such file"), ("/etc/passwd", "denied")])
def test_a_program_that_cannot_be_started_is_tried_again(tmp_path: Path, command: str, words: str) -> None:
    with pytest.raises(DeliveryError, match=words) as caught:
        deliver(tmp_path, command)
    assert not caught.value.is_final


def test_a_missing_credential_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match="no credential token"):
        deliver(tmp_path, "/bin/true", VALUE="${credential:token}")
