"""SMS codes (短信验证码) that prove to the gateway that a subscriber owns a number (R51)."""
