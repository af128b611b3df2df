"""The way back: from what people did in Label Studio to rows, events and figures."""
