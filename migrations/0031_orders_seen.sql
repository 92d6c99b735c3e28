-- Which orders of operators have come over MQTT, so that none is carried out twice, also after a restart. key_id: the first 16 digits of
-- the SHA-256 of the public key. expires_at: seconds since the epoch. Of each key the newest are kept.
CREATE TABLE orders_seen (
    key_id      TEXT NOT NULL,
    order_id    TEXT NOT NULL,
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (key_id, order_id)
) STRICT, WITHOUT ROWID;
