"""Messages to people who must act: what is told (lifecycle/tellings.py) goes out on channels, once each."""
