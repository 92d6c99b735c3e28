"""How a broker is reached, by the configuration and its credentials."""

import ssl

from banlistd.adapters.fetch.credentials import credential_file, read_credential
from banlistd.adapters.mqtt.certificates import tls_context
from banlistd.adapters.mqtt.connection import BrokerAccess
from banlistd.core.config.service.mqtt import Mqtt
from banlistd.core.credentials import credential_names
from banlistd.errors import BusError, FetchError
from banlistd.paths import Paths


def broker_access(mqtt: Mqtt, places: Paths, node: str) -> BrokerAccess:
    """Read anew for each attempt: certificates are renewed. Raises BusError."""
    broker = mqtt.broker
    try:
        password = read_credential(places.credentials, *credential_names(mqtt.password)) if mqtt.password else ""
        tls = _tls(mqtt, places) if broker.has_tls else None
    except FetchError as error:
        raise BusError(error.message, error.hint) from error
    return BrokerAccess(broker.host, broker.port, f"banlistd-{node}", tls, mqtt.user, password)


def _tls(mqtt: Mqtt, places: Paths) -> ssl.SSLContext | None:
    tls = mqtt.tls
    if tls.ca is None:
        return None
    key = None
    if tls.key:
        (name,) = credential_names(tls.key)
        read_credential(places.credentials, name)  # so that its absence is reported as that of every credential
        key = credential_file(places.credentials, name) if places.credentials else None
    return tls_context(tls.ca, tls.certificate, key)
