"""The raw records of the store: filter, sort, page, look at one, export; nothing here draws."""
