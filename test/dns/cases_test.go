package dns

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// patience is more than all attempts at one lookup may take.
const patience = 2 * time.Minute

// What qmail-remote reports, with the zero bytes left out.
const (
	unknown = "DSorry, I couldn't find any host named %s. (#5.1.2)\n"
	trouble = "ZSorry, I couldn't find any host by that name. (#4.1.2)\n"
	noHost  = "DSorry, I couldn't find a mail exchanger or IP address. (#5.4.4)\n"
	nullMX  = "DSorry, that host does not accept mail. (#5.1.10)\n"
	ownHost = "DSorry. Although I'm listed as a best-preference MX or A for that host,\nit isn't in my control/locals file, so I don't treat it as local. (#5.4.6)\n"
	noSMTP  = "ZSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n"
)

func taken(by string) string { return "rK" + by + " accepted message.\nRemote host said: 250 ok\n" }

func unknownHost(host string) string { return strings.Replace(unknown, "%s", host, 1) }

func (w *world) run(t *testing.T, program string) {
	deadFirst := "nameserver " + closed + "\nnameserver " + resolver
	silentFirst := "nameserver " + silent + "\nnameserver " + resolver + "\noptions timeout:1"
	tests := []struct {
		name, host string
		want       string // the reports; if it begins with ^, a pattern
		control    string // name=text of a control file
		resolvConf string
		from       string // which address it connects from, if that matters
	}{
		{name: "MX by preference", host: "usual.example.org", want: taken("192.0.2.1")},
		{name: "upper case", host: "USUAL.example.ORG", want: taken("192.0.2.1")},
		{name: "a dot at the end", host: "usual.example.org.", want: taken("192.0.2.1")},
		{name: "wildcard", host: "x.y.wild.example.org", want: taken("192.0.2.1")},
		{name: "the second exchanger", host: "second.example.org", want: taken("192.0.2.2")},
		{name: "no MX", host: "alone.example.org", want: taken("192.0.2.4")},
		{name: "IPv6 only", host: "ipv6.example.org", want: taken("2001:db8::1")},
		{name: "no MX, IPv6 only", host: "six.example.org", want: taken("2001:db8::1")},
		{name: "IPv4 first", host: "two.example.org", want: taken("192.0.2.3")},
		{name: "null MX", host: "null.example.org", want: nullMX},
		{name: "no such host", host: "nobody.example.org", want: unknownHost("nobody.example.org")},
		{name: "no host of any kind", host: "empty.example.org", want: unknownHost("empty.example.org")},
		{name: "exchanger does not exist", host: "dangling.example.org", want: noHost},
		{name: "one exchanger does not exist", host: "halfway.example.org", want: taken("192.0.2.1")},
		{name: "exchanger is an alias", host: "mxalias.example.org", want: taken("192.0.2.1")},
		{name: "alias of a host with MX", host: "www.example.org", want: taken("192.0.2.1")},
		{name: "alias of a null MX", host: "wwwnull.example.org", want: nullMX},
		{name: "alias of nobody", host: "wwwnobody.example.org", want: unknownHost("wwwnobody.example.org")},
		{name: "aliases of each other", host: "round1.example.org", want: trouble},
		{name: "exchanger is an alias of itself", host: "mxround.example.org", want: trouble},
		{name: "this host is the best", host: "toself.example.org", want: ownHost},
		{name: "this host is the second", host: "backup.example.org", want: taken("192.0.2.1")},
		{name: "this host by translation", host: "tonat.example.org", control: "moreipme=192.0.2.200", want: ownHost},
		{name: "another host with this one's address", host: "toself.example.org", control: "notipme=203.0.113.1", want: taken("203.0.113.1")},

		{name: "truncated, then by TCP", host: "many.example.org", want: taken("192.0.2.0")},
		{name: "2000 exchangers", host: "huge.example.org", want: taken("192.0.2.100")},
		{name: "more than an answer holds", host: "beyond.example.org", want: trouble},
		{name: "1000 addresses", host: "wide.example.org", want: `^rK192\.0\.2\.\d+ accepted message`},

		{name: "server fails", host: "x.closed.example", resolvConf: "nameserver " + resolver + "\noptions timeout:1 attempts:1", want: trouble},
		{name: "server is silent", host: "x.silent.example", resolvConf: "nameserver " + resolver + "\noptions timeout:1 attempts:1", want: trouble},
		{name: "first resolver is dead", host: "usual.example.org", resolvConf: deadFirst, want: taken("192.0.2.1")},
		{name: "first resolver is silent", host: "usual.example.org", resolvConf: silentFirst, want: taken("192.0.2.1")},
		{name: "first resolver is dead, no such host", host: "nobody.example.org", resolvConf: deadFirst, want: unknownHost("nobody.example.org")},
		{name: "resolver is slow", host: "usual.example.org", resolvConf: "nameserver " + slow + "\noptions timeout:5 attempts:1", want: taken("192.0.2.1")},
		{name: "first resolver is too slow", host: "usual.example.org", resolvConf: "nameserver " + slow + "\nnameserver " + resolver + "\noptions timeout:1", want: taken("192.0.2.1")},
		{name: "all resolvers are dead", host: "usual.example.org", resolvConf: "nameserver " + closed + "\nnameserver " + silent + "\noptions timeout:1 attempts:1", want: trouble},
		{name: "no resolver is needed", host: "[192.0.2.9]", resolvConf: "nameserver " + closed, want: taken("192.0.2.9")},

		{name: "a route by name", host: "null.example.org", control: "smtproutes=:alias1.example.org", want: taken("192.0.2.1")},
		{name: "a route to nobody", host: "usual.example.org", control: "smtproutes=:nobody.example.org", want: trouble},
		{name: "QMTP by preference, SMTP in the end", host: "quick.example.org", want: taken("192.0.2.1")},
		{name: "QMTP by route", host: "usual.example.org", control: "qmtproutes=:alone.example.org", want: `^rK192\.0\.2\.4 accepted message\.\nRemote host said: ok \d+ qp \d+\n$`},
		{name: "QMTP refused", host: "usual.example.org", control: "qmtproutes=:a.example.org", want: noSMTP},
		{name: "from an address", host: "usual.example.org", control: "outgoingip=192.0.2.77", want: taken("192.0.2.1"), from: "192.0.2.77"},
		{name: "from an address that is not there", host: "usual.example.org", control: "outgoingip=198.51.100.77", want: "ZCan't bind to local ip address: 198.51.100.77. (#4.3.0)\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if strings.Contains(tt.name, "IPv6") && !w.ipv6 {
				t.Skip("no IPv6 here")
			}
			if tt.resolvConf == "" {
				tt.resolvConf = "nameserver " + resolver
			}
			w.resolveWith(t, tt.resolvConf)
			w.clients = nil
			got := deliver(t, program, tt.host, tt.control)
			match := got == tt.want
			if strings.HasPrefix(tt.want, "^") {
				match = regexp.MustCompile(tt.want).MatchString(got)
			}
			if !match {
				t.Errorf("reports %q, want %q", got, tt.want)
			}
			if tt.from != "" && strings.Join(w.clients, " ") != tt.from {
				t.Errorf("connected from %s, want %s", w.clients, tt.from)
			}
		})
	}
}

// deliver runs qmail-remote in a home with a control file, and returns its reports.
func deliver(t *testing.T, program, host, file string) string {
	t.Helper()
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, "control"), 0o755); err != nil {
		t.Fatal(err)
	}
	name, text, _ := strings.Cut(file, "=")
	for name, text := range map[string]string{"me": "mx.test.example", "timeoutconnect": "5", name: text} {
		if name == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(home, "control", name), []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, host, "sender@test.example", "recipient@"+strings.Trim(host, "[]"))
	cmd.Env = append(os.Environ(), "QMAILHOME="+home)
	message := filepath.Join(home, "message")
	if err := os.WriteFile(message, []byte("Subject: x\n\nx\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(message)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cmd.Stdin = in
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(out), "\x00", "")
}
