#!/bin/sh
# Makes the secrets of docker-compose.yml, once: a certificate authority for
# Kafka with a certificate for the broker and one for tallystick, and random
# passwords for ClickHouse and Grafana. There are no default ones. What is there
# already stays. As root it also gives the shared folders to those who write them.
#
# usage: compose-init.sh SECRETS [DATA KEK LOGS]
set -eu
umask 077
dir=${1:?usage: compose-init.sh SECRETS [DATA KEK LOGS]}
tallystick=10001 kafka=1000 clickhouse=101 grafana=472 envoy=101
mkdir -p "$dir"
cd "$dir"

own() { # own UID FILE...
	uid=$1
	shift
	[ "$(id -u)" != 0 ] || chown "$uid" "$@"
}

if [ ! -s ca.key ]; then
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=tallystick compose" \
		-keyout ca.key.new -out ca.pem 2>/dev/null
	mv ca.key.new ca.key
fi
for name in kafka tallystick; do
	[ ! -s "$name.pem" ] || continue
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" -keyout "$name.key" -out "$name.csr" 2>/dev/null
	printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$name" >"$name.ext"
	openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -extfile "$name.ext" -out "$name.pem.new" 2>/dev/null
	rm -f "$name.csr" "$name.ext"
	mv "$name.pem.new" "$name.pem"
done
cat kafka.key kafka.pem >kafka-keystore.pem
for name in clickhouse grafana; do
	[ -s "$name.password" ] || openssl rand -hex 24 >"$name.password"
done
cp clickhouse.password clickhouse-server.password

chmod 0755 .
chmod 0644 ca.pem
own "$kafka" kafka-keystore.pem
own "$tallystick" tallystick.pem tallystick.key clickhouse.password
own "$clickhouse" clickhouse-server.password
own "$grafana" grafana.password
if [ $# -ge 4 ]; then
	own "$tallystick" "$2" "$3"
	own "$envoy" "$4"
fi
