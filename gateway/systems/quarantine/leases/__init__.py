"""Who has which held message: for 90 seconds no other reviewer gets the same one."""
