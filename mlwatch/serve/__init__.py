"""The app in a browser: one process owns the store, each tab is a process that asks it."""
