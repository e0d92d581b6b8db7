#!/bin/sh
# cluster-join.sh --service chainfire|flaredb
# Founds the service's cluster, joins it, or resumes, as the server's gate says. Harmless when it runs again.
here=${0%/*}
[ "$here" != "$0" ] || here=.
# shellcheck source=boot-assets/first-boot/lib.sh
. "$here/lib.sh"
# shellcheck source=boot-assets/first-boot/health.sh
. "$here/health.sh"

HEALTH_SECONDS=${PILOTLIGHT_HEALTH_SECONDS:-180}
MEMBER_SECONDS=${PILOTLIGHT_MEMBER_SECONDS:-120}
MAX_TRIES=${PILOTLIGHT_MAX_TRIES:-10}

if [ "${1:-}" != --service ] || { [ "${2:-}" != chainfire ] && [ "${2:-}" != flaredb ]; }; then
  say "usage: cluster-join.sh --service chainfire|flaredb"
  exit 2
fi
service=$2
step=$service-cluster-join
load_boot
port=$(setting PORT "$service")
data_dir=${PILOTLIGHT_DATA:-/var/lib}/$service
marker_file=$data_dir/.pilotlight-marker
raft_addr=$RAFT_HOST:$((port + 1))

# The marker as the gate wants it: a blank start is no data.
own_marker() {
  marker=$(head -c 256 "$marker_file" 2>/dev/null || true)
  case $marker in "$CLUSTER_ID":0:*) ;; *) printf '%s' "$marker" ;; esac
}

# Written before anything is sent: after a power cut it tells whose data this is, whether the join got in or not.
write_marker() {
  mkdir -p "$data_dir"
  printf '%s:%s:%s' "$CLUSTER_ID" "$gate_epoch" "$gate_member" >"$marker_file.new"
  mv "$marker_file.new" "$marker_file"
}

# send URL   posts $SENT; 0 when the service took it, also when it knows it already.
SENT=$PILOTLIGHT_RUN/send.$service.json
send() {
  target=$1
  answer=$(service_post "$target" <"$SENT")
  case $answer in
  200 | 201 | 204 | 409) return 0 ;;
  404 | 405) step_failed "$step" "endpoint-not-found: $target answered $answer" ;;
  *) return 1 ;;
  esac
}

found() {
  # No founding endpoint: the service's own start with this configuration is the founding.
  path=$(setting FOUND "$service")
  [ -n "$path" ] || return 0
  quote "$CLUSTER_ID"
  cluster=$quoted
  quote "$gate_member"
  printf '{"cluster_id": %s, "member_id": %s, "raft_addr": "%s"}' "$cluster" "$quoted" "$raft_addr" >"$SENT"
  send "https://localhost:$port$path"
}

join() {
  path=$(setting JOIN "$service")
  [ -n "$path" ] || step_failed "$step" "nothing was sent: endpoint-not-found: the cluster's settings name no join endpoint of $service"
  [ -n "$gate_leader" ] || return 1
  # Where the service takes learners, a voter joins as one and is promoted once it has caught up.
  voter=$gate_voter
  [ -z "$(setting PROMOTE "$service")" ] || voter=false
  quote "$gate_member"
  member=$quoted
  quote "$NODE_ID"
  printf '{"id": %s, "name": %s, "raft_addr": "%s", "voter": %s}' "$member" "$quoted" "$raft_addr" "$voter" >"$SENT"
  send "$gate_leader$path"
}

promote() {
  path=$(setting PROMOTE "$service")
  if [ -z "$path" ] || [ "$gate_action" != join ] || [ "$gate_voter" != true ]; then return 0; fi
  printf '{}' >"$SENT"
  # Of a promotion 409 is no success: a leader says so of a learner that has not caught up.
  send "$gate_leader${path%%\{id\}*}$gate_member${path#*\{id\}}" && [ "$answer" != 409 ]
}

# The data of a member that was removed: the service starts again, blank. systemd restarts this script with it.
set_aside() {
  report "$step" progress 'the data of a removed member is moved aside'
  : >"$PILOTLIGHT_RUN/set-aside.$service"
  systemctl restart --no-block "$service.service"
  waited=0
  while [ -e "$PILOTLIGHT_RUN/set-aside.$service" ]; do
    waited=$((waited + 1))
    [ "$waited" -le "$HEALTH_SECONDS" ] || step_failed "$step" "nothing was sent: $service did not start again without its old data"
    sleep 1
  done
}

wait_for_service() {
  # Before the join it is healthy without being leader or follower.
  health_ignored=raft
  wait_for_health "$step" "$HEALTH_SECONDS" "$service" ||
    step_failed "$step" "nothing was sent: $service is not healthy after $HEALTH_SECONDS s: $health_word: $health_why"
  health_ignored=''
}

report "$step" started
wait_for_service
tries=0
while :; do
  pass_gate "$step" "$(own_marker)"
  case $gate_action in
  resume | skip) break ;;
  set-aside)
    set_aside
    wait_for_service
    continue
    ;;
  found | join)
    # A member without a vote has no row of its own at the server: its name is the one in its configuration.
    [ -n "$gate_member" ] || gate_member=$MEMBER_ID
    write_marker
    ;;
  *) step_failed "$step" "nothing was sent: the gate said $gate_action, which this image does not know" ;;
  esac
  target='' answer=''
  if "$gate_action"; then break; fi
  tries=$((tries + 1))
  why="${target:-the gate} answered ${answer:-without a leader}"
  [ "$tries" -lt "$MAX_TRIES" ] || step_failed "$step" "$why $tries times: $(head -c 120 "$PILOTLIGHT_RUN/service.error" 2>/dev/null || true)"
  # The gate is asked again: the leader may be another one by now.
  report "$step" progress "$why, trying again"
  sleep $((tries < 5 ? tries * 2 : 10))
done

if ! wait_for_health "$step" "$MEMBER_SECONDS" "$service"; then
  step_failed "$step" "$service took the $gate_action but is no healthy member after $MEMBER_SECONDS s: $health_word: $health_why"
fi
tries=0
until promote; do
  tries=$((tries + 1))
  [ "$tries" -lt "$MAX_TRIES" ] || step_failed "$step" "$target answered $answer $tries times"
  sleep $((tries < 5 ? tries * 2 : 10))
done
# Of a healthy member: its role, and how large it says its cluster is.
quote "${health_why% *}"
step_succeeded "$step" '' \
  "\"slot_no\": $gate_slot, \"epoch\": $gate_epoch, \"facts\": {\"raft\": $quoted, \"cluster_size\": ${health_why##* }}"
