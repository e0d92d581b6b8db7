#!/bin/sh
# Checks every service of this machine's role by the endpoints of the catalogue, and the quorum of both Raft groups as far
# as this machine sees it. It runs to its end also when a step before it failed, and then says so.
here=${0%/*}
[ "$here" != "$0" ] || here=.
# shellcheck source=boot-assets/first-boot/lib.sh
. "$here/lib.sh"
# shellcheck source=boot-assets/first-boot/health.sh
. "$here/health.sh"
# shellcheck source=boot-assets/first-boot/quorum.sh
. "$here/quorum.sh"

HEALTH_SECONDS=${PILOTLIGHT_HEALTH_SECONDS:-120}
step=cluster-health-check
load_boot

report "$step" started
# In the unit's order they have ended; one that failed is being tried again, and a node is ready by all four.
for earlier in chainfire-cluster-join flaredb-cluster-join iam-initial-setup; do
  until [ -e "$PILOTLIGHT_RUN/done.$earlier" ]; do
    tell "$step" "$earlier has not succeeded yet"
    sleep "$ASK_AGAIN_SECONDS"
  done
done

# shellcheck disable=SC2086 # a list of names
wait_for_health "$step" "$HEALTH_SECONDS" $SERVICES || step_failed "$step" "$ill"

quorum_seconds=$((HEALTH_SECONDS > 60 ? 60 : HEALTH_SECONDS))
deadline=$(($(now_seconds) + quorum_seconds))
while :; do
  count_voters
  facts='' why=''
  while read -r raft voters healthy_voters; do
    facts="$facts\"${raft}_voters\": $voters, \"${raft}_healthy_voters\": $healthy_voters, "
    [ "$healthy_voters" -ge $((voters / 2 + 1)) ] ||
      why="${why:-no quorum: $healthy_voters of $voters $raft voters answer as healthy members}"
  done <"$QUORUM"
  [ -n "$why" ] || break
  [ "$(now_seconds)" -lt "$deadline" ] || step_failed "$step" "$why"
  tell "$step" "$why"
  sleep "$ASK_AGAIN_SECONDS"
done
# What this node has, so that the server can tell when it is not what it gave.
config_sha256=$(sha256sum "${PILOTLIGHT_DIR:-/etc/pilotlight}/cluster-config.json" 2>/dev/null) || config_sha256=
quote "${config_sha256%% *}"
[ "$quoted" = '""' ] || facts="$facts\"config_sha256\": $quoted, "
step_succeeded "$step" '' "\"facts\": {${facts%, }}"
say "this node is ready"
