"""What monitoring asks for: metrics and health."""
