"""The program banlistd-notify."""
