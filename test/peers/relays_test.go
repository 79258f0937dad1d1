package peers

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// queue hands the message to qmail-queue, or a program in its place.
func (h *host) queue(program, sender string, recipients ...string) {
	h.t.Helper()
	envelope, err := os.Open(h.file("envelope", "F"+sender+"\x00T"+strings.Join(recipients, "\x00T")+"\x00\x00"))
	h.must(err)
	defer envelope.Close()
	cmd := h.command(program)
	cmd.Stdin, cmd.Stdout = strings.NewReader(message), envelope
	if code, out := h.run(cmd); code != 0 {
		h.t.Fatalf("%s exits with %d: %s", program, code, out)
	}
}

// system starts the system.
func (h *host) system() *running {
	h.t.Helper()
	r := h.start(h.command("qmail-start", "./Maildir/"))
	r.wait("status: local 0/", 1)
	for give := time.Now().Add(patience); !r.listens() && time.Now().Before(give); { // which begins after that line
		time.Sleep(5 * time.Millisecond)
	}
	return r
}

// listens reports whether qmail-send has opened the last of what it always has open: both
// ends of the trigger, and the socket for commands.
func (r *running) listens() bool {
	names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", r.cmd.Process.Pid))
	trigger, socket := 0, 0
	for _, name := range names {
		to, _ := os.Readlink(name)
		if strings.HasSuffix(to, "/lock/trigger") {
			trigger++
		}
		if strings.HasPrefix(to, "socket:") {
			socket++
		}
	}
	return trigger == 2 && socket > 0
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

// delivery is one to another mail system. IP stands for its address, CERTIFICATE for
// the file of its certificate, and PEM for what is in it.
type delivery struct {
	name     string
	settings string            // of the other one
	control  map[string]string // of ours
	want     string            // words in the line of our log
	theirs   string            // words in a line of its log
	to       string            // the recipient, if not bob@far.example
}

// deliver sends the message, and checks what has come.
func (d delivery) deliver(t *testing.T, start func(h *host, settings string) mta) {
	t.Parallel()
	h := newHost(t)
	m := start(h, d.settings)
	pem, err := os.ReadFile(m.certificate)
	h.must(err)
	values := strings.NewReplacer("IP", m.ip, "CERTIFICATE", m.certificate, "PEM", string(pem))
	h.must(h.home.Relay(m.ip + ":2525"))
	for name, text := range d.control {
		h.control(name, values.Replace(text))
	}
	s := h.system()
	to := cmp.Or(d.to, "bob@far.example")
	h.queue("qmail-queue", "sue@far.example", to)
	got := s.after("\ndelivery 1: ")
	for _, word := range strings.Fields(values.Replace(d.want)) {
		if !strings.Contains(got, word) {
			t.Fatalf("there is no %q in %q", word, got)
		}
	}
	if strings.HasPrefix(d.want, "success: IP_accepted_message.") {
		m.line(t, 0, append(strings.Fields(d.theirs), to)...)
		h.checkBox(t, m.box)
	} else if len(h.mailsIn(m.box)) > 0 {
		t.Error("it has come")
	}
}

// Rules about TLS, as they are in tlsdestinations.
func rule(text string) map[string]string { return map[string]string{"tlsdestinations": text + "\n"} }

func TestToPostfix(t *testing.T) {
	t.Parallel()
	const (
		accepted = "success: IP_accepted_message./Remote_host_said:_250_2.0.0_Ok:_queued_as_ "
		none     = "smtpd_tls_security_level = none\n"
		may      = "smtpd_tls_security_level = may\n"
		askCert  = "smtpd_tls_security_level = encrypt\nsmtpd_tls_req_ccert = yes\nsmtpd_tls_CAfile = CERTIFICATE\n"
	)
	for _, d := range []delivery{
		{name: "plain", settings: none, want: accepted},
		{name: "STARTTLS", settings: may, want: accepted + "STARTTLS_proto=TLSv1.3; verified=no"},
		{name: "STARTTLS with 1.2", settings: may + "smtpd_tls_protocols = TLSv1.2\n", want: accepted + "STARTTLS_proto=TLSv1.2;"},
		{name: "it wants TLS", settings: "smtpd_tls_security_level = encrypt\n", want: accepted + "STARTTLS_proto=TLSv1.3;"},
		{name: "it wants a certificate", settings: askCert, control: map[string]string{"clientcert.pem": "PEM"}, want: accepted + "STARTTLS_proto=TLSv1.3;"},
		{name: "it wants a certificate, and gets none", settings: askCert, want: "deferral: _421_4.7.1_ _No_client_certificate_presented"},
		{name: "not for this host", settings: may, control: map[string]string{"notlshosts/IP": ""}, want: accepted},
		{name: "TLS is required", settings: may, control: rule("-IP:"), want: accepted + "STARTTLS_proto=TLSv1.3;"},
		{name: "TLS is required, and is not there", settings: none, control: rule("-IP:"), want: "deferral: (#4.7.10)"},
		{name: "verified", settings: may, control: rule("=IP:CERTIFICATE"), want: accepted + "STARTTLS_proto=TLSv1.3; verified=yes"},
		{name: "by an unknown authority", settings: may, control: rule("~IP:"), want: "deferral: TLS_unable_to_verify_server_IP"},
		{name: "UTF-8 address", settings: may, to: "b\u00f8b@far.example", want: accepted},
	} {
		d.theirs = "status=sent " + d.theirs
		t.Run(d.name, func(t *testing.T) {
			d.deliver(t, func(h *host, settings string) mta { return h.postfix("127.0.0.1:1", settings) })
		})
	}
}

func TestToExim(t *testing.T) {
	t.Parallel()
	const (
		accepted = "success: IP_accepted_message./Remote_host_said:_250_OK_id= "
		none     = "tls_advertise_hosts =\n"
		users    = "acl_smtp_mail = users\nauth_advertise_hosts = *\n"
	)
	login := func(password string) map[string]string {
		return map[string]string{"smtproutes": ":IP:2525|joe|" + password + "\n"}
	}
	for _, d := range []delivery{
		{name: "plain", settings: none, want: accepted},
		{name: "STARTTLS", want: accepted + "STARTTLS_proto=TLSv1.3; verified=no"},
		{name: "verified", control: rule("=IP:CERTIFICATE"), want: accepted + "STARTTLS_proto=TLSv1.3; verified=yes"},
		{name: "TLS from the first byte on", control: map[string]string{"smtproutes": ":IP:465\n"}, want: accepted + "TLS_proto=TLSv1.3;"},
		{name: "PLAIN", settings: users + "MECHANISM PLAIN", control: login("secret"), want: accepted + "STARTTLS_proto=TLSv1.3;"},
		{name: "LOGIN", settings: users + "MECHANISM LOGIN", control: login("secret"), want: accepted + "STARTTLS_proto=TLSv1.3;"},
		{name: "CRAM-MD5", settings: users + "MECHANISM CRAM-MD5", control: login("secret"), want: accepted + "STARTTLS_proto=TLSv1.3;"},
		{name: "all of them", settings: users + "MECHANISM ", control: login("secret"), want: accepted + "STARTTLS_proto=TLSv1.3;"},
		{name: "PLAIN with a wrong password", settings: users + "MECHANISM PLAIN", control: login("wrong"), want: "535"},
		{name: "CRAM-MD5 with a wrong password", settings: users + "MECHANISM CRAM-MD5", control: login("wrong"), want: "535"},
		{name: "a password without TLS", settings: none + users + "MECHANISM PLAIN", control: login("secret"), want: "TLS"},
		{name: "no password", settings: users + "MECHANISM PLAIN", want: "failure: sender_was_rejected _550_"},
	} {
		d.theirs = "=> T=box"
		t.Run(d.name, func(t *testing.T) {
			d.deliver(t, func(h *host, settings string) mta {
				settings, mechanism, auth := strings.Cut(settings, "MECHANISM ")
				if auth {
					return h.exim("127.0.0.1:1", settings, "", eximUsers(mechanism))
				}
				return h.exim("127.0.0.1:1", settings, "", "")
			})
		})
	}
}

// eximUsers are authenticators for joe, whose password is secret; all of them if
// none is named.
func eximUsers(mechanism string) (config string) {
	const check = "${if and{{eq{$auth%d}{joe}}{eq{$auth%d}{secret}}}}"
	for name, how := range map[string]string{
		"PLAIN":    "  driver = plaintext\n  server_set_id = $auth2\n  server_prompts = :\n  server_condition = " + fmt.Sprintf(check, 2, 3) + "\n",
		"LOGIN":    "  driver = plaintext\n  server_set_id = $auth1\n  server_prompts = <| Username: | Password:\n  server_condition = " + fmt.Sprintf(check, 1, 2) + "\n",
		"CRAM-MD5": "  driver = cram_md5\n  server_set_id = $auth1\n  server_secret = ${if eq{$auth1}{joe}{secret}fail}\n",
	} {
		if mechanism == "" || mechanism == name {
			config += name[:4] + ":\n  public_name = " + name + "\n" + how
		}
	}
	return config
}

// remote has qmail-remote send the message to a host for somebody at here.test.
func (h *host) remote(m mta, to string) {
	h.t.Helper()
	h.must(h.home.Relay(m.ip + ":2525"))
	cmd := h.command("qmail-remote", "here.test", "sue@far.example", to)
	cmd.Stdin = strings.NewReader(message)
	if _, out := h.run(cmd); !strings.HasPrefix(out, "r") || !strings.Contains(out, "\x00K") {
		h.t.Fatalf("qmail-remote reports %q", out)
	}
}

func TestFromPostfix(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ settings, log, received string }{
		"plain":    {"", "accepted", "with SMTP"},
		"UTF-8":    {"", "accepted", "with UTF8SMTP"},
		"STARTTLS": {"smtp_tls_security_level = encrypt\n", "tls TLS1.3", "with ESMTPS (TLS1.3 "},
		"verified": {"smtp_tls_security_level = verify\nsmtp_tls_CAfile = CERTIFICATE\nsmtp_tls_verify_cert_match = mx.test.example\n", "tls TLS1.3", "with ESMTPS (TLS1.3 "},
		"AUTH": {"smtp_tls_security_level = encrypt\nsmtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = static:joe:secret\nsmtp_sasl_security_options = noanonymous\n",
			"user <joe>", "with ESMTPSA (TLS1.3 "},
		"AUTH by SCRAM": {"smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = static:joe:secret\nsmtp_sasl_security_options = noplaintext\nsmtp_sasl_mechanism_filter = scram-sha-256\n",
			"user <joe>", "with ESMTPA"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			certificate := h.certificate()
			h.smtpusers()
			server, address := h.smtpd(nil)
			m := h.postfix(address, strings.ReplaceAll(tt.settings, "CERTIFICATE", certificate))
			to := "joe@here.test"
			if name == "UTF-8" {
				to = "j\u00f8e@here.test"
			}
			h.remote(m, to)
			m.wait(" status=", 1)
			m.line(t, 0, "status=sent (250 ok ")
			server.line(t, 0, "accepted qp", "from <sue@far.example> to <j", "helo <mx.far.example>", tt.log)
			h.checkRelayed(t, to, tt.received)
		})
	}
}

