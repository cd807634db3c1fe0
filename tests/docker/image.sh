#!/usr/bin/env bash
# Makes a stand-in for the official image, under its tag, where the registry cannot be reached: the same Envoy, from PyPI, on
# the libraries and certificates of this machine. Its entry point behaves as the official one does: words that begin with a
# dash go to Envoy, which runs as a user of its own.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
tag=envoyproxy/envoy:v1.40.0
envoy=${ENVOY_BIN:-$(echo "$root"/.venv/lib/python*/site-packages/envoy/_bin/envoy)}
[ -x "$envoy" ] || { echo "there is no Envoy at $envoy; run \`make .venv\`" >&2; exit 1; }

image=$(mktemp -d)
trap 'rm -rf "$image"' EXIT
mkdir -p "$image"/{etc/ssl/certs,tmp,usr/local/bin,usr/bin,bin,dev,proc,sys}
chmod 1777 "$image/tmp"
cp "$envoy" "$image/usr/local/bin/envoy"
for program in /bin/bash /bin/chown /usr/bin/setpriv; do
    cp "$program" "$image$program"
    ldd "$program"
done >"$image/needed"
ldd "$envoy" >>"$image/needed"
# Name resolution is loaded when it is used, so no program lists it.
needed=$(grep -oE '/[^ ]+\.so[^ ]*' "$image/needed" | sort -u)
rm "$image/needed"
for library in $needed /lib/x86_64-linux-gnu/libnss_files.so.2 /lib/x86_64-linux-gnu/libnss_dns.so.2; do
    [ -f "$library" ] || continue
    mkdir -p "$image$(dirname "$library")"
    cp -L "$library" "$image$library"
done
cp -L /etc/ssl/certs/ca-certificates.crt "$image/etc/ssl/certs/" 2>/dev/null || true
printf 'root:x:0:0::/:/bin/bash\nenvoy:x:101:101::/:/bin/bash\n' >"$image/etc/passwd"
printf 'root:x:0:\nenvoy:x:101:\n' >"$image/etc/group"
cat >"$image/docker-entrypoint.sh" <<'ENTRY'
#!/bin/bash
if [ "${1#-}" != "$1" ]; then set -- envoy "$@"; fi
# The log is written by that user.
/bin/chown envoy:envoy /dev/stdout /dev/stderr || true
exec /usr/bin/setpriv --reuid=101 --regid=101 --clear-groups "$@"
ENTRY
chmod +x "$image/docker-entrypoint.sh"
tar -C "$image" -c . | docker import --change 'ENTRYPOINT ["/docker-entrypoint.sh"]' \
    --change 'CMD ["envoy", "-c", "/etc/envoy/envoy.yaml"]' \
    --change 'ENV PATH=/usr/local/bin:/usr/bin:/bin' - "$tag" >/dev/null
echo "imported $tag from $envoy"
