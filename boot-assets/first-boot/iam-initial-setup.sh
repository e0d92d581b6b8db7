#!/bin/sh
# Creates IAM's first administrator, once per cluster. The password comes from the server's gate and is in no argument,
# log or report; the server keeps it, sealed, for the operator.
here=$(dirname "$0")
# shellcheck source=boot-assets/first-boot/lib.sh
. "$here/lib.sh"

HEALTH_SECONDS=${PILOTLIGHT_HEALTH_SECONDS:-120}
step=iam-initial-setup
load_boot

fail() {
  rm -f "$PILOTLIGHT_RUN/gate-$step.json"
  report "$step" failed "$1"
  deliver_all || true
  exit 1
}

report "$step" started
if ! wait_for_health iam '.status == "healthy" and .database == "connected"' "$HEALTH_SECONDS"; then
  fail "nothing was sent: IAM is not healthy after $HEALTH_SECONDS s: $(last_health iam)"
fi
pass_gate "$step" ''
if [ "$gate_action" = setup ]; then
  [ -n "${SETUP_iam:-}" ] || fail "endpoint-not-found: the cluster's settings name no set-up endpoint of IAM"
  # shellcheck disable=SC2154
  answer=$(jq -c .secret "$GATE" | service_post "https://localhost:$PORT_iam$SETUP_iam")
  case $answer in
  200 | 201 | 409) ;;
  404 | 405) fail "endpoint-not-found: $SETUP_iam answered $answer" ;;
  *) fail "$SETUP_iam answered $answer" ;;
  esac
fi
rm -f "$PILOTLIGHT_RUN/gate-$step.json"
report "$step" succeeded "$gate_action" "{\"slot_no\": $gate_slot, \"epoch\": $gate_epoch}"
deliver_all
