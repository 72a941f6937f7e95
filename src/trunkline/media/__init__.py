"""Sound from elsewhere: fetched from an address, under guard, and decoded whatever its format."""
