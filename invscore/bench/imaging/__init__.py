"""Methods and baselines on standard imaging tasks: one configuration, honest tables, one page."""
