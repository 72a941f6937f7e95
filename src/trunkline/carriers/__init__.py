"""What differs between carriers, and what their answers mean."""
