"""Durable, layout-free checkpoints: safetensors pieces and a manifest written last."""
