#!/usr/bin/env bash
# Builds the Collector of manifest.yaml and prints where it is. Needs Go 1.26 or newer; takes some minutes once, and
# nothing as long as the manifest stays the same: what was built is kept in the user's cache directory.
set -euo pipefail
cd "$(dirname "$0")"

version=$(sed -n 's/^  version: //p' manifest.yaml)
kept="${XDG_CACHE_HOME:-$HOME/.cache}/otel-labelstudio/collector/$(sha256sum manifest.yaml | cut -c1-12)"
mkdir -p "$kept"
exec 9> "$kept/lock"
flock 9 # two that build at once would do the same work twice
if [ ! -x "$kept/otelcol" ]; then
  echo "Building the OpenTelemetry Collector $version; this takes some minutes, once." >&2
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  cp manifest.yaml "$work"
  GOBIN="$work" go install "go.opentelemetry.io/collector/cmd/builder@v$version" >&2
  (cd "$work" && CGO_ENABLED=0 ./builder --config=manifest.yaml >&2)
  mv "$work/build/otelcol" "$kept/otelcol"
fi
echo "$kept/otelcol"
