"""The key `owner` on a machine: it takes effect when the table is created."""

from system.boot.machine import Machine


def renew_table(machine: Machine) -> None:
    """Create the table anew, as packaging/docs/backends.md says."""
    machine.run("sh", "-c", "systemctl stop banlistd && banlistd --teardown && systemctl start banlistd")
