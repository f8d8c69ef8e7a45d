"""`bench report --serve`: the site of a results folder during runs, on this machine only."""
