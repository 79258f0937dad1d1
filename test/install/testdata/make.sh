# A host with another mailer, and make install in the place of it.
. /src/testdata/lib.sh
useradd --create-home joe
old=$(readlink /usr/sbin/sendmail)
cd /src

make install HOST=mx.test.example >/tmp/install.log 2>&1
has '/usr/sbin/sendmail: leads to /var/qmail/bin/sendmail; what was there is /usr/sbin/sendmail.orig' /tmp/install.log
has 'left to do: start it' /tmp/install.log
make install HOST=other.test.example >/tmp/install.log 2>&1
is "$(head -n 1 /tmp/install.log)" 'everything was installed before'
is "$(cat /var/qmail/control/me)" mx.test.example
is "$(readlink /usr/sbin/sendmail.orig)" "$old"
bin/qmail-showctl | grep -q '^me: My name is mx.test.example.$'

# Each process is the user that it is meant to be.
/var/qmail/bin/smtp-sink -listen 127.0.0.1:0 >/tmp/sink.log 2>&1 &
await /tmp/sink.log 'listening on'
sed -n 's/.*listening on /far.test.example:/p' /tmp/sink.log >/var/qmail/control/smtproutes
echo ':127.0.0.1:1' >>/var/qmail/control/smtproutes # nobody is there
start /tmp/send.log
for process in /proc/[0-9]*; do
	name=$(cat "$process/comm" 2>/dev/null) || continue
	case $name in
	qmail-send) user=qmails ;;
	qmail-lspawn) user=root ;;
	qmail-rspawn) user=qmailr ;;
	qmail-clean) user=qmailq ;;
	*) continue ;;
	esac
	is "$(stat -c %U "$process")" "$user"
done

# Mail to a user, to another host, to nobody.
echo 'hello joe' | sendmail joe
await /tmp/send.log 'delivery 1: success'
has 'hello joe' /home/joe/Mailbox
is "$(mode /home/joe/Mailbox)" 'joe:joe 600'
echo 'hello ann' | sendmail ann@far.test.example
await /tmp/send.log 'delivery 2: success'
has 'to <ann@far.test.example>' /tmp/sink.log
echo 'for later' | sendmail ann@nowhere.test.example
await /tmp/send.log 'delivery 3: deferral'
echo 'hello nobody' | sendmail -f joe nosuch
await /tmp/send.log 'bounce msg'
await /tmp/send.log 'delivery 5: success'
has 'no mailbox here by that name' /home/joe/Mailbox

# All is killed; the queue is as it was, the locks are free.
for process in /proc/[0-9]*; do
	case $(cat "$process/comm" 2>/dev/null) in qmail-*) kill -KILL "${process#/proc/}" || true ;; esac
done
wait $qmail 2>/dev/null || true
start /tmp/send2.log
is "$(find /var/qmail/queue/remote -type f | wc -l)" 1

# New programs take the place of those that run.
printf '\n' >>bin/qmail-send
printf '\n' >>bin/qmail-lspawn
printf '\n' >>bin/qmail-rcptcheck
setcap cap_dac_read_search=p /var/qmail/bin/qmail-rcptcheck
make install >/tmp/install.log 2>&1
has '/var/qmail/bin/qmail-send: replaced' /tmp/install.log
is "$(getcap /var/qmail/bin/qmail-rcptcheck)" '/var/qmail/bin/qmail-rcptcheck cap_dac_read_search=p'
has "restart qmail-send, process $qmail" /tmp/install.log
echo 'hello again' | sendmail joe
await /tmp/send2.log 'success: did_1+0+0/'
has 'hello again' /home/joe/Mailbox
/var/qmail/bin/qmail-check >/tmp/check.log || is $? 1
lacks 'wrong:' /tmp/check.log
stop

# Under supervision, with the log in files.
export PATH=/var/qmail/bin:$PATH
cp -R /var/qmail/boot/runit/qmail-send /etc/qmail-send
ln -s /etc/qmail-send /etc/service/qmail-send
runsvdir /etc/service >/tmp/runsvdir.log 2>&1 &
log=/var/log/qmail/qmail-send/current
until [ -e $log ]; do sleep 0.1; done
await $log 'status: local 0/'
qmailctl stat >/tmp/stat.log
echo 'hello supervised' | sendmail joe
await $log 'success: did_1+0+0/'
has 'hello supervised' /home/joe/Mailbox
kill -KILL "$(cat /etc/qmail-send/supervise/pid)"
await $log 'status: local 0/10 remote 0/20' 3
qmailctl stop
lacks 'run: qmail-send' <(sv status /etc/service/qmail-send)
kill %?runsvdir

# What a restore without owners leaves is repaired.
chown -R root:root /var/qmail/queue /var/qmail/bin
chmod -R u-s,g-s /var/qmail/bin
rm /var/qmail/queue/lock/trigger
not /var/qmail/bin/qmail-check >/tmp/check.log
/var/qmail/bin/qmail-check -repair >/tmp/repair.log || is $? 1
/var/qmail/bin/qmail-queuectl repair >/tmp/queue.log
is "$(mode /var/qmail/bin/qmail-queue)" 'qmailq:qmail 4711'
/var/qmail/bin/qmail-check >/tmp/check.log || is $? 1
lacks 'wrong:' /tmp/check.log
start /tmp/send3.log
echo 'hello repaired' | sendmail joe
await /tmp/send3.log 'success: did_1+0+0/'
stop

# Gone, but for the mail; the other mailer is back.
make uninstall >/tmp/install.log 2>&1
is "$(readlink /usr/sbin/sendmail)" "$old"
not test -e /usr/sbin/sendmail.orig
not test -e /var/qmail/bin
not test -e /var/qmail/man
is "$(find /var/qmail/queue/remote -type f | wc -l)" 1
has 'hello joe' /home/joe/Mailbox
test -e /var/qmail/control/me
is "$(dpkg-divert --list | grep -c "^local diversion" || true)" 0
