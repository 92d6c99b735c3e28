"""The JSON schema of the configuration, for editors."""

from banlistd.core.config.schema import schema_text
from papers.paper import Paper, whole

PAPERS: tuple[Paper, ...] = (whole("config/banlistd.schema.json", schema_text),)
