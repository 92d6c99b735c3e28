import asyncio
import socket
from importlib.util import find_spec
from pathlib import Path

import pytest

from banlistd.adapters.notices.apprise_receiver import AppriseReceiver
from banlistd.adapters.notices.secrets import Secrets
from banlistd.core.notices.notice import Happening, Notice
from banlistd.errors import DeliveryError
from support.notice_receivers import PATIENCE, MailServer, Webhook, serving

pytestmark = pytest.mark.skipif(find_spec("apprise") is None, reason="Apprise is not installed")

HOSTILE = Notice(Happening(0, "warning", "blocklist_import_failed", "<b>&lt;x</b>\r\nBcc: a@b.example"), 0)


def deliver(tmp_path: Path, url: str, seconds: float = PATIENCE) -> None:
    (tmp_path / "hook").write_text(f"{url}\n")
    receiver = AppriseReceiver("${credential:hook}", Secrets([tmp_path]), "gate", seconds)
    asyncio.run(receiver.deliver([HOSTILE], 0, 0))


def test_a_webhook_gets_the_text_as_it_is(tmp_path: Path) -> None:
    with serving(Webhook()) as hook:
        deliver(tmp_path, hook.url)
        body = hook.bodies.get(timeout=PATIENCE)
    assert body["title"] == "<b>&lt;x</b>\\r\\nBcc: a@b.example (banlistd on gate)"
    assert body["message"] == "warning: <b>&lt;x</b>\\r\\nBcc: a@b.example [blocklist_import_failed]"
    assert body["type"] == "warning"


def test_mail_gets_it_as_text_and_without_another_header(tmp_path: Path) -> None:
    with serving(MailServer()) as server:
        deliver(tmp_path, server.url)
        mail = server.mails.get(timeout=PATIENCE)
    assert mail["To"] == "admin@host.example"
    assert mail["Bcc"] is None
    assert "(banlistd on gate)" in str(mail["Subject"])


def test_an_address_that_is_refused_is_not_in_the_error(tmp_path: Path) -> None:
    with serving(Webhook()) as hook:
        hook.status = 500
        with pytest.raises(DeliveryError) as caught:
            deliver(tmp_path, hook.url)
        assert hook.refused.get(timeout=PATIENCE) == 500
    assert caught.value.message.startswith("not accepted: ")
    assert "a-secret-path" not in str(caught.value)


def test_a_server_that_never_answers_is_left_after_a_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(DeliveryError, match="no answer within 1 s"):
        deliver(tmp_path, f"json://127.0.0.1:{server.getsockname()[1]}/?rto=1000&cto=1000", seconds=1.0)


@pytest.mark.parametrize("url", ["nothing", "no-such-service://host"])
def test_what_is_no_address_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(DeliveryError, match="does not understand"):
        deliver(tmp_path, url)
