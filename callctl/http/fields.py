"""Fields that requests about different subjects have."""

from typing import Annotated

from msgspec import Meta

EXTENSION_NUMBER = r"^[0-9*#]{1,20}$"
ExtensionNumber = Annotated[str, Meta(pattern=EXTENSION_NUMBER)]
"""Whether there is such an extension is another question, which the routing answers."""
