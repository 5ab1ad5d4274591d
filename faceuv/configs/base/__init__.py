"""What recipes share. A recipe inherits from here, and a user's config from the recipe: two levels, no more."""
