#!/bin/sh
# report-installed.sh ROOT
# For an installer (boot mode install), once its system is on the disk that is mounted at ROOT, and before it reboots: leaves
# there the configuration of this boot, which holds the report token, and tells the server. From that word on the machine
# boots from its disk; without it, it would be installed again. It waits for the server's word that it was written down.
here=${0%/*}
[ "$here" != "$0" ] || here=.
# shellcheck source=boot-assets/first-boot/lib.sh
. "$here/lib.sh"

PILOTLIGHT_DIR=${PILOTLIGHT_DIR:-/etc/pilotlight}
root=${1:-}
if [ "$#" -ne 1 ] || [ ! -d "$root" ]; then
  say "usage: report-installed.sh ROOT, where ROOT is the directory at which the installed system is mounted"
  exit 2
fi
load_boot
target=$root/etc/pilotlight
mkdir -p "$target"
# Whole or not at all, and readable for root alone: umask is 077.
cp "$PILOTLIGHT_DIR/cluster-config.json" "$target/.cluster-config.new"
chmod 600 "$target/.cluster-config.new"
mv "$target/.cluster-config.new" "$target/cluster-config.json"
# On the disk before it is said: what follows may be a power cut.
sync
report installed succeeded
if ! deliver_all; then
  say "the server did not take the report: do not reboot yet, and run this again"
  exit 1
fi
say "installed: this machine boots from its disk from now on"
