"""Codes by SMS (短信验证码) that prove to the gateway whose a number is (R51)."""
