"""The vendor's series: from files, from its API by its own client."""
