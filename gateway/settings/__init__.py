"""Configuration and policy bundles: YAML in, plain frozen values or every fault out."""
