"""Programs: who computes which piece of the step, and when."""
