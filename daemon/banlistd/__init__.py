"""banlistd keeps the firewall exactly equal to the IP blocklists that you choose."""
