"""The very same core on virtual time: scenarios, the people who play them, and what came of it."""
