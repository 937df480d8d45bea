"""The report for people: one HTML file with the verdict and charts, and pictures of the charts."""
