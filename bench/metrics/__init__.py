"""Pure functions of records: the formula once, with its direction, unit and source."""
