"""Attention, cross-entropy, norms and the other arithmetic that models are made of; one device, no distribution."""
