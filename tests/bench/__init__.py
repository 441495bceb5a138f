"""Side by side with the real tools: ratios, printed."""
