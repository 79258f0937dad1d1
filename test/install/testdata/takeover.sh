# A host with the home of another qmail, and mail in its queue in every state.
. /src/testdata/lib.sh
cd /src
mess() { cat "/tmp/number.$1"; }
sums() { find /var/qmail/control /var/qmail/users /var/qmail/alias /var/qmail/rc /var/qmail/bin/my-own-script /home -type f -print0 | sort -z | xargs -0 md5sum; }
gone() { # until a file is
	for i in {1..300}; do
		[ -e "$1" ] || return 0
		sleep 0.1
	done
	echo "$1 is still there"
	return 1
}

/src/bin/smtp-sink -listen 127.0.0.1:0 >/tmp/sink.log 2>&1 &
await /tmp/sink.log 'listening on'
port=$(sed -n 's/.*listening on 127.0.0.1://p' /tmp/sink.log)
sed -i "s/@PORT@/$port/" /var/qmail/control/smtproutes
messages=$(find /var/qmail/queue/mess /var/qmail/queue/todo /var/qmail/queue/local /var/qmail/queue/remote /var/qmail/queue/bounce -type f | sort)
sums >/tmp/before

# It is taken over as it is: settings, users, files, split, messages.
make install HOST=other.test.example >/tmp/install.log 2>&1
sums >/tmp/after
cmp /tmp/before /tmp/after
is "$(find /var/qmail/queue/mess /var/qmail/queue/todo /var/qmail/queue/local /var/qmail/queue/remote /var/qmail/queue/bounce -type f | sort)" "$messages"
is "$(mode /var/qmail/bin/qmail-queue)" 'qmailq:qmail 4711'
/var/qmail/bin/qmail-check >/tmp/check.log || is $? 1
lacks 'wrong:' /tmp/check.log
make install >/tmp/install.log 2>&1
is "$(head -n 1 /tmp/install.log)" 'everything was installed before'
/var/qmail/bin/qmail-tcpto >/tmp/tcpto.log
has '^127.0.0.9 timed out' /tmp/tcpto.log

# Its own script starts it, and all that can be is delivered, once.
/var/qmail/rc >/tmp/rc.log 2>&1 &
qmail=$!
await /tmp/syslog.log ' end msg ' "$(cat /tmp/ends)"
for name in s4-queued s4-without-intd s4-half-preprocessed s4-list s4-alias s5-local s5-both s5-bounce-begun; do
	is "$(grep -c "^body of $name\$" /home/kim/Mailbox)" "$(case $name in s5-bounce-begun) echo 2 ;; *) echo 1 ;; esac)"
done
not test -e /home/joe/Mailbox # was done, or said by what a crash had left
has '^body of s4-virtual$' /home/joe/virtual
has '^body of s4-assigned$' /home/joe/assigned
has '^Return-Path: <list-kim=mx.test.example@mx.test.example>$' /home/kim/Mailbox
has '^old paragraph of s5-bounce-pending$' /home/kim/Mailbox
has '^old paragraph of s5-bounce-begun$' /home/kim/Mailbox
is "$(grep -c 'to <ann@far.test.example>' /tmp/sink.log)" 2
is "$(grep -c 'from <list-bob=far.test.example@mx.test.example> to <bob@far.test.example>' /tmp/sink.log)" 1
is "$(grep -c 'to <bob@far.test.example>' /tmp/sink.log)" 1

# What is old and was never queued goes, what is new stays.
gone "/var/qmail/$(mess s2-garbage)"
gone "/var/qmail/$(mess s3-garbage)"
test -e "/var/qmail/$(mess s2-being-written)"
test -e "/var/qmail/$(mess s3-being-written)"
test -e "/var/qmail/$(mess s5-dead-host)"
/var/qmail/bin/qmail-qstat >/tmp/qstat.log
has '^messages in queue but not yet preprocessed: 0$' /tmp/qstat.log

# More mail, some of which the other qmail is to go on with.
echo 'body of new' | sendmail kim
await /tmp/syslog.log ' end msg ' $(($(cat /tmp/ends) + 1))
has '^body of new$' /home/kim/Mailbox
echo 'body of later' | sendmail kim ann@dead.test.example
await /tmp/syslog.log ' deferral: ' 2
stop
