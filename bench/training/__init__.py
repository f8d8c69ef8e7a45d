"""Training: one loop, and for each method what its batches are made of (`recipes.RECIPES`)."""
