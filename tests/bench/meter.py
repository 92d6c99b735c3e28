"""Starts one command, waits for its end and prints what it took as JSON. Arguments: a file for its stdin or "", the command.

Small on purpose and without any import from here: see `measuring.run`.
"""

import json
import os
import sys
import time

_given, *_command = sys.argv[1:]
_stdin = os.open(_given or os.devnull, os.O_RDONLY)
_out = os.open(os.devnull, os.O_WRONLY)
_actions = [(os.POSIX_SPAWN_DUP2, _stdin, 0), (os.POSIX_SPAWN_DUP2, _out, 1)]
_began = time.perf_counter()
_child = os.posix_spawnp(_command[0], _command, os.environ, file_actions=_actions)
_, _status, _usage = os.wait4(_child, 0)
_seconds = time.perf_counter() - _began
if _status:
    sys.exit(os.waitstatus_to_exitcode(_status) or 1)
_cpu = _usage.ru_utime + _usage.ru_stime
sys.stdout.write(json.dumps({"seconds": _seconds, "cpu": _cpu, "peak_rss": _usage.ru_maxrss * 1024}))
