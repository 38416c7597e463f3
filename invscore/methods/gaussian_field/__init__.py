"""Gaussian fields that are stationary but for a local scale, and their posteriors."""
