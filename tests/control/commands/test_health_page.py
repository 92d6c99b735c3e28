from typing import Any

import pytest

from banlistd.control.commands.monitoring.health import HEALTH
from banlistd.control.declaration import PageContext

NOW = 1_790_000_000.0
CONTEXT = PageContext(NOW, lambda _: None)


def answer(**changes: Any) -> Any:
    return {**HEALTH.example, **changes}


def test_the_page_has_verdict_reasons_and_next_poll() -> None:
    reasons = [{"message": "a\x1b fails", "hint": "banlistctl sources"}]
    lines = HEALTH.page(answer(verdict="DEGRADED", reasons=reasons, next_poll=NOW - 5), CONTEXT)
    assert lines == ["DEGRADED", "  because    a\\x1b fails", "      banlistctl sources", "  next poll  now"]
    assert HEALTH.page(answer(next_poll=None), CONTEXT) == ["PROTECTED"]
    assert str(HEALTH.page(answer(next_poll=NOW + 600), CONTEXT)[-1]).startswith("  next poll  ")


@pytest.mark.parametrize(("verdict", "code"), [("PROTECTED", 0), ("DEGRADED", 1), ("OPEN", 2)])
def test_the_exit_code_is_the_verdict(verdict: str, code: int) -> None:
    assert HEALTH.judge(answer(verdict=verdict)) == code
