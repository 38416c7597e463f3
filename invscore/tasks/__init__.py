"""From words to inverse problems: operators by name, specifications, tasks with their truth."""
