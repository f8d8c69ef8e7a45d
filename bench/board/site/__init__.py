"""`bench report`: a results folder as a self-contained HTML site that opens from disk."""
