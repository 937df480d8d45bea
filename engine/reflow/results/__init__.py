"""The folder that recompute writes: one writer, one reader, frames."""
