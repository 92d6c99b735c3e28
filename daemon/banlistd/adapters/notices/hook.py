"""A NoticeReceiver that is a program of the administrator."""

import json
import re
from collections.abc import Mapping, Sequence

from banlistd.adapters.notices.program import run_program
from banlistd.adapters.notices.secrets import Secrets
from banlistd.core.config.service.notify import ProgramHook
from banlistd.core.credentials import conceal, fill
from banlistd.core.notices.notice import Happening, Notice
from banlistd.core.printing import quoted
from banlistd.errors import DeliveryError

_TRY_AGAIN = 75  # EX_TEMPFAIL
_FIELD = re.compile(r"[A-Z][A-Z0-9_]{0,39}", re.ASCII)
_LONGEST_VALUE = 4096
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class HookReceiver:
    most = 1

    def __init__(self, hook: ProgramHook, secrets: Secrets) -> None:
        self._hook = hook
        self._secrets = secrets

    async def deliver(self, notices: Sequence[Notice], lost: int, waiting: int) -> str:
        happening = notices[0].happening
        secrets = self._secrets.of(self._hook.environment.values())
        own = {name: fill(text, secrets) for name, text in self._hook.environment.items()}
        environment = {"PATH": _PATH, "LANG": "C.UTF-8", **own, **variables_of(happening)}
        try:
            ended = await run_program(self._hook.run, _document_of(happening), environment, self._hook.timeout)
        except (OSError, ValueError) as exc:  # ValueError: a value with a zero octet
            reason = exc.strerror if isinstance(exc, OSError) else "a variable cannot be passed on"
            raise DeliveryError(f"cannot be started: {reason}") from exc
        output = quoted(conceal(ended.output, secrets.values()))
        if ended.code == 0:
            return output
        words = f"killed after {self._hook.timeout:g} s" if ended.code is None else f"exit code {ended.code}"
        raise DeliveryError(f"{words}{f': {output}' if output else ''}", is_final=ended.code != _TRY_AGAIN)


def variables_of(happening: Happening) -> Mapping[str, str]:
    """Variables of the environment: text on one line."""
    texts = {
        "EVENT": happening.name,
        "LEVEL": happening.level,
        "MESSAGE": happening.message,
        "AT": f"{happening.at:.3f}",
        **{key: str(value) for key, value in happening.fields.items() if _FIELD.fullmatch(key)},
    }
    return {f"BANLISTD_{key}": quoted(text, _LONGEST_VALUE) for key, text in texts.items()}


def _document_of(happening: Happening) -> bytes:
    """JSON in ASCII, on one line."""
    document = {
        "at": happening.at,
        "level": happening.level,
        "name": happening.name,
        "message": happening.message,
        "fields": dict(happening.fields),
    }
    return json.dumps(document).encode("ascii") + b"\n"
