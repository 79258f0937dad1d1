package peers

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"goqmail/receive/receivetest"
)

// The exit codes of swaks.
const (
	swaksOK        = 0
	swaksNoMail    = 23
	swaksNoRcpt    = 24
	swaksNoMessage = 26
	swaksNoAuth    = 28
	swaksNoTLS     = 29
)

// swaksCase is a session of swaks: what it is to do, and what comes of it.
type swaksCase struct {
	name  string
	args  string // with blanks in between
	want  int    // its exit code
	reply string // is in what it shows of the session
	to    string // who got the message, if anybody
	log   string // words, with blanks in between, in one line of our log
}

// swaks runs swaks with a server, for each case.
func (h *host) swaks(address string, server *running, cases []swaksCase) {
	h.t.Helper()
	program := installed(h.t, "swaks")
	if err := exec.Command("perl", "-MNet::SSLeay", "-e1").Run(); err != nil {
		h.t.Skip("perl has no Net::SSLeay (Debian: libnet-ssleay-perl)")
	}
	name, port, _ := strings.Cut(address, ":")
	common := []string{"--server", name, "--port", port, "--helo", "swaks.test.example", "--from", "sue@far.example",
		"--no-strip-from", "--data", "@" + h.file("message", strings.TrimSuffix(message, "\n"))} // it ends the last line
	for _, tt := range cases {
		h.t.Run(tt.name, func(t *testing.T) {
			args := strings.Fields(tt.args)
			if !strings.Contains(tt.args, "--to ") {
				args = append(args, "--to", "joe@here.test")
			}
			before := len(server.log())
			code, out := h.run(h.command(program, append(slices.Clone(common), args...)...))
			if code != tt.want || !strings.Contains(out, tt.reply) {
				t.Fatalf("exit code %d, want %d and %q:\n%s", code, tt.want, tt.reply, tail(out))
			}
			if mails := h.take(); tt.to == "" && len(mails) > 0 || tt.to != "" && len(mails) != 1 {
				t.Fatalf("%d messages are queued", len(mails))
			} else if tt.to != "" {
				mails[0].checkReceived(t, "sue@far.example", tt.to, message, "(HELO swaks.test.example)")
			}
			if tt.log != "" {
				server.line(t, before, strings.Fields("qmail-smtpd: from <sue@far.example> helo <swaks.test.example> "+tt.log)...)
			}
		})
	}
}

func TestSwaks(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.control("databytes", "3000\n")
	h.control("maxrcpt", "5\n")
	h.certificate()
	server, address := h.smtpd(nil)
	large := h.file("large", message+strings.Repeat("large\n", 1000))
	h.swaks(address, server, []swaksCase{
		{name: "plain", to: "joe@here.test", log: "accepted to <joe@here.test>"},
		{name: "without ESMTP", args: "--protocol SMTP", to: "joe@here.test", log: "accepted"},
		{name: "pipelining", args: "--pipeline", to: "joe@here.test", log: "accepted"},
		{name: "pipelining under TLS", args: "--pipeline --tls", to: "joe@here.test", log: "accepted tls"},
		{name: "five recipients", args: "--to a@here.test,b@here.test,c@here.test,d@here.test,e@here.test",
			to: "a@here.test b@here.test c@here.test d@here.test e@here.test", log: "accepted <a@here.test> <e@here.test>"},
		{name: "more recipients than are taken", args: "--to a@here.test,b@here.test,c@here.test,d@here.test,e@here.test,f@here.test",
			reply: "<** 452 ", to: "a@here.test b@here.test c@here.test d@here.test e@here.test", log: "refused to <f@here.test>"},
		{name: "a recipient elsewhere", args: "--to bob@far.example", want: swaksNoRcpt, reply: "<** 553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
			log: "refused to <bob@far.example> reply 553_sorry,"},
		{name: "some of them elsewhere, pipelined", args: "--pipeline --to bob@far.example,joe@here.test,cy@far.example", to: "joe@here.test", log: "accepted to <joe@here.test>"},
		{name: "a message that is too large", args: "--data @" + large, want: swaksNoMessage, reply: "<** 552 sorry, that message size exceeds my databytes limit (#5.3.4)", log: "refused reply 552_sorry,"},
		{name: "AUTH, without users", args: "--auth --auth-user joe --auth-password secret", want: swaksNoAuth},
		{name: "AUTH, if there is", args: "--auth-optional --auth-user joe --auth-password secret", to: "joe@here.test", log: "accepted"},
		{name: "quit after RCPT", args: "--quit-after RCPT"},
		{name: "drop after DATA", args: "--drop-after-send DATA"},
		{name: "drop in the message", args: "--pipeline --drop-after DATA"},
	})
}

