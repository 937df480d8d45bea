"""Who owns an account: labels, the common-input closure, mining entities by hop."""
