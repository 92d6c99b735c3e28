"""The events of lists that more than one hub must sign. `names` names them."""

from banlistd.events.kind import EventKind, Field, Priority

SIGNATURE_MISSING = EventKind(
    "fleet_signature_missing",
    "1f0c5a5d1e3a4b6f9f0d6a5c1b7e2d94",
    Priority.WARNING,
    (Field.MIRROR, Field.REASON),
    "Another hub has not signed what this hub wants to publish: @REASON@",
    "In this fleet more than one hub must sign each list, and the one at @MIRROR@ has not signed for ten minutes. "
    "What was published before stays in force, for three days at least. See whether that hub runs, and why it does not "
    "sign:\n"
    "    banlistctl fleet  here, and on the other hub",
)

SIGNATURE_MISSING_OVER = EventKind(
    "fleet_signature_missing_over",
    "8c0e7d1b5a9f4f2e8d3b6c1a0f4e7b25",
    Priority.INFO,
    (),
    "No signature of a hub is missing any more",
    "Nothing that this hub wants to publish waits for the signature of another one, and this hub refuses nothing. There is "
    "nothing to do.",
)

SIGNATURE_REFUSED = EventKind(
    "fleet_signature_refused",
    "d3a7b9c2e4f84d01a6c5e8f7b2d9104c",
    Priority.WARNING,
    (Field.MIRROR, Field.REASON),
    "This hub does not sign what the one at @MIRROR@ wants to publish: @REASON@",
    "For five minutes the hub at @MIRROR@ has wanted to publish what is not what this hub has itself. Nothing of it is "
    "published, for more than one hub must sign. Either the feeds of the two hubs differ, or the key of the other hub is in "
    "other hands:\n"
    "    banlistctl fleet\n"
    "    banlistctl refresh\n"
    "    banlistctl fleet revoke FOLDER KEY  where the owners of the fleet are",
)
