#!/bin/bash
# A base for the images out of Debian's packages, where no registry of images is reached:
#   tools/base_image.sh base.tar [MIRROR...]
# MIRROR is what mmdebstrap takes: a URI, or lines of sources.list; none: Debian's own. It is what apt uses in the
# images, too. The same packages give the same bytes (SOURCE_DATE_EPOCH is the last commit's time unless it is set).
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
out=$1
shift
here=$(dirname "$0")
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$here" log -1 --format=%ct 2>/dev/null || date +%s)}

# Python and what makes a virtual environment; pages and translations that nobody reads in a container stay out.
exec mmdebstrap --variant=minbase \
  --include=ca-certificates,python3,python3-venv,python-is-python3 \
  --aptopt='Acquire::Languages "none"' \
  --aptopt='APT::Install-Recommends "false"' \
  --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  bookworm "$out" "$@"
