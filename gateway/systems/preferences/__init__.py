"""What subscribers want to receive (用户接收策略): followed, and changed as they say."""
