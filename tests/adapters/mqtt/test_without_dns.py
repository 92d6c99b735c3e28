"""A daemon that speaks MQTT has no library of DNS in memory, and can still import it."""

import subprocess
import sys

import dns.resolver

from banlistd.adapters.mqtt.without_dns import without_dnspython

IMPORTED = """import sys
import banlistd.adapters.mqtt.connection
print(*(name for name in sys.modules if name.split(".")[0] == "dns"))
import dns.resolver
print(dns.resolver.__name__)
"""


def test_mqtt_imports_no_library_of_dns_and_leaves_it_to_others() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["", "dns.resolver"]


def test_a_library_of_dns_that_is_in_memory_stays_there() -> None:
    with without_dnspython():
        assert sys.modules["dns.resolver"] is dns.resolver
    assert sys.modules["dns.resolver"] is dns.resolver
