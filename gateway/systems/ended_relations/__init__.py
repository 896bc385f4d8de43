"""Relations of subscribers and SPs that have ended, and what is forgotten of them."""
