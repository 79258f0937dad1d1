package callers

import (
	"strings"
	"testing"
)

// dots is a body that is hard on whoever treats lines of dots wrongly.
const dots = "first\n.\n..two\n...three\nlast"

func TestPHP(t *testing.T) {
	t.Parallel()
	php := need(t, "php", "Debian: php-cli")
	h := newHost(t)
	script := h.file("mail.php", `<?php
$ok = mail("Bob <bob@far.example>, cy@far.example", "Grüße", "first\n.\n..two\n...three\nlast\r\nübrig",
	"From: Ann Elk <ann@far.example>\r\nCc: dee\r\nBcc: eve@far.example\r\nX-Long: a\r\n b", "-fbounce@far.example");
exit($ok ? 0 : 1);`)
	out, err := h.run("", php, "-d", "sendmail_path="+h.sendmail+" -t -i", script)
	trouble(t, out, err)
	m := h.one()
	want{"bounce@far.example", "bob@far.example cy@far.example dee@mx.test.example eve@far.example",
		map[string]string{"To": "Bob <bob@far.example>, cy@far.example", "Cc": "dee@mx.test.example", "From": "Ann Elk <ann@far.example>", "Subject": "Grüße", "X-Long": "a b"},
		dots + "\nübrig\n"}.check(t, m)
	if strings.HasPrefix(m.body(), "\n") {
		t.Errorf("an empty line before the body: %q", m.body())
	}

	// A message that goes to nobody is told.
	script = h.file("nobody.php", `<?php exit(mail("", "x", "y") ? 0 : 1);`)
	if out, err := h.run("", php, "-d", "sendmail_path="+h.sendmail+" -t -i", script); err == nil {
		t.Errorf("mail() to nobody succeeds: %s", out)
	}
}

func TestGitSendEmail(t *testing.T) {
	t.Parallel()
	git := need(t, "git", "Debian: git-email, libmailtools-perl", "test -x \"$(git --exec-path)/git-send-email\" && perl -MMail::Address -e 1")
	h := newHost(t)
	patch := h.file("0001.patch", "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\nFrom: Ann Elk <ann@far.example>\nDate: Sat, 21 Nov 2026 18:04:07 +0000\nSubject: [PATCH] x\n\nbody\n---\n.\n.. \n")
	out, err := h.run("", git, "-c", "user.name=Ann", "-c", "user.email=ann@far.example", "send-email", "--sendmail-cmd="+h.sendmail, "--envelope-sender=bounce@far.example",
		"--confirm=never", "--suppress-cc=all", "--to=list@far.example", "--cc=Bob <bob@far.example>", "--bcc=cy@far.example", patch)
	if err != nil && strings.Contains(out, "sendmail-cmd") { // before git 2.33
		t.Skip("this git send-email has no --sendmail-cmd")
	}
	trouble(t, out, err)
	want{"bounce@far.example", "bob@far.example cy@far.example list@far.example",
		map[string]string{"To": "list@far.example", "Cc": "Bob <bob@far.example>", "Subject": "[PATCH] x"}, "body\n---\n.\n.. \n"}.check(t, h.one())
}

func TestMutt(t *testing.T) {
	t.Parallel()
	mutt := need(t, "mutt", "Debian: mutt")
	h := newHost(t)
	rc := h.file("muttrc", "set sendmail=\""+h.sendmail+" -oem -oi\"\nset use_envelope_from=yes envelope_from_address=\"bounce@far.example\"\nset from=\"ann@far.example\" realname=\"Ann Elk\" copy=no use_8bitmime=yes dsn_notify=\"failure,delay\" dsn_return=hdrs\n")
	out, err := h.run(dots+"\n", mutt, "-F", rc, "-s", "tea", "-c", "Cy <cy@far.example>", "-b", "dee@far.example", "bob@far.example")
	trouble(t, out, err)
	want{"bounce@far.example", "bob@far.example cy@far.example dee@far.example",
		map[string]string{"To": "bob@far.example", "Cc": "Cy <cy@far.example>", "From": "Ann Elk <ann@far.example>", "Subject": "tea"}, dots}.check(t, h.one())
}

func TestSNail(t *testing.T) {
	t.Parallel()
	nail := need(t, "s-nail", "Debian: s-nail")
	h := newHost(t)
	out, err := h.run(dots+"\n", nail, "-:/", "-S", "mta="+h.sendmail, "-S", "from=ann@far.example", "-S", "sendwait", "-r", "bounce@far.example", "-s", "tea", "-c", "cy@far.example", "bob@far.example")
	trouble(t, out, err)
	want{"bounce@far.example", "bob@far.example cy@far.example", map[string]string{"To": "bob@far.example", "Cc": "cy@far.example", "Subject": "tea"}, dots}.check(t, h.one())
}

func TestBSDMailx(t *testing.T) {
	t.Parallel()
	mailx := need(t, "bsd-mailx", "Debian: bsd-mailx")
	h := newHost(t)
	h.file(".mailrc", "set sendmail="+h.sendmail+"\nset sendwait\n")
	out, err := h.run(dots+"\n", mailx, "-s", "tea", "-c", "cy@far.example", "-b", "dee", "bob@far.example", "fay@far.example")
	trouble(t, out, err)
	want{"ann@mx.test.example", "bob@far.example cy@far.example dee@mx.test.example fay@far.example",
		map[string]string{"To": "bob@far.example, fay@far.example", "Cc": "cy@far.example", "Subject": "tea"}, dots}.check(t, h.one())
}

