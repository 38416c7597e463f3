"""Parts of several methods, from the initial guess to proximal steps."""
