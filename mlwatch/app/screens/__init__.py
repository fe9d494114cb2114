"""One module a screen; `base` is what they share."""
