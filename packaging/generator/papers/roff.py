"""Text for man pages."""

import re


def roff(text: str) -> str:
    """Plain text as roff; what is between backquotes becomes bold. A line of its own must not begin with a dot or a quote."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    bold = re.sub(r"`([^`]+)`", r"\\fB\1\\fR", escaped)
    return f"\\&{bold}" if bold.startswith((".", "'")) else bold
