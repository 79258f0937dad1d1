# A host with another mailer gets the Debian package in its place.
. /src/testdata/lib.sh
echo mx.test.example >/etc/mailname
useradd --create-home joe
deb=$(ls /src/goqmail_*.deb)
message() { find /var/qmail/queue/mess -type f; }

# Nothing is asked, and everything is in order but that nothing runs yet.
apt-get install --yes "$deb" >/tmp/dpkg.log 2>&1
lacks 'ok installed' <(dpkg-query --status msmtp-mta 2>&1)
is "$(mode /var/qmail/bin/qmail-queue)" 'qmailq:qmail 4711'
is "$(mode /var/qmail/bin/mailq)" 'qmails:qmail 6711'
is "$(mode /var/qmail/bin/qmail-lspawn)" 'root:qmail 700'
is "$(mode /var/qmail/alias)" 'alias:qmail 2755'
is "$(cat /var/qmail/control/me)" mx.test.example
/var/qmail/bin/qmail-check >/tmp/check.log || is $? 1
lacks 'wrong:' /tmp/check.log
is "$(grep -c warning: /tmp/check.log)" 1 # nothing is delivered
/var/qmail/bin/qmail-queuectl check >/tmp/queue.log
has 'the queue is in order' /tmp/queue.log
is "$(readlink /usr/sbin/sendmail)" /var/qmail/bin/sendmail
is "$(mailq)" 'Mail queue is empty'
test -L /etc/systemd/system/multi-user.target.wants/goqmail.service
test -L /etc/systemd/system/sockets.target.wants/goqmail-smtpd.socket
is "$(find /etc/systemd/system -name '*pop3d*')" '' # not unless somebody wants it
is "$(dpkg-query -W -f '${Provides}' goqmail)" mail-transport-agent

# What cron mails reaches root's alias.
start /tmp/send.log
echo '@reboot root echo hello from cron' >/etc/cron.d/hello
cron -f &
await /tmp/send.log 'delivery 1: success'
has 'hello from cron' /var/qmail/alias/Maildir/new
/var/qmail/bin/qmail-check >/tmp/check.log || is $? 1
has 'has kept 1 messages for root' /tmp/check.log

# And a person, when there is one; /etc/aliases is in effect.
echo '&joe' >/var/qmail/alias/.qmail-root
echo 'help: joe' >>/etc/aliases
newaliases
echo 'hello from root' | sendmail root
echo 'hello from help' | setpriv --reuid=joe --regid=joe --clear-groups sendmail help
await /tmp/send.log 'end msg' 5 # with two forwards
has 'hello from root' /home/joe/Mailbox
has 'hello from help' /home/joe/Mailbox
/var/qmail/bin/qmail-check >/tmp/check.log
has 'the installation is in order' /tmp/check.log

# An upgrade leaves what runs running, and settings as they are.
echo '!' >/var/qmail/control/helohost
echo ':127.0.0.1:1' >/var/qmail/control/smtproutes
echo 'for later' | sendmail ann@far.test.example
await /tmp/send.log 'deferral: '
dpkg --install "$deb" >/tmp/dpkg.log 2>&1
kill -0 $qmail
is "$(mode /var/qmail/bin/qmail-queue)" 'qmailq:qmail 4711'
is "$(cat /var/qmail/control/helohost)" '!'

# The host dies, and comes back.
kill -KILL $qmail
wait $qmail 2>/dev/null || true
start /tmp/send2.log
is "$(message | wc -l)" 1
stop

# Removal leaves the mail, and what is in the queue; purging does, too.
dpkg --remove goqmail >/tmp/dpkg.log 2>&1
not test -e /usr/sbin/sendmail
not test -e /var/qmail/bin/qmail-send
has 'for later' $(message)
has 'hello from cron' /var/qmail/alias/Maildir
test -e /var/qmail/control/helohost
dpkg --purge goqmail >/tmp/dpkg.log 2>&1
has 'for later' $(message)
has 'hello from cron' /var/qmail/alias/Maildir
has 'hello from root' /home/joe/Mailbox
not test -e /var/qmail/control
is "$(find /etc/systemd/system -name 'goqmail*')" ''
not dpkg-statoverride --list /var/qmail/bin/qmail-queue

# It can be installed again, and the message is still to be sent.
dpkg --install "$deb" >/tmp/dpkg.log 2>&1
/var/qmail/bin/qmail-qread >/tmp/qread.log
has 'remote.*ann@far.test.example' /tmp/qread.log
/var/qmail/bin/qmail-queuectl delete -all >/dev/null
rm -rf /var/qmail/alias/Maildir
dpkg --purge goqmail >/tmp/dpkg.log 2>&1
not test -e /var/qmail
