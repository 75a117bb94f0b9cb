"""The commands that need no full screen, one file each. They import what they need late."""