func TestMailutils(t *testing.T) {
	t.Parallel()
	mail := need(t, "mail.mailutils", "Debian: mailutils")
	h := newHost(t)
	out, err := h.run(dots+"\n", mail, "--norc", "--exec=set sendmail=\"sendmail:"+h.sendmail+"\"", "-r", "ann@far.example", "-s", "tea", "-a", "Cc: cy@far.example", "bob@far.example")
	trouble(t, out, err)
	m := h.one()
	if !strings.Contains(strings.Join(m.recipients, " "), "bob@far.example") {
		t.Errorf("recipients %q", m.recipients)
	}
	want{"ann@far.example", strings.Join(m.recipients, " "), map[string]string{"To": "<bob@far.example>", "Subject": "tea"}, dots}.check(t, m)
}

func TestNodemailer(t *testing.T) {
	t.Parallel()
	node := need(t, "node", "Debian: nodejs; npm: nodemailer", "NODE_PATH=$NODE_PATH:/usr/share/nodejs node -e \"require('nodemailer')\"")
	h := newHost(t)
	script := h.file("mail.js", `require('nodemailer').createTransport({sendmail: true, newline: 'unix', path: process.argv[2]}).sendMail({
	from: 'Jörg <ann@far.example>', to: 'bob@far.example, "Cy, C." <cy@far.example>', bcc: 'dee@far.example', subject: 'Grüße', text: 'first\n.\n..two\n'
}, err => { if (err) { console.error(err); process.exit(1) } });`)
	out, err := h.run("", node, script, h.sendmail)
	trouble(t, out, err)
	want{"ann@far.example", "bob@far.example cy@far.example dee@far.example", map[string]string{"To": "bob@far.example, \"Cy, C.\" <cy@far.example>"}, "first\n.\n..two\n"}.check(t, h.one())
}

func TestSMTPLib(t *testing.T) {
	t.Parallel()
	python := need(t, "python3", "Debian: python3")
	h := newHost(t)
	script := h.file("mail.py", `
import smtplib, socket, subprocess, sys
here, there = socket.socketpair()
p = subprocess.Popen([sys.argv[1], '-bs'], stdin=there, stdout=there)
there.close()
class Local(smtplib.SMTP):
    def _get_socket(self, host, port, timeout): return here
s = Local('localhost')
s.sendmail('bounce@far.example', ['bob@far.example', 'cy@far.example'],
    'From: ann@far.example\nTo: bob@far.example\nDate: x\nMessage-ID: <x@y>\nSubject: tea\n\nfirst\n.\n..two\n...three\nlast\n', ['BODY=8BITMIME'] if s.has_extn('8bitmime') else [])
try:
    s.sendmail('bounce@far.example', ['<>'], 'x')
    sys.exit('a bad recipient is taken')
except smtplib.SMTPRecipientsRefused:
    pass
s.quit()
sys.exit(p.wait())
`)
	out, err := h.run("", python, script, h.sendmail)
	trouble(t, out, err)
	want{"bounce@far.example", "bob@far.example cy@far.example", map[string]string{"To": "bob@far.example", "Subject": "tea"}, dots + "\n"}.check(t, h.one())
}

func TestEmailSender(t *testing.T) {
	t.Parallel()
	perl := need(t, "perl", "Debian: libemail-sender-perl", "perl -MEmail::Sender::Simple -e 1")
	h := newHost(t)
	script := h.file("mail.pl", `
use Email::Sender::Simple qw(sendmail); use Email::Simple; use Email::Sender::Transport::Sendmail;
my $m = Email::Simple->create(header => [To => 'bob@far.example', From => 'Ann <ann@far.example>', Subject => 'tea'], body => "first\n.\n..two\n...three\nlast\n");
sendmail($m, {from => 'bounce@far.example', to => ['bob@far.example', 'cy@far.example'], transport => Email::Sender::Transport::Sendmail->new({sendmail => $ARGV[0]})});
`)
	out, err := h.run("", perl, script, h.sendmail)
	trouble(t, out, err)
	want{"bounce@far.example", "bob@far.example cy@far.example", map[string]string{"To": "bob@far.example", "From": "Ann <ann@far.example>"}, dots + "\n"}.check(t, h.one())
}

func TestRubyMail(t *testing.T) {
	t.Parallel()
	ruby := need(t, "ruby", "Debian: ruby-mail", "ruby -rmail -e 1")
	h := newHost(t)
	script := h.file("mail.rb", `
require 'mail'
Mail.defaults { delivery_method :sendmail, location: ARGV[0] }
Mail.deliver { from 'Ann <ann@far.example>'; to ['bob@far.example', 'Cy <cy@far.example>']; bcc 'dee@far.example'; subject 'tea'; body "first\n.\n..two\n...three\nlast\n" }
`)
	out, err := h.run("", ruby, script, h.sendmail)
	trouble(t, out, err)
	want{"ann@far.example", "bob@far.example cy@far.example dee@far.example", map[string]string{"From": "Ann <ann@far.example>", "Subject": "tea"}, dots}.check(t, h.one())
}
