#!/bin/sh
# One folder with everything a machine without a network needs: the project, its wheels, its images, and
# the checksums of each. Run it on a connected machine, in a clean checkout:
#   deploy/offline_bundle.sh [--without-images] [--without-wheels] [FOLDER]
set -eu
cd "$(dirname "$0")/.."
images=yes wheels=yes
for argument in "$@"; do
    case $argument in
        --without-images) images=no ;;
        --without-wheels) wheels=no ;;
        -*) echo "Unknown option $argument" >&2; exit 2 ;;
        *) folder=$argument ;;
    esac
done
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
folder=${folder:-bundle/mri-portal-$version}
[ ! -e "$folder" ] || { echo "$folder exists; name another folder." >&2; exit 1; }
mkdir -p "$folder"

# Style sheets, scripts and the model are files of the project, each pinned by its own checksum.
git archive --format=tar.gz --prefix="mri-portal-$version/" --output="$folder/project.tar.gz" HEAD
cp deploy/offline_install.sh "$folder/install.sh"

if [ "$wheels" = yes ]; then
    python3.11 -m pip download --quiet --require-hashes --only-binary :all: \
        --requirement requirements.txt --dest "$folder/wheels"
fi

if [ "$images" = yes ]; then
    others=$(sed -n 's/^ *image: *\([a-z].*\)$/\1/p' docker-compose.yml | grep -v '^mri-portal:' | sort -u)
    for image in $others; do docker pull --quiet "$image"; done
    docker build --quiet --tag "mri-portal:$version" .
    # One argument for each image.
    # shellcheck disable=SC2086
    docker save "mri-portal:$version" $others | gzip > "$folder/images.tar.gz"
fi

(cd "$folder" && find . -type f ! -name SHA256SUMS | LC_ALL=C sort | xargs sha256sum > SHA256SUMS)
echo "$folder is complete. Tell the people who install it, by another way than the folder itself:"
echo "SHA-256 of SHA256SUMS: $(sha256sum "$folder/SHA256SUMS" | cut -d ' ' -f 1)"
