"""reflow beside other tools and beside the limits, how it scales, and what its commands take."""
