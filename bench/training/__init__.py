"""Training: one loop for all methods; a recipe defines the batches of each (`recipes.RECIPES`)."""
