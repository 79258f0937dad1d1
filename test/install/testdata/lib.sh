# What the scripts share. They end at the first command that fails; `want` says which.
cd /
umask 022
exec </dev/null
mkdir -p /run /tmp
trap 'echo "failed: line $LINENO: $BASH_COMMAND"; for f in /tmp/*.log; do echo "== $f"; tail -n 40 "$f"; done' ERR
set -E

# await FILE TEXT [N]: until a file has N lines with that text.
await() {
	local n=${3:-1} line fd
	exec {fd}< <(exec tail -n +1 -F "$1" 2>/dev/null)
	local tail=$!
	while read -r -t 60 -u "$fd" line; do
		[[ $line != *"$2"* ]] || n=$((n - 1))
		[ "$n" -gt 0 ] || break
	done
	kill "$tail"
	exec {fd}<&-
	[ "$n" -le 0 ] || { echo "no '$2' in $1"; return 1; }
}

# start LOG: turns mail on. Its process is $qmail.
start() {
	: >"$1"
	/var/qmail/boot/rc >"$1" 2>&1 &
	qmail=$!
	await "$1" 'status: local 0/'
}

stop() { kill -TERM $qmail; wait $qmail || true; }

# is GOT WANT
is() { [ "$1" = "$2" ] || { echo "got '$1', want '$2'"; return 1; }; }

mode() { stat -c '%U:%G %a' "$1"; }
has() { grep -rqs -e "$1" "${@:2}" || { echo "no '$1' in ${*:2}"; return 1; }; }
lacks() { ! grep -rqs -e "$1" "${@:2}" || { echo "there is '$1' in ${*:2}"; return 1; }; }
not() { ! "$@"; }
