"""Starting the product's processes on one machine, restarting what dies, leaving nothing behind."""
