package peers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tcpserver starts a program under tcpserver, with those rules, and returns its
// address.
func (h *host) tcpserver(rules string, program ...string) (*running, string) {
	h.t.Helper()
	tcpserver, tcprules := installed(h.t, "tcpserver"), installed(h.t, "tcprules")
	cmd := h.command(tcprules, "rules.cdb", "rules.tmp")
	cmd.Dir = h.folder("rules")
	cmd.Stdin = strings.NewReader(rules)
	if code, out := h.run(cmd); code != 0 {
		h.t.Fatal(out)
	}
	// It tells its port, and then each connection.
	cmd = h.command(tcpserver, append([]string{"-1", "-v", "-H", "-R", "-l", "mx.test.example", "-x", filepath.Join(h.dir, "rules/rules.cdb"), "127.0.0.1", "0"}, program...)...)
	r := h.start(cmd)
	r.wait("tcpserver: status: 0/40\n", 1)
	for line := range strings.Lines(r.log()) {
		if !strings.HasPrefix(line, "tcpserver") {
			return r, "127.0.0.1:" + strings.TrimSpace(line)
		}
	}
	h.t.Fatalf("tcpserver has not told its port: %s", r.log())
	return nil, ""
}

func TestTcpserver(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.certificate()
	server, address := h.tcpserver(`127.:allow,RELAYCLIENT="",DATABYTES="3000"`+"\n", h.path("bin/qmail-smtpd"), h.checkpassword(), "true")
	large := h.file("large", message+strings.Repeat("large\n", 1000))
	h.swaks(address, server, []swaksCase{
		{name: "plain", args: "--to bob@far.example", to: "bob@far.example", log: "accepted client 127.0.0.1"},
		{name: "pipelining", args: "--pipeline", to: "joe@here.test", log: "accepted"},
		{name: "TLS", args: "--tls", to: "joe@here.test", log: "accepted tls TLS1.3"},
		{name: "AUTH", args: "--tls --auth PLAIN --auth-user joe --auth-password secret", to: "joe@here.test", log: "accepted user <joe>"},
		{name: "wrong password", args: "--tls --auth PLAIN --auth-user joe --auth-password wrong", want: swaksNoAuth},
		{name: "too large", args: "--data @" + large, want: swaksNoMessage, reply: "<** 552 ", log: "refused reply 552_sorry,"},
	})
	// The session of a client that says QUIT ends with 0.
	server.wait(" status 0\n", 4)
}

// Rblsmtpd speaks in our place to clients that are listed, and leaves others to us.
func TestRblsmtpd(t *testing.T) {
	t.Parallel()
	rblsmtpd := installed(t, "rblsmtpd")
	h := newHost(t)
	for name, tt := range map[string]struct {
		listed string
		cases  []swaksCase
	}{
		"not listed": {"", []swaksCase{{name: "not listed", to: "joe@here.test", log: "accepted client 127.0.0.1"}}},
		"for now":    {"Come later", []swaksCase{{name: "for now", want: swaksNoRcpt, reply: "<** 451 Come later"}}},
		"for good":   {"-Go away", []swaksCase{{name: "for good", want: swaksNoRcpt, reply: "<** 553 Go away"}}},
	} {
		server, address := h.tcpserver(`127.:allow,RBLSMTPD="`+tt.listed+`"`+"\n", rblsmtpd, "-c", h.path("bin/qmail-smtpd"))
		h.swaks(address, server, tt.cases)
		if listed := strings.Contains(server.log(), "rblsmtpd: 127.0.0.1 pid "); listed != (tt.listed != "") {
			t.Errorf("%s: rblsmtpd logs\n%s", name, server.log())
		}
	}
}

// A server of systemd's kind starts qmail-smtpd for each connection, or once with
// the socket that it has opened.
func TestSocketActivation(t *testing.T) {
	t.Parallel()
	activate := installed(t, "systemd-socket-activate")
	h := newHost(t)
	h.certificate()
	for name, args := range map[string][]string{
		"for each connection": {"--accept", "--inetd", h.path("bin/qmail-smtpd")},
		"once":                {h.path("bin/qmail-smtpd"), "-listen", "systemd"},
	} {
		address := freeAddress(t) + ":2525"
		server := h.start(h.command(activate, append([]string{"-l", address, "-E", "QMAILHOME=" + h.home.Dir, "-E", "PATH=" + os.Getenv("PATH")}, args...)...))
		server.wait("Listening on "+address, 1)
		h.swaks(address, server, []swaksCase{
			{name: name, to: "joe@here.test", log: "accepted"},
			{name: name + " once more", to: "joe@here.test", log: "accepted"},
			{name: name + " with TLS", args: "--tls", to: "joe@here.test", log: "accepted tls TLS1.3"},
		})
	}
}
