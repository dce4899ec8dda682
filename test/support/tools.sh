#!/bin/sh
# Installs what tests run on the machine itself where it is missing. Arguments: COMMAND, or COMMAND:PACKAGE where the
# package has another name.
set -eu

missing=
for tool; do
  command -v "${tool%:*}" >/dev/null 2>&1 || missing="$missing ${tool#*:}"
done
[ -z "$missing" ] || {
  apt-get update -qq
  # shellcheck disable=SC2086 # several words
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
}
