"""Starts one command, given as arguments, waits for its end and prints what it took as JSON.

Small on purpose and without any import from here: see `measuring.run`.
"""

import json
import os
import sys
import time

_command = sys.argv[1:]
_nothing = os.open(os.devnull, os.O_RDWR)
_actions = [(os.POSIX_SPAWN_DUP2, _nothing, 0), (os.POSIX_SPAWN_DUP2, _nothing, 1)]
_began = time.perf_counter()
_child = os.posix_spawnp(_command[0], _command, os.environ, file_actions=_actions)
_, _status, _usage = os.wait4(_child, 0)
_seconds = time.perf_counter() - _began
_code = os.waitstatus_to_exitcode(_status)
_took = {"code": _code, "seconds": _seconds, "cpu": _usage.ru_utime + _usage.ru_stime, "peak_rss": _usage.ru_maxrss * 1024}
sys.stdout.write(json.dumps(_took))
