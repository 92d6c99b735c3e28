"""banlistd-notify: reads the events of the daemon, and sees to it that each notice reaches its receivers."""
