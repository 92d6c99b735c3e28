"""The page in Cockpit as text: what it asks for exists, and no data can become markup, script or a request to another host."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from banlistd.control.table import COMMANDS
from papers.page_strings import TEMPLATE, texts

TOP = Path(__file__).resolve().parents[2]
PAGE = TOP / "packaging" / "cockpit"
SCRIPTS = sorted((PAGE / "src").rglob("*.js"))

_CALL = re.compile(r"""\b(get|post|request)\((?:"(GET|POST)", )?["`](/v1/[a-z/]+)""")
# What makes markup or code of a text, or asks another host.
_FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|DOMParser|document\.write"
    r"|\beval\(|new Function|setTimeout\(\s*[\"'`]"
    r"|\bfetch\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon|\bimport\("
)


def test_each_request_of_the_page_is_one_of_the_control_api() -> None:
    routes = {(command.method, command.path) for command in COMMANDS}
    asked = {
        (method or {"get": "GET", "post": "POST"}[call], path)
        for script in SCRIPTS
        for call, method, path in _CALL.findall(script.read_text())
        if not path.endswith("/")
    }
    assert len(asked) >= 15
    assert asked <= routes
    # Its last part is a value in the script.
    assert {("POST", f"/v1/{verb}") for verb in ("pause", "resume", "pin", "unpin")} <= routes


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_no_text_becomes_markup_or_code_and_no_request_goes_past_cockpit(script: Path) -> None:
    assert _FORBIDDEN.findall(script.read_text()) == []


def test_the_document_fits_the_content_security_policy_of_cockpit() -> None:
    text = (PAGE / "src" / "index.html").read_text()
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", text) == []
    assert re.findall(r'(?:src|href)="(?:[a-z]+:)?//', text) == []


def test_every_bundled_package_is_locked_by_its_hash() -> None:
    locked = json.loads((PAGE / "package-lock.json").read_text())["packages"]
    wanted = json.loads((PAGE / "package.json").read_text())
    for name, version in {**wanted["dependencies"], **wanted["devDependencies"]}.items():
        assert locked[f"node_modules/{name}"]["version"] == version
    assert all(package["integrity"].startswith("sha512-") for name, package in locked.items() if name)


def test_the_functions_of_the_page_that_need_no_browser_pass_their_tests() -> None:
    if shutil.which("node") is None:
        pytest.skip("no Node.js: apt-get install nodejs")
    done = subprocess.run(["node", "--test", str(PAGE / "test")], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_module_of_the_page_can_be_read_by_node(script: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("no Node.js: apt-get install nodejs")
    done = subprocess.run(["node", "--check", str(script)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_template_for_translators_has_every_text_that_gettext_finds() -> None:
    if shutil.which("xgettext") is None:
        pytest.skip("no xgettext: apt-get install gettext")
    command = ["xgettext", "--from-code=UTF-8", "--language=JavaScript", "--keyword=_", "--keyword=counted:2,3", "--output=-"]
    done = subprocess.run([*command, *map(str, SCRIPTS)], capture_output=True, text=True, check=True, timeout=60)
    original = re.compile(r"^(msgid|msgid_plural) ((?:\"[^\n]*\"\s*)+)", re.MULTILINE)
    found, written = (
        {(kind, "".join(re.findall(r'"(.*)"', text))) for kind, text in original.findall(template)}
        for template in (done.stdout, (TOP / TEMPLATE).read_text())
    )
    # The menu of Cockpit has the label.
    assert (len(found) > 200, written - {("msgid", "Blocklists")}) == (True, found - {("msgid", "Blocklists")})


@pytest.mark.parametrize("call", ["_(name)", '_("a" + "b")', 'counted(2, name, "$0 bans")'])
def test_a_text_that_no_translator_would_see_is_refused(call: str) -> None:
    with pytest.raises(ValueError, match="no text that a translator could be given"):
        texts(f"const a = {call};")


def test_the_texts_of_a_script_are_found_with_their_plurals() -> None:
    script = '/* _("not this") */ say(_("one"), counted(found.get("a", 2), "$0 ban", "$0 bans"), form._("no"))'
    assert [*texts(script)] == [("one", ""), ("$0 ban", "$0 bans")]
