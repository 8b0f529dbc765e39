"""The stages, one a module, in the order in which a build applies them."""