func TestSwaksTLS(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	certificate := h.certificate()
	h.control("servercerts/other.test.example.pem", receivetest.Certificate(t, "other.test.example"))
	client := h.file("client.pem", receivetest.Certificate(t, "swaks.test.example"))
	server, address := h.smtpd([]string{"FORCETLS=1"})
	h.swaks(address, server, []swaksCase{
		{name: "none, though it is needed", want: swaksNoMail, reply: "<** 530 "},
		{name: "STARTTLS", args: "--tls", reply: "220", to: "joe@here.test", log: "accepted tls TLS1.3"},
		{name: "if there is", args: "--tls-optional", to: "joe@here.test", log: "accepted tls TLS1.3"},
		{name: "if there is, strictly", args: "--tls-optional-strict", to: "joe@here.test", log: "accepted tls TLS1.3"},
		{name: "1.2", args: "--tls --tls-protocol tlsv1_2", to: "joe@here.test", log: "accepted tls TLS1.2"},
		{name: "1.3", args: "--tls --tls-protocol tlsv1_3", to: "joe@here.test", log: "accepted tls TLS1.3"},
		{name: "1.1", args: "--tls --tls-protocol tlsv1_1 --tls-cipher DEFAULT:@SECLEVEL=0", want: swaksNoTLS},
		{name: "a certificate of the client", args: "--tls --tls-cert " + client + " --tls-key " + client, to: "joe@here.test", log: "accepted tls"},
		{name: "verified", args: "--tls --tls-verify --tls-ca-path " + certificate, to: "joe@here.test", log: "accepted tls"},
		{name: "not verified", args: "--tls --tls-verify", want: swaksNoTLS},
		{name: "by another name", args: "--tls --tls-sni other.test.example", reply: `DN="/CN=other.test.example"`, to: "joe@here.test"},
		{name: "by a name that we do not have", args: "--tls --tls-sni no.test.example", reply: `DN="/CN=mx.test.example"`, to: "joe@here.test"},
	})
	server, address = h.smtpd([]string{"SMTPS=1"})
	h.swaks(address, server, []swaksCase{
		{name: "from the first byte on", args: "--tls-on-connect", to: "joe@here.test", log: "accepted tls TLS1.3"},
		{name: "from the first byte on, 1.2", args: "--tls-on-connect --tls-protocol tlsv1_2", to: "joe@here.test", log: "accepted tls TLS1.2"},
		{name: "twice", args: "--tls-on-connect --tls", want: swaksNoTLS},
	})
}

// A client may send anywhere by its certificate, and by no other of the same name.
func TestSwaksClientCertificate(t *testing.T) {
	t.Parallel()
	openssl := installed(t, "openssl")
	h := newHost(t)
	h.certificate()
	key := h.folder("keys") + "/"
	for _, name := range []string{"good", "bad"} {
		code, out := h.run(h.command(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
			"-subj", "/CN=relay", "-addext", "subjectAltName=email:relay@far.example", "-keyout", key+name+".key", "-out", key+name+".pem"))
		if code != 0 {
			t.Fatal(out)
		}
	}
	ca, err := os.ReadFile(key + "good.pem")
	h.must(err)
	h.control("clientca.pem", string(ca))
	h.control("tlsclients", "relay@far.example\n")
	server, address := h.smtpd(nil)
	with := func(name string) string {
		return "--tls --tls-cert " + key + name + ".pem --tls-key " + key + name + ".key --to bob@far.example"
	}
	h.swaks(address, server, []swaksCase{
		{name: "ours", args: with("good"), to: "bob@far.example", log: "accepted tls TLS1.3"},
		{name: "another", args: with("bad"), want: swaksNoRcpt, reply: " 553 "},
		{name: "none", args: "--tls --to bob@far.example", want: swaksNoRcpt, reply: " 553 "},
		{name: "ours, with 1.2", args: "--tls-protocol tlsv1_2 " + with("good"), to: "bob@far.example", log: "accepted tls TLS1.2"},
	})
}

// Every way to say who one is, under every kind of TLS, with a checkpassword program
// and with a password file, where swaks knows how.
func TestSwaksAuth(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"", "--tls", "--tls-optional-strict", "--tls-on-connect"} {
		for _, file := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s file %v", kind, file), func(t *testing.T) {
				t.Parallel()
				h := newHost(t)
				h.certificate()
				env, user, checker := []string{"SMTPAUTH=+cram"}, "joe", []string(nil)
				if kind == "--tls-on-connect" {
					env = append(env, "SMTPS=1")
				}
				if file {
					h.smtpusers()
					user = "ann"
				} else {
					checker = []string{h.checkpassword(), "true"}
				}
				server, address := h.smtpd(env, checker...)
				h.swaks(address, server, swaksUser(kind, user))
			})
		}
	}
}

// swaksUser are sessions of a user who sends mail elsewhere.
func swaksUser(kind, user string) []swaksCase {
	common := kind + " --to bob@far.example --auth-user " + user + " --auth-password "
	cases := []swaksCase{
		{name: "not said", args: kind + " --to bob@far.example", want: swaksNoRcpt, reply: " 553 "},
		{name: "whatever there is", args: common + "secret --auth", to: "bob@far.example", log: "accepted user <" + user + ">"},
		{name: "if there is", args: common + "secret --auth-optional-strict", to: "bob@far.example", log: "accepted user <" + user + ">"},
	}
	for _, mechanism := range []string{"PLAIN", "LOGIN", "CRAM-MD5"} {
		cases = append(cases, swaksCase{name: mechanism, args: common + "secret --auth " + mechanism, to: "bob@far.example", log: "accepted user <" + user + ">"})
		if kind == "--tls" { // once is enough: the client waits for the answer
			cases = append(cases,
				swaksCase{name: mechanism + " with a wrong password", args: common + "wrong --auth " + mechanism, want: swaksNoAuth, reply: " 535 "},
				swaksCase{name: mechanism + " and nobody", args: common + "secret --auth " + mechanism + " --auth-user eve", want: swaksNoAuth, reply: " 535 "})
		}
	}
	return cases
}
