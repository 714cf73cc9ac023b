#!/bin/sh
# Decree with curl: http.sh http://127.0.0.1:4780
set -eu
url=${1:-http://127.0.0.1:4780}

# A key is one segment of the path, percent-encoded; a value is the body, as it is. 201: it was new.
curl --fail -sS -X PUT --data-binary 'apple' "$url/v1/kv/fruit%2F1"
curl --fail -sS "$url/v1/kv/fruit%2F1"; echo

# Only if nobody was there first; only if it is still what was read. 412: somebody else came first.
curl -sS -o /dev/null -w '%{http_code}\n' -X PUT -H 'If-None-Match: *' --data-binary 'pear' \
  "$url/v1/kv/fruit%2F1"
version=$(curl --fail -sS -o /dev/null -D - "$url/v1/kv/fruit%2F1" |
  tr -d '\r' | sed -n 's/^ETag: //p')
curl --fail -sS -X PUT -H "If-Match: $version" --data-binary 'plum' "$url/v1/kv/fruit%2F1"

# Gone by itself after half a minute.
curl --fail -sS -o /dev/null -D - -X PUT --data-binary 'here' "$url/v1/kv/presence?ttl=30s" |
  tr -d '\r' | sed -n 's/^Decree-Expires-At: /expires at /p'

# All keys that begin so, in order, over all shards; the next page begins at "cursor".
curl --fail -sS "$url/v1/kv?prefix=fruit/&limit=10"; echo

curl --fail -sS -X DELETE "$url/v1/kv/fruit%2F1"
curl -sS -o /dev/null -w '%{http_code}\n' "$url/v1/kv/fruit%2F1"

# What the cluster looks like.
curl --fail -sS "$url/v1/admin/cluster"; echo
