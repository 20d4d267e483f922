"""Architectures on one device, and the Context through which they meet the machine."""
