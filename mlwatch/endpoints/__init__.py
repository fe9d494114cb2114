"""Polling of live model endpoints: what is asked, what was answered, and what that means in plain words."""
