"""Documents to tokens to packed, resumable rows."""
