"""The commands of `bench`, one file each: `add_parser` describes its arguments, and its function mirrors the library.

Nothing heavy is imported at the top of these files, so that `bench list` and `bench --help` answer at once.
"""
