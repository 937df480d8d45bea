"""What people look at: one HTML file with the verdict and its charts, pictures of them, frames for notebooks."""
