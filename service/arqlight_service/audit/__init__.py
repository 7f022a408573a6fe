"""The audit list: what is written into it, where it is kept, and for how long."""
