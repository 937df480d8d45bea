"""Whose account is whose: labels, the common-input closure, mining accounts, pools."""
