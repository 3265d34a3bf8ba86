#!/bin/sh
# Writes the secrets and the folders docker-compose.yml expects. Run it once, as root, in the project's
# folder; a secret that exists is left as it is.
set -eu
cd "$(dirname "$0")/.."
secrets=${PORTAL_SECRETS_DIR:-secrets}
backups=${PORTAL_BACKUPS_DIR:-backups}

# The folder keeps other users of this machine out; the files are read by the containers' own users.
install -d -m 0700 "$secrets"
for name in secret_key database_password; do
    if [ ! -s "$secrets/$name" ]; then
        (umask 022 && od -An -N48 -tx1 /dev/urandom | tr -d ' \n' > "$secrets/$name")
        chmod 0444 "$secrets/$name"
        echo "$secrets/$name written"
    fi
done

# For certificates of your own; empty with a public or internal one.
install -d -m 0755 "${PORTAL_CERTIFICATES:-deploy/certificates}"

# 10001 is the user of the portal's image.
install -d -m 0700 "$backups"
if [ "$(id -u)" = 0 ]; then
    chown 10001:10001 "$backups"
else
    echo "Not root: give $backups to user 10001 yourself, or backups cannot be written." >&2
fi
[ -f .env ] || { cp .env.example .env && chmod 0600 .env && echo ".env written; edit it before the first start"; }
