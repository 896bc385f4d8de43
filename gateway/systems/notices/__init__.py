"""Notices: SPs hear of their subscribers' refusals, in order and until they have taken them."""
