#!/usr/bin/env bash
# An agent's key and certificate, signed by the CA of scripts/generate_ca.sh: DIR/agents/AGENT_ID/{cert,key}.pem, 90 days.
# Usage: scripts/generate_agent_cert.sh AGENT_ID [DIR]   (DIR default: .agentworks/own-ca)
set -euo pipefail
umask 077

if [[ "${1:-}" == "--help" || "${1:-}" == "-h" || $# -lt 1 || $# -gt 2 ]]; then
  sed -n '2,3s/^# //p' "$0"
  [[ "${1:-}" == "--help" || "${1:-}" == "-h" ]]
  exit
fi
command -v openssl >/dev/null || { echo "openssl is not installed." >&2; exit 1; }

agent=$1
dir=${2:-.agentworks/own-ca}
LC_ALL=C
if [[ ! "$agent" =~ ^[a-z0-9][a-z0-9._-]{0,63}$ ]]; then
  echo "\"$agent\" is not an agent id: 1–64 of a–z 0–9 . _ - and it starts with a letter or digit." >&2
  exit 1
fi
if [[ ! -r "$dir/ca.pem" || ! -r "$dir/ca.key" ]]; then
  echo "No CA in $dir (ca.pem, ca.key): make one by scripts/generate_ca.sh $dir" >&2
  exit 1
fi
out="$dir/agents/$agent"
for file in "$out/cert.pem" "$out/key.pem"; do
  if [[ -e "$file" ]]; then
    echo "$file exists: move it away first if you want a new certificate for $agent." >&2
    exit 1
  fi
done
mkdir -p "$out"
work=$(mktemp -d "$out/.new.XXXXXX")
trap 'rm -rf "$work"' EXIT

cat >"$work/agent.cnf" <<CNF
[req]
prompt = no
distinguished_name = name
[name]
CN = $agent
[agent]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
CNF
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/key.pem" 2>/dev/null
openssl req -new -config "$work/agent.cnf" -key "$work/key.pem" -sha256 -out "$work/request.pem"
openssl x509 -req -in "$work/request.pem" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -set_serial "0x4$(openssl rand -hex 15)" \
  -sha256 -days 90 -extfile "$work/agent.cnf" -extensions agent -out "$work/cert.pem" 2>/dev/null
openssl verify -CAfile "$dir/ca.pem" -purpose sslclient "$work/cert.pem" >/dev/null
mv "$work/key.pem" "$out/key.pem"
mv "$work/cert.pem" "$out/cert.pem"
chmod 644 "$out/cert.pem"
fingerprint=$(openssl x509 -in "$out/cert.pem" -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr 'A-F' 'a-f')

cat <<TEXT
certificate  $out/cert.pem
private key  $out/key.pem
SHA-256      $fingerprint

Next, register it; until then the broker answers certificate_unknown:
  npx agentworks agent create $agent --certificate $out/cert.pem     at the embedded broker (npm start -- --client-ca $dir/ca.pem)
  POST /v1/certificates {"agent_id": "$agent", "certificate": "<the PEM>"}     at any other, with an API key that may certificates:write
TEXT
