package peers

import (
	"fmt"
	"strings"
	"testing"

	"goqmail/receive/receivetest"
)

// A session typed into openssl s_client, under each name that the server has.
func TestOpenSSL(t *testing.T) {
	t.Parallel()
	openssl := installed(t, "openssl")
	h := newHost(t)
	certificates := h.certificate()
	h.control("servercerts/a.test.example.pem", receivetest.Certificate(t, "a.test.example"))
	h.control("servercerts/b.test.example/servercert.pem", receivetest.Certificate(t, "b.test.example"))
	// That of mx.test.example stands for all others.
	names := map[string]string{"a.test.example": "a", "B.Test.Example": "b", "mx.test.example": "mx", "other.test.example": "mx", "": "mx"}
	for kind, env := range map[string][]string{"-starttls smtp -name openssl.test.example": nil, "-quiet": {"SMTPS=1"}} {
		server, address := h.smtpd(env)
		for name, has := range names {
			t.Run(strings.Fields(kind)[0]+" "+name, func(t *testing.T) {
				trusted := strings.Replace(certificates, "servercert.pem", map[string]string{"a": "servercerts/a.test.example.pem", "b": "servercerts/b.test.example/servercert.pem", "mx": "servercert.pem"}[has], 1)
				args := append(strings.Fields("s_client -quiet -crlf -verify_return_error -CAfile "+trusted+" -connect "+address), strings.Fields(kind)...)
				if name == "" {
					args = append(args, "-noservername")
				} else {
					args = append(args, "-servername", name)
				}
				cmd := h.command(openssl, args...)
				// It says nothing of this before there is TLS.
				cmd.Stdin = strings.NewReader("EHLO openssl.test.example\nMAIL FROM:<sue@far.example>\nRCPT TO:<joe@here.test>\nDATA\n" +
					strings.ReplaceAll("\n"+message, "\n.", "\n..")[1:] + ".\nQUIT\n")
				if code, out := h.run(cmd); code != 0 {
					t.Fatalf("exit code %d:\n%s", code, out)
				}
				h.takeOne().checkReceived(t, "sue@far.example", "joe@here.test", message, "(HELO openssl.test.example)", "with ESMTPS (TLS1.3 ")
			})
		}
		server.line(t, 0, "accepted qp", "to <joe@here.test>", "helo <openssl.test.example> tls TLS1.3")
	}
}

// The exit codes of msmtp, from sysexits.h.
const (
	exitOK          = 0
	exitDataErr     = 65
	exitUnavailable = 69
	exitNoPerm      = 77
)

func TestMsmtp(t *testing.T) {
	t.Parallel()
	msmtp := installed(t, "msmtp")
	h := newHost(t)
	certificate := h.certificate()
	h.smtpusers()
	plain, plainAddress := h.smtpd([]string{"SMTPAUTH=+cram"})
	smtps, smtpsAddress := h.smtpd([]string{"SMTPAUTH=+cram", "SMTPS=1"})
	const trust = "tls_trust_file CERTIFICATE\ntls_host_override mx.test.example\n"
	for kind, tt := range map[string]struct {
		config  string
		server  *running
		address string
		log     string
	}{
		"in the clear": {"", plain, plainAddress, "helo <msmtp.test.example>"},
		"STARTTLS":     {"tls on\n" + trust, plain, plainAddress, "tls TLS1.3"},
		"TLS":          {"tls on\ntls_starttls off\n" + trust, smtps, smtpsAddress, "tls TLS1.3"},
		"TLS 1.2":      {"tls on\ntls_starttls off\ntls_priorities NORMAL:-VERS-ALL:+VERS-TLS1.2\n" + trust, smtps, smtpsAddress, "tls TLS1.2"},
	} {
		for _, auth := range []struct {
			name, config string
			want         int
		}{
			{"without AUTH", "auth off\n", exitOK},
			{"PLAIN", "auth plain\nuser joe\npassword secret\n", exitOK},
			{"LOGIN", "auth login\nuser joe\npassword secret\n", exitOK},
			{"CRAM-MD5", "auth cram-md5\nuser ann\npassword secret\n", exitOK},
			{"SCRAM-SHA-256", "auth scram-sha-256\nuser joe\npassword secret\n", exitOK},
			{"SCRAM-SHA-256 and a password as it is", "auth scram-sha-256\nuser ann\npassword secret\n", exitOK},
			{"a mechanism that it chooses", "auth on\nuser ann\npassword secret\n", exitOK},
			{"CRAM-MD5 with a verifier", "auth cram-md5\nuser joe\npassword secret\n", exitNoPerm},
			{"PLAIN with a wrong password", "auth plain\nuser joe\npassword wrong\n", exitNoPerm},
			{"SCRAM-SHA-256 with a wrong password", "auth scram-sha-256\nuser joe\npassword wrong\n", exitNoPerm},
			{"SCRAM-SHA-256 and nobody", "auth scram-sha-256\nuser eve\npassword secret\n", exitNoPerm},
			{"elsewhere without AUTH", "auth off\n", exitDataErr},
		} {
			if auth.want == exitNoPerm && kind != "STARTTLS" {
				continue // once is enough: the client waits for the answer
			}
			t.Run(kind+" "+auth.name, func(t *testing.T) {
				to, user := "joe@here.test", ""
				if _, rest, ok := strings.Cut(auth.config, "user "); ok || auth.want != exitOK {
					name, _, _ := strings.Cut(rest, "\n")
					to, user = "bob@far.example", "user <"+name+">"
				}
				name, port, _ := strings.Cut(tt.address, ":")
				config := h.file("msmtprc", fmt.Sprintf("host %s\nport %s\nfrom sue@far.example\ndomain msmtp.test.example\n%s%s", name, port,
					strings.ReplaceAll(tt.config, "CERTIFICATE", certificate), auth.config))
				before := len(tt.server.log())
				cmd := h.command(msmtp, "-C", config, "--", to)
				cmd.Stdin = strings.NewReader(message)
				if code, out := h.run(cmd); code != auth.want {
					t.Fatalf("exit code %d, want %d:\n%s", code, auth.want, out)
				}
				if auth.want != exitOK {
					return
				}
				h.takeOne().checkReceived(t, "sue@far.example", to, message, "(HELO msmtp.test.example)")
				tt.server.line(t, before, "accepted qp", "to <"+to+">", tt.log, user)
			})
		}
	}
	if left := h.take(); len(left) > 0 {
		t.Errorf("%d messages too many are queued", len(left))
	}
}

// A client that does not trust the certificate does not say its password.
func TestMsmtpTrust(t *testing.T) {
	t.Parallel()
	msmtp := installed(t, "msmtp")
	h := newHost(t)
	certificate := h.certificate()
	_, address := h.smtpd(nil)
	name, port, _ := strings.Cut(address, ":")
	for config, want := range map[string]int{
		"tls_trust_file " + certificate + "\ntls_host_override mx.test.example\n":    exitOK,
		"tls_trust_file " + certificate + "\ntls_host_override other.test.example\n": exitUnavailable,
		"tls_trust_file system\ntls_host_override mx.test.example\n":                 exitUnavailable,
	} {
		file := h.file("msmtprc", fmt.Sprintf("host %s\nport %s\nfrom sue@far.example\ntls on\n%s", name, port, config))
		cmd := h.command(msmtp, "-C", file, "--", "joe@here.test")
		cmd.Stdin = strings.NewReader(message)
		if code, out := h.run(cmd); code != want {
			t.Errorf("with %q, exit code %d, want %d:\n%s", config, code, want, out)
		}
	}
	h.takeOne()
}
