"""Cases (派单): campaigns that subscribers complain of, and who must act by when."""
