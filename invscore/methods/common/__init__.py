"""What several methods share, from the initial guess to proximal steps."""
