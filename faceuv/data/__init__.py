"""Data: datasets of codes and pictures, and what is done to pictures before a network sees them."""
