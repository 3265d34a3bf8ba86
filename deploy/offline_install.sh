#!/bin/sh
# Installs the bundle this script lies in, on a machine without a network:
#   ./install.sh [--without-docker] [FOLDER]        FOLDER is /opt/mri-portal unless named
# Nothing is installed unless every checksum is right. Compare the printed one with what you were told.
set -eu
bundle=$(cd "$(dirname "$0")" && pwd)
docker=yes folder=/opt/mri-portal
for argument in "$@"; do
    case $argument in
        --without-docker) docker=no ;;
        -*) echo "Unknown option $argument" >&2; exit 2 ;;
        *) folder=$argument ;;
    esac
done

cd "$bundle"
sha256sum --check --strict --quiet SHA256SUMS || { echo "The bundle is damaged; nothing was installed." >&2; exit 1; }
listed=$(wc -l < SHA256SUMS) present=$(find . -type f ! -name SHA256SUMS | wc -l)
[ "$listed" -eq "$present" ] || { echo "The bundle holds files without a checksum; nothing was installed." >&2; exit 1; }
echo "SHA-256 of SHA256SUMS: $(sha256sum SHA256SUMS | cut -d ' ' -f 1)"

# Over an older version: secrets, .env, backups and data are not in the archive and stay as they are.
mkdir -p "$folder"
tar -xzf project.tar.gz --strip-components 1 -C "$folder"

if [ "$docker" = yes ]; then
    gzip -dc images.tar.gz | docker load --quiet
    echo "Installed. Next, in $folder: deploy/prepare.sh, edit .env, docker compose up --detach --no-build"
else
    cd "$folder"
    [ -x .venv/bin/python ] || python3.11 -m venv .venv
    .venv/bin/python -m pip install --quiet --no-index --find-links "$bundle/wheels" \
        --require-hashes --requirement requirements.txt
    touch .venv/.installed
    echo "Installed. Next, in $folder: make run"
fi
