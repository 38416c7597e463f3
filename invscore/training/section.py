"""What the parts of a training configuration have in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Keys and values of a mapping in YAML: unknown keys are errors, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True)
