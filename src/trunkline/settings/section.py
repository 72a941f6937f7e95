"""What all sections of the settings share."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict

E164 = re.compile(r"\+[1-9][0-9]{6,14}")


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
