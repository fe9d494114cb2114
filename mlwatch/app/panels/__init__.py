"""The pieces that screens are made of; each draws one part of a view."""
