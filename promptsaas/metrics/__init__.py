"""What operators may read of the running product: which process tells what, and how the state is read."""
