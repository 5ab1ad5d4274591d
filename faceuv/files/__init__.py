"""Files: atomic writes, weights as safetensors, assets of the user, the cache, the zoo."""
