#!/bin/sh
# Draws passwords and keys, once, into .env beside this file, which only its owner may read.
set -eu
cd "$(dirname "$0")"
[ ! -e .env ] || { echo ".env is there already; it is kept."; exit 0; }
drawn() { head -c 64 /dev/urandom | od -An -tx1 | tr -d ' \n' | head -c 40; }
umask 077
cat > .env <<END
POSTGRES_PASSWORD=$(drawn)
LABEL_STUDIO_USERNAME=admin@example.com
LABEL_STUDIO_PASSWORD=$(drawn)
LABEL_STUDIO_API_KEY=$(drawn)
OTEL_LABELSTUDIO_TOKEN=$(drawn)
END
echo "Written: .env"
