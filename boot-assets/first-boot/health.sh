# shellcheck shell=sh
# Asks services of this machine for their health; beside lib.sh. What means health stands in health-checks.json, which is
# made from the catalogue of services; ports and paths come from this machine's configuration.

HEALTH_CHECKS=${here:-.}/health-checks.json
# Seconds for one question.
ASK_SECONDS=5

# A field that does not count: before a join nobody is leader or follower yet.
health_ignored=''

# What was found of each service, a line each: SERVICE WORD DETAIL. The words are the server's own (docs/boot-protocol.md,
# Health); of a healthy Raft service the detail is its role and how large it says its cluster is.
VERDICTS=$PILOTLIGHT_RUN/health.verdicts

# After health_of: the last of what is ill, or of all where nothing is; the names of what is ill; all of it as a sentence.
health_word='' health_why='' ill_services='' ill=''

# health_of SERVICE ...   asks every endpoint of these services, side by side; 0 when all say health.
# shellcheck disable=SC2034 # the scripts that read this file use what it sets
health_of() {
  : >"$VERDICTS"
  to_judge=''
  # shellcheck disable=SC2046 # a list of names
  ask_https $(reachable_by_dns "$@")
  # shellcheck disable=SC2086
  [ -z "$to_judge" ] || judge $to_judge
  ill_services='' ill=''
  while read -r service_name word why; do
    if [ "$word" = healthy ]; then
      [ -n "$ill" ] || health_word=$word health_why=$why
    else
      health_word=$word health_why=$why ill_services="$ill_services $service_name"
      ill="$ill${ill:+; }$service_name: $word: $why"
    fi
  done <"$VERDICTS"
  [ -z "$ill" ]
}

# wait_for_health STEP SECONDS SERVICE ...   asks until all are healthy or the time is up, and reports what it waits for.
wait_for_health() {
  waiting_step=$1
  deadline=$(($(now_seconds) + $2))
  shift 2
  until health_of "$@"; do
    [ "$(now_seconds)" -lt "$deadline" ] || return 1
    tell "$waiting_step" "$ill"
    sleep "$ASK_AGAIN_SECONDS"
    # shellcheck disable=SC2086
    set -- $ill_services
  done
}

verdict() { printf '%s\n' "$*" >>"$VERDICTS"; }

# --- HTTPS -------------------------------------------------------------------------------------------------------

# ask_https SERVICE ...   a verdict for each whose answer is none; what answered 200 goes to $to_judge.
ask_https() {
  [ $# -gt 0 ] || return 0
  names=$*
  set --
  for name in $names; do
    : >"$PILOTLIGHT_RUN/health.$name"
    set -- "$@" -o "$PILOTLIGHT_RUN/health.$name" --url "$(health_url "$name")"
  done
  ask_side_by_side -w '%{urlnum} %{exitcode} %{http_code} %{time_appconnect} %{errormsg}\n' "$@" >"$PILOTLIGHT_RUN/health.answers"
  while read -r number code status shaken_at error; do
    # shellcheck disable=SC2086
    set -- $names
    shift "$number"
    case $code:$status in
    0:200) to_judge="$to_judge $1" ;;
    0:*) verdict "$1" status "status $status" ;;
    *) no_answer "$1" "$code" "$shaken_at" "$error" ;;
    esac
  done <"$PILOTLIGHT_RUN/health.answers"
}

health_url() { printf 'https://localhost:%s%s' "$(setting PORT "$1")" "$(setting HEALTH "$1")"; }

# no_answer SERVICE CURL-CODE SECONDS-TO-HANDSHAKE ERROR
no_answer() {
  url=$(health_url "$1")
  case $2 in
  7) verdict "$1" refused "nothing listens on $url" ;;
  28) silence "$1" "$3" timeout "$url did not answer within $ASK_SECONDS s" ;;
  # Over a port that speaks something else after its handshake, HTTP gets no answer or a broken one.
  1 | 8 | 52 | 56) silence "$1" "$3" not-http "$url does not answer HTTP" ;;
  # A certificate of another CA with the same name fails in the handshake, by its signature.
  35 | 51 | 60)
    if [ "$2" = 35 ] && ! printf '%s' "$4" | grep -Eqi 'certificate|signature|padding|rsa|ecdsa'; then
      verdict "$1" no-tls "$url does not speak TLS"
    else
      verdict "$1" bad-certificate "the certificate of $url is not signed by the cluster's CA for this name"
    fi
    ;;
  *) verdict "$1" unreachable "$(printf '%s' "$4" | head -c 160)" ;;
  esac
}

