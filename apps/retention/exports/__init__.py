"""An archive of everything that an organization owns, made in pieces that survive whatever is killed."""
