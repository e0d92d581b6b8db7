#!/bin/sh
# check-data.sh --service chainfire|flaredb
# Before a Raft service starts: is the data that lies there this machine's own, and may it be used? Empty starts blank; what
# the configuration names is kept; older data of this machine in this cluster is moved aside, never deleted; anything else
# is foreign, and nothing starts on it. The marker beside the data says whose it is: cluster_id:epoch:member_id.
here=${0%/*}
[ "$here" != "$0" ] || here=.
# shellcheck source=boot-assets/first-boot/lib.sh
. "$here/lib.sh"

if [ "${1:-}" != --service ] || { [ "${2:-}" != chainfire ] && [ "${2:-}" != flaredb ]; }; then
  say "usage: check-data.sh --service chainfire|flaredb"
  exit 2
fi
service=$2
load_boot
data_dir=${PILOTLIGHT_DATA:-/var/lib}/$service
marker_file=$data_dir/.pilotlight-marker
# The member whose data may be used: the two Raft groups are founded apart, and so their data may differ.
keep_data=$(setting KEEP_DATA "$service")
decided=$PILOTLIGHT_RUN/data-checked.$service

# Data beside what a new file system brings along, and what was moved aside before.
has_data() {
  for entry in "$data_dir"/* "$data_dir"/.[!.]*; do
    case ${entry##*/} in '*' | '.[!.]*' | lost+found | .pilotlight-marker | .set-aside) continue ;; esac
    if [ -e "$entry" ] || [ -L "$entry" ]; then return 0; fi
  done
  return 1
}

# Out of the way of the service, on the same disk: beside the directory, or in it where it is a disk of its own.
move_aside() {
  place=$data_dir.set-aside
  mkdir -p "$place"
  if [ "$(stat -c %d "$place")" != "$(stat -c %d "$data_dir")" ]; then
    rmdir "$place"
    place=$data_dir/.set-aside
  fi
  count=1
  while [ -e "$place/$count" ]; do count=$((count + 1)); done
  mkdir -p "$place/$count"
  for entry in "$data_dir"/* "$data_dir"/.[!.]*; do
    case ${entry##*/} in '*' | '.[!.]*' | lost+found | .set-aside) continue ;; esac
    if [ -e "$entry" ] || [ -L "$entry" ]; then mv -- "$entry" "$place/$count/"; fi
  done
  say "$service: data of ${marker:-nobody} moved to $place/$count"
}

start_blank() {
  mkdir -p "$data_dir"
  # Epoch 0: it was never a member. A machine that loses power before its join finds that this is only its own beginning.
  printf '%s:0:%s' "$CLUSTER_ID" "$MEMBER_ID" >"$marker_file"
}

foreign() {
  if [ ! -e "$PILOTLIGHT_RUN/foreign.$service" ]; then
    : >"$PILOTLIGHT_RUN/foreign.$service"
    report "$service-cluster-join" failed "foreign-data: $data_dir $1; look at it, and move it away if nobody needs it"
  fi
  say "$data_dir $1: $service is not started"
  exit 1
}

marker=
[ ! -r "$marker_file" ] || marker=$(head -c 256 "$marker_file")
if [ -e "$PILOTLIGHT_RUN/set-aside.$service" ]; then
  move_aside
  start_blank
  rm -f "$PILOTLIGHT_RUN/set-aside.$service"
  : >"$decided"
  exit 0
fi
# Decided once a boot: a service that is started again finds the data that it made itself.
[ ! -e "$decided" ] || exit 0

if ! has_data; then
  start_blank
  : >"$decided"
  exit 0
fi

[ -n "$marker" ] || foreign 'holds data without a marker of whose it is'
marker_cluster=${marker%%:*}
marker_member=${marker##*:}
marker_epoch=${marker#*:}
marker_epoch=${marker_epoch%%:*}
marker_node=${marker_member%.*}
marker_life=${marker_member##*.}
own_life=${MEMBER_ID##*.}
case $marker_epoch:$marker_life:$own_life:$EPOCH in
*[!0-9:]* | *::* | :* | *:) foreign "holds a marker that cannot be read" ;;
esac
[ "$marker_cluster" = "$CLUSTER_ID" ] || foreign "holds data of another cluster ($marker)"
# A machine that was renamed has data of its earlier name, which the configuration then names.
[ "$marker_node" = "${MEMBER_ID%.*}" ] || [ "$marker_member" = "$keep_data" ] || foreign "holds data of another machine ($marker)"
# The configuration of an installed system is as old as its installation: what its own services wrote since is of that
# member or of a later one.
is_own_since() {
  [ -n "${INSTALLED:-}" ] && [ "$marker_epoch" -gt 0 ] && [ "$marker_epoch" -ge "$EPOCH" ] && [ "$marker_life" -ge "$own_life" ]
}
if is_own_since; then
  say "$service: starts with the data of $marker, made since the installation"
elif [ "$keep_data" = any ] || { [ "$marker_member" = "$keep_data" ] && [ "$marker_epoch" -gt 0 ]; }; then
  say "$service: starts with the data of $marker"
elif [ "$marker_epoch" -gt "$EPOCH" ] || [ "$marker_life" -gt "$own_life" ]; then
  foreign "holds newer data ($marker) than this configuration knows of"
else
  move_aside
  start_blank
fi
: >"$decided"
