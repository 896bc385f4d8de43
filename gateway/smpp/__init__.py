"""SMPP 3.4 and the 5.0 binds on octets: framing, fields, TLVs, texts, receipts."""
