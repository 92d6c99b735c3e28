"""The program of a parser process that reads one list after another: the same rights, the same code, one start.

Started as `adapters/parser_process/child.py` is. Each list comes through the pipe of the body: a `FRAME`, its job, its bytes.
"""

import os
import struct
import sys

FRAME = struct.Struct("<III")
"""Size of the job, size of the body, bytes that are fed to the decompression at once."""


def main(arguments: list[str]) -> None:
    sys.path[:0] = arguments[-1].split(os.pathsep)
    from banlistd.adapters.parser_process import child  # noqa: PLC0415 - sys.path is set just above

    child.give_up_all_rights(arguments, __file__)
    from banlistd.adapters.parser_process import job, parsing  # noqa: PLC0415 - it is loaded

    body, result, answer = map(int, arguments[1:4])
    while head := _whole(body, FRAME.size):
        job_size, size, step = FRAME.unpack(head)
        work = job.decoded_job(_whole(body, job_size).decode())
        octets = _whole(body, size)
        os.lseek(result, 0, os.SEEK_SET)
        os.write(answer, parsing.answer_to(work, (octets[at : at + step] for at in range(0, size, step)), result))
    os._exit(0)


def _whole(descriptor: int, size: int) -> bytes:
    """Exactly `size` bytes; fewer at the end of the pipe."""
    octets = bytearray()
    while len(octets) < size and (block := os.read(descriptor, size - len(octets))):
        octets += block
    return bytes(octets)


if __name__ == "__main__":
    main(sys.argv[1:])
