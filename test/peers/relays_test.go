package peers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// queue hands the message to qmail-queue.
func (h *host) queue(sender string, recipients ...string) {
	h.t.Helper()
	envelope, err := os.Open(h.file("envelope", "F"+sender+"\x00T"+strings.Join(recipients, "\x00T")+"\x00\x00"))
	h.must(err)
	defer envelope.Close()
	cmd := h.command("qmail-queue")
	cmd.Stdin, cmd.Stdout = strings.NewReader(message), envelope
	if code, out := h.run(cmd); code != 0 {
		h.t.Fatalf("qmail-queue exits with %d: %s", code, out)
	}
}

// system starts the system, which sends all mail that is not for the host itself
// to that address.
func (h *host) system(relay string) *running {
	h.t.Helper()
	h.must(h.home.Relay(relay))
	r := h.start(h.command("qmail-start", "./Maildir/"))
	r.wait("status: local 0/", 1)
	return r
}

// mailsIn reads the messages of a maildir.
func (h *host) mailsIn(box string) (all []string) {
	h.t.Helper()
	names, err := filepath.Glob(filepath.Join(box, "new/*"))
	h.must(err)
	for _, name := range names {
		text, err := os.ReadFile(name)
		h.must(err)
		all = append(all, string(text))
	}
	return all
}

// checkBox checks that a mailbox has the message once, from sue.
func (h *host) checkBox(t *testing.T, box string) {
	t.Helper()
	mails := h.mailsIn(box)
	if len(mails) != 1 {
		t.Fatalf("%d messages have come, want 1", len(mails))
	}
	if !strings.Contains(mails[0], "Return-Path: <sue@far.example>\n") && !strings.Contains(mails[0], "Return-path: <sue@far.example>\n") {
		t.Errorf("the sender is not in %q", clip(mails[0]))
	}
	checkText(t, withoutTrace(mails[0]), message)
}

func TestToPostfix(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	m := h.postfix("127.0.0.1:1", "")
	s := h.system(m.ip + ":2525")
	h.queue("sue@far.example", "bob@far.example")
	s.wait("end msg", 1)
	s.line(t, 0, "delivery 1: success: "+m.ip+"_accepted_message./Remote_host_said:_250_2.0.0_Ok:_queued_as_")
	m.wait(" status=sent ", 1)
	h.checkBox(t, m.box)
}

func TestToExim(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	m := h.exim("127.0.0.1:1", "tls_advertise_hosts =", "", "")
	s := h.system(m.ip + ":2525")
	h.queue("sue@far.example", "bob@far.example")
	s.wait("end msg", 1)
	s.line(t, 0, "delivery 1: success: "+m.ip+"_accepted_message./Remote_host_said:_250_OK_id=")
	m.wait("Completed", 1)
	h.checkBox(t, m.box)
}

// remote has qmail-remote send the message to a host for joe@here.test.
func (h *host) remote(m mta) {
	h.t.Helper()
	h.must(h.home.Relay(m.ip + ":2525"))
	cmd := h.command("qmail-remote", "here.test", "sue@far.example", "joe@here.test")
	cmd.Stdin = strings.NewReader(message)
	if _, out := h.run(cmd); !strings.HasPrefix(out, "r") || !strings.Contains(out, "\x00K") {
		h.t.Fatalf("qmail-remote reports %q", out)
	}
}

func TestFromPostfix(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ settings, log, received string }{
		"plain":    {"", "accepted", "with SMTP"},
		"STARTTLS": {"smtp_tls_security_level = encrypt\n", "tls TLS1.3", "with ESMTPS (TLS1.3 "},
		"verified": {"smtp_tls_security_level = verify\nsmtp_tls_CAfile = CERTIFICATE\nsmtp_tls_verify_cert_match = mx.test.example\n", "tls TLS1.3", "with ESMTPS (TLS1.3 "},
		"AUTH": {"smtp_tls_security_level = encrypt\nsmtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = static:joe:secret\nsmtp_sasl_security_options = noanonymous\n",
			"user <joe>", "with ESMTPSA (TLS1.3 "},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			certificate := h.certificate()
			server, address := h.smtpd(nil, h.checkpassword(), "true")
			m := h.postfix(address, strings.ReplaceAll(tt.settings, "CERTIFICATE", certificate))
			h.remote(m)
			m.wait(" status=", 1)
			m.line(t, 0, "status=sent (250 ok ")
			server.line(t, 0, "accepted qp", "from <sue@far.example> to <joe@here.test>", "helo <mx.far.example>", tt.log)
			h.checkRelayed(t, tt.received)
		})
	}
}

// checkRelayed checks the only message in the queue, that has come by another host.
func (h *host) checkRelayed(t *testing.T, received string) {
	t.Helper()
	mail := h.takeOne()
	_, text, _ := strings.Cut(mail.text, "\n")
	_, text = cutField(text)
	mail.checkReceived(t, "sue@far.example", "joe@here.test", text, "(HELO mx.far.example)", received)
	checkText(t, withoutTrace(text), message)
}

func TestFromExim(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ transport, authenticators, log, received string }{
		"plain":            {"  hosts_avoid_tls = *", "", "accepted", "with SMTP"},
		"without CHUNKING": {"  hosts_try_chunking =\n  hosts_avoid_tls = *", "", "accepted", "with SMTP"},
		"STARTTLS":         {"  hosts_require_tls = *", "", "tls TLS1.3", "with ESMTPS (TLS1.3 "},
		"PLAIN":            {"  hosts_require_auth = *", "a:\n  driver = plaintext\n  public_name = PLAIN\n  client_send = ^joe^secret\n", "user <joe>", "with ESMTPSA (TLS1.3 "},
		"LOGIN":            {"  hosts_require_auth = *", "a:\n  driver = plaintext\n  public_name = LOGIN\n  client_send = : joe : secret\n", "user <joe>", "with ESMTPSA (TLS1.3 "},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			h.certificate()
			server, address := h.smtpd(nil, h.checkpassword(), "true")
			m := h.exim(address, "tls_advertise_hosts =", tt.transport, tt.authenticators)
			h.remote(m)
			m.wait("Completed", 1)
			sent := "=> joe@here.test"
			if name != "without CHUNKING" {
				sent += " " // and K, for chunks
				m.line(t, 0, sent, " K C=\"250")
			}
			server.line(t, 0, "accepted qp", "from <sue@far.example> to <joe@here.test>", "helo <mx.far.example>", tt.log)
			h.checkRelayed(t, tt.received)
		})
	}
}