// checkRelayed checks the only message in the queue, that has come by another host.
func (h *host) checkRelayed(t *testing.T, to, received string) {
	t.Helper()
	mail := h.takeOne()
	_, text, _ := strings.Cut(mail.text, "\n")
	_, text = cutField(text)
	mail.checkReceived(t, "sue@far.example", to, text, "(HELO mx.far.example)", received)
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
		"CRAM-MD5":         {"  hosts_require_auth = *", "a:\n  driver = cram_md5\n  public_name = CRAM-MD5\n  client_name = joe\n  client_secret = secret\n", "user <joe>", "with ESMTPSA (TLS1.3 "},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			h.certificate()
			server, address := h.smtpd([]string{"SMTPAUTH=+cram"}, h.checkpassword(), "true")
			m := h.exim(address, "tls_advertise_hosts =", tt.transport, tt.authenticators)
			h.remote(m, "joe@here.test")
			m.wait("Completed", 1)
			sent := "=> joe@here.test"
			if name != "without CHUNKING" {
				sent += " " // and K, for chunks
				m.line(t, 0, sent, " K C=\"250")
			}
			server.line(t, 0, "accepted qp", "from <sue@far.example> to <joe@here.test>", "helo <mx.far.example>", tt.log)
			h.checkRelayed(t, "joe@here.test", tt.received)
		})
	}
}
