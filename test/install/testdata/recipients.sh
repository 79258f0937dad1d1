# A new installation, and who can be written to there.
. /src/testdata/lib.sh
useradd --create-home pat # mode 700 or 755, as the host has it
useradd --create-home kim
useradd --no-create-home lost
chmod 700 /home/pat
chmod 755 /home/kim
echo '#' >/home/pat/.qmail-list
echo '#' >/home/kim/.qmail-list
echo '#' >/home/kim/.qmail-a-default
printf 'root: kim\ninfo: pat\n' >/etc/aliases
cd /src
make install HOST=mx.test.example >/tmp/install.log 2>&1
is "$(cat /var/qmail/control/rcptcheck)" 1

# smtp ADDRESS...: the codes of the replies to RCPT.
smtp() {
	{
		printf 'MAIL FROM:<s@far.test.example>\r\n'
		printf 'RCPT TO:<%s@mx.test.example>\r\n' "$@"
		printf 'QUIT\r\n'
	} | setpriv --reuid=qmaild --regid=nofiles --clear-groups /var/qmail/bin/qmail-smtpd 2>/tmp/smtpd.log |
		sed -n '3,$s/ .*//p' | sed '$d' | tr '\n' ' '
}

is "$(smtp pat Pat kim kim-list kim-a-b info root postmaster mailer-daemon)" '250 250 250 250 250 250 250 250 250 '
is "$(smtp kim-none nobody-at-all info-x alias-x daemon)" '550 550 550 550 550 '
# Nobody can say, and so they are taken: a closed home, one that is missing.
is "$(smtp pat-list pat-none lost)" '250 250 250 '

# With the capability a closed home is open to the one question.
if setcap cap_dac_read_search=p /var/qmail/bin/qmail-rcptcheck; then
	is "$(smtp pat-list pat-none kim-none)" '250 550 550 '
fi

# What is said is what happens.
start /tmp/send.log
for local in pat kim kim-list info kim-none nobody-at-all; do
	echo x | /var/qmail/bin/qmail-inject "$local"
done
await /tmp/send.log 'success' 4
await /tmp/send.log 'failure: Sorry,_no_mailbox_here_by_that_name' 2

# What cannot be read is no refusal.
echo '=joe:joe' >/var/qmail/users/cdb
is "$(smtp kim nobody-at-all)" '451 451 '
rm /var/qmail/users/cdb
chmod 000 /var/qmail/control/locals
is "$(smtp kim nobody-at-all)" '451 451 '
chmod 644 /var/qmail/control/locals
: >/var/qmail/control/rcptcheck
is "$(smtp kim nobody-at-all)" '250 250 '
stop
