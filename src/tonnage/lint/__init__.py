"""Rules that find waste of disk in what users wrote, and fixes that change nothing else. Pure: text to findings."""
