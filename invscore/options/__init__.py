"""What users may say: options, their ranges, configurations, and faults told in a sentence."""
