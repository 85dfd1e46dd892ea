#!/usr/bin/env bash
# A certificate authority of your own, by openssl alone: ca.pem and ca.key (mode 0600) in DIR (default: .agentworks/own-ca).
# Usage: scripts/generate_ca.sh [DIR]
set -euo pipefail
umask 077

if [[ "${1:-}" == "--help" || "${1:-}" == "-h" || $# -gt 1 ]]; then
  sed -n '2,3s/^# //p' "$0"
  [[ $# -le 1 ]]
  exit
fi
command -v openssl >/dev/null || { echo "openssl is not installed." >&2; exit 1; }

dir=${1:-.agentworks/own-ca}
for file in "$dir/ca.pem" "$dir/ca.key"; do
  if [[ -e "$file" ]]; then
    echo "$file exists: remove it first if you really want a new CA; every agent must then be certified again." >&2
    exit 1
  fi
done
mkdir -p "$dir"
work=$(mktemp -d "$dir/.new.XXXXXX")
trap 'rm -rf "$work"' EXIT

# A configuration of our own, so that the machine's openssl.cnf adds nothing.
cat >"$work/ca.cnf" <<'CNF'
[req]
prompt = no
distinguished_name = name
x509_extensions = ca
[name]
CN = agentworks CA
[ca]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
CNF
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/ca.key" 2>/dev/null
openssl req -x509 -new -config "$work/ca.cnf" -key "$work/ca.key" -sha256 -days 3650 -out "$work/ca.pem"
mv "$work/ca.key" "$dir/ca.key"
mv "$work/ca.pem" "$dir/ca.pem"
chmod 644 "$dir/ca.pem"

cat <<TEXT
CA certificate  $dir/ca.pem
CA private key  $dir/ca.key  (keep it off the agents' machines)

Next:
  scripts/generate_agent_cert.sh AGENT_ID $dir    certify an agent
  npm start -- --client-ca $dir/ca.pem            let the embedded broker trust this CA
TEXT
