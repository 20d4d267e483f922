"""The families that can be built: name -> one line for people."""

FAMILIES = {
    "llama": "rotary positions, grouped-query attention, SwiGLU feed-forward, RMS norms",
}
