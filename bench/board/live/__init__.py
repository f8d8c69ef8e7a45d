"""`bench report --serve`: the site of a results folder while runs go on, on this machine alone."""
