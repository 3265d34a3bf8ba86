"""What building the portal needs and running it does not."""
