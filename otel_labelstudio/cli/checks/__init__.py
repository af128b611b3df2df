"""What ``otel-labelstudio check`` looks at, one module each; each gives findings and changes nothing."""
