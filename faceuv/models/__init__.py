"""Face models, generators, directions and the methods built from them."""
