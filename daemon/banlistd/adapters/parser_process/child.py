"""The program of the process that decompresses and parses one list: no rights, no files, no network, bounded memory and time.

Started as a script by `process.ParserProcesses`; nothing of it runs in the daemon. Arguments: "first" or "again", descriptors
of the body (a pipe), the result (a memfd) and the answer (a pipe), the parent's pid, the job (`job.encoded_job`), the entries
of sys.path. Nothing is imported after the filter is in force: to open a module's file would kill the process.
"""

import gc
import os
import signal
import sys

READY = b"r"
"""The first byte of every answer: the process has lost its rights, and reads."""


def main(arguments: list[str]) -> None:
    # One list, then the end: there is no garbage in cycles worth a search, which takes a twentieth of the start.
    gc.disable()
    give_up_all_rights(arguments, __file__)
    body, result, answer = map(int, arguments[1:4])
    # They are loaded, and sys.path is set.
    from banlistd.adapters.parser_process import job, parsing  # noqa: PLC0415

    os.write(answer, parsing.answer_to(job.decoded_job(arguments[-2]), parsing.blocks_of(body), result))
    os._exit(0)


def give_up_all_rights(arguments: list[str], program: str) -> None:
    """Take the arguments of this module, and write READY. Where a right remains, the process says so and ends.

    `program`: the script that calls this; unless root runs it, it is started once more, without ambient rights.
    """
    # Standard error is the daemon's: a process whose daemon is gone, or that is interrupted, ends without a traceback.
    for number in (signal.SIGPIPE, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    stage, *numbers, job_text, search_path = arguments
    body, result, answer, parent = map(int, numbers)
    sys.path[:0] = search_path.split(os.pathsep)
    sys.dont_write_bytecode = True
    from banlistd.adapters.parser_process import confinement  # noqa: PLC0415 - sys.path is set just above

    try:
        confinement.die_with_parent(parent)
    except confinement.ConfinementError:
        os._exit(1)
    if stage == "first":
        confinement.give_up_ambient_rights()
        confinement.prefer_for_oom_kill()
        # Root keeps every capability through execve: then `drop_capabilities` alone takes them, and 30 ms are saved.
        if os.geteuid() != 0:
            again = [sys.executable, "-I", "-S", os.path.abspath(program), "again", *arguments[1:]]  # noqa: PTH100 - pathlib costs 10 ms
            os.execv(sys.executable, again)  # noqa: S606 - no shell: that is wanted
    from banlistd.adapters.parser_process import job, parsing  # noqa: PLC0415 - as above

    order = job.decoded_job(job_text)
    parsing.warm_up(order.form)
    try:
        code = confinement.built_filter()
        confinement.become_private()
        confinement.drop_capabilities()
        confinement.close_all_but({body, result, answer})
        confinement.forbid_files_and_network()
        confinement.limit(order.limits)
        confinement.enforce_filter(code)
    except (confinement.ConfinementError, OSError, ValueError) as error:
        os.write(answer, READY + parsing.not_confined(str(error)))
        os._exit(1)
    os.write(answer, READY)


if __name__ == "__main__":
    main(sys.argv[1:])
