"""Maximum a posteriori estimates: optimisers of the posterior density, smoothed step by step."""
