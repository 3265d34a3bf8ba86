"""How fast and how large the portal is: ratios measured in one run, not tests with a clock."""