# silence SERVICE SECONDS-TO-HANDSHAKE WORD DETAIL   a handshake and then no HTTP: on FlashDNS's port that is DNS over TLS,
# which is health too.
silence() {
  case $2 in 0 | 0.000000 | '') shaken=no ;; *) shaken=yes ;; esac
  if [ "$shaken" = yes ] && [ "$(jq -r --arg s "$1" 'any(.[$s][]; .or_dns_over_tls == true)' "$HEALTH_CHECKS")" = true ]; then
    verdict "$1" healthy 'it speaks TLS and no HTTP: DNS over TLS'
  else
    verdict "$1" "$3" "$4"
  fi
}

# judge SERVICE ...   are the answers in health.SERVICE what the catalogue expects? One jq for all.
judge() {
  names=$*
  set --
  for name in $names; do set -- "$@" --rawfile "$name" "$PILOTLIGHT_RUN/health.$name"; done
  # shellcheck disable=SC2016
  jq -nr --arg ignored "${health_ignored:-}" --slurpfile checks "$HEALTH_CHECKS" "$@" '
    def wanted: if .values then .values | join(" or ") else "a value of type \(.type)" end;
    def fits($rule): if $rule.type == "integer" then type == "number" and floor == .
      else type == "string" and ($rule.values == null or (. as $v | any($rule.values[]; . == $v))) end;
    def size: if type == "number" and floor == . then . else 0 end;
    def verdict($check): . as $text
      | if $check.kind == "text" then
          if ($text | gsub("^\\s+|\\s+$"; "")) == $check.body then "healthy" else "wrong-body want \($check.body)" end
        else (try ($text | fromjson) catch null) as $body
          | if ($body | type) != "object" then "not-json the answer is no JSON object"
            else [$check.fields | to_entries[] | .value as $rule | $body[.key] as $value
              | select(.key != $ignored and ($value | fits($rule) | not))
              | "\(.key) is \($value | tojson), want \($rule | wanted)"] as $wrong
            | if $wrong != [] then "wrong-field " + ($wrong | join("; "))
              elif $check.fields.raft then "healthy \($body.raft) \($body.cluster_size | size)" else "healthy" end end end;
    $checks[0] as $catalogue | $ARGS.named | to_entries[] | .key as $service
    | select($catalogue | has($service))
    | [$catalogue[$service][] | select(.kind != "dns")][0] as $check
    | "\($service) \(.value | verdict($check) | gsub("\n"; " "))"' >>"$VERDICTS" 2>/dev/null ||
    for name in $names; do verdict "$name" not-json 'the answer cannot be read'; done
}

# --- DNS: a query over TCP, which curl can carry by its telnet scheme ------------------------------------------------

# reachable_by_dns SERVICE ...   prints those whose HTTPS is worth asking: all but a DNS server that answers no query.
reachable_by_dns() {
  for name; do
    if [ "$name" != flashdns ] || dns_health "$name"; then printf '%s ' "$name"; fi
  done
}

dns_health() {
  read -r asked address <<NAME_AND_ADDRESS
$(jq -r --arg s "$1" '.[$s][] | select(.kind == "dns") | .name + " " + .address' "$HEALTH_CHECKS")
NAME_AND_ADDRESS
  dns_port=$(setting DNS_PORT "$1")
  code=0
  # DNS servers keep the connection: the answer is what came by then.
  answer=$(dns_question "$asked" | curl -sS --proto '=telnet' --max-time 2 --url "telnet://localhost:$dns_port" 2>/dev/null |
    od -An -v -tx1 | tr -d ' \n') || code=$?
  # 4-byte groups: length, our id; a response without an error; an A record with the address.
  data=0004$(hex_of "$address")
  case $answer in
  ????504c[89a-f]??0*00010001????????"$data"*) return 0 ;;
  '') verdict "$1" refused "no answer from the DNS server on port $dns_port" ;;
  *) verdict "$1" wrong-answer "the DNS server does not answer $address for $asked" ;;
  esac
  return 1
}

# A length, a header with the id 504c and one question, the name, type A, class IN.
dns_question() {
  labels=''
  rest=$1.
  while [ -n "$rest" ]; do
    label=${rest%%.*}
    rest=${rest#*.}
    labels=$labels$(printf '\\%03o%s' "${#label}" "$label")
  done
  printf '%b' "\\0000$(printf '\\%04o' $((18 + ${#1})))PL\\0001\\0000\\0000\\0001\\0000\\0000\\0000\\0000\\0000\\0000$(
    printf '%s' "$labels" | sed 's/\\/\\0/g')\\0000\\0000\\0001\\0000\\0001"
}

hex_of() {
  printf '%s' "$1" | tr . '\n' | while read -r part || [ -n "$part" ]; do printf '%02x' "$part"; done
}
