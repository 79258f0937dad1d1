package peers

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"goqmail/receive/receivetest"
)

// popMails fills joe's mailbox, and returns what is in it.
func (h *host) popMails() []string {
	h.t.Helper()
	mails := []string{message, "From: Sue <sue@far.example>\nSubject: short\n\nshort\n", "Subject: no body\n"}
	for i, text := range mails {
		name := fmt.Sprintf("%s/new/%d.M1P2.here", h.home.Mailbox(), 1000+i)
		h.must(os.WriteFile(name, []byte(text), 0o600))
		h.must(os.Chown(name, h.home.UID, h.home.GID))
		h.must(os.Chtimes(name, time.Time{}, time.Now().Add(-time.Hour))) // those of this second come later
	}
	return mails
}

// left counts the messages in joe's mailbox.
func (h *host) left() int {
	h.t.Helper()
	names, err := filepath.Glob(h.home.Mailbox() + "/[nc]*/*")
	h.must(err)
	return len(names)
}

// checkPopped checks that a mailbox has those messages, except for the fields that
// the program that fetched them has put in front, and the empty line at the end that
// qmail-pop3d always had.
func (h *host) checkPopped(t *testing.T, box string, want []string) {
	t.Helper()
	got := h.mailsIn(box)
	for i := range got {
		got[i] = strings.TrimSuffix(withoutTrace(got[i]), "\n")
	}
	slices.Sort(got)
	want = slices.Sorted(slices.Values(want))
	if len(got) != len(want) {
		t.Fatalf("%d messages were fetched, want %d", len(got), len(want))
	}
	for i := range got {
		checkText(t, got[i], want[i])
	}
}

// pop3 starts a POP3 server for joe, whose password is secret, with those variables
// as tcprules writes them.
func (h *host) pop3(env string) (name, port string) {
	h.t.Helper()
	h.control("servercert.pem", receivetest.Certificate(h.t, "127.0.0.1"))
	_, address := h.tcpserver(":allow"+env+"\n", h.path("bin/qmail-popup"), "mx.test.example", h.checkpassword(), h.path("bin/qmail-pop3d"), "Maildir")
	name, port, _ = strings.Cut(address, ":")
	return name, port
}

// emptyMaildir makes a maildir for a test.
func (h *host) emptyMaildir(t *testing.T) string {
	name := strings.NewReplacer("/", "_", ",", "").Replace(t.Name())
	for _, d := range []string{"tmp", "new", "cur"} {
		h.folder(name + "/" + d)
	}
	return h.folder(name)
}

// popCase is a session of a program that fetches mail, with those settings.
type popCase struct {
	name, settings string
	want           []string
	left           int // messages in the mailbox then
}

// fetch has a program fetch mail, once for each case.
func (h *host) fetch(cases []popCase, run func(t *testing.T, box, settings string) (code int, out string)) {
	for _, tt := range cases {
		h.t.Run(tt.name, func(t *testing.T) {
			box := h.emptyMaildir(t)
			if code, out := run(t, box, tt.settings); code != 0 {
				t.Fatalf("exit code %d:\n%s", code, out)
			}
			h.checkPopped(t, box, tt.want)
			if left := h.left(); left != tt.left {
				t.Errorf("%d messages are left, want %d", left, tt.left)
			}
		})
	}
}

// mpop runs mpop with those settings.
func (h *host) mpop(program, name, port, box, settings string) (int, string) {
	config := h.file("mpoprc", fmt.Sprintf("account a\nhost %s\nport %s\nuser joe\ntls_trust_file %s\ndelivery maildir %s\nuidls_file %s/uidls\nreceived_header off\n%s",
		name, port, h.path("control/servercert.pem"), box, h.folder("uidls"), settings))
	return h.run(h.command(program, "-C", config, "a"))
}

func TestMpop(t *testing.T) {
	t.Parallel()
	program := installed(t, "mpop")
	for kind, tt := range map[string]struct{ env, settings string }{
		"in the clear": {"", "tls off\n"},
		"STLS":         {`,FORCETLS="1"`, "tls on\n"},
		"STLS 1.2":     {`,FORCETLS="1"`, "tls on\ntls_priorities NORMAL:-VERS-ALL:+VERS-TLS1.2\n"},
		"TLS":          {`,POP3S="1"`, "tls on\ntls_starttls off\n"},
	} {
		t.Run(kind, func(t *testing.T) {
			h := newHost(t)
			name, port := h.pop3(tt.env)
			all := h.popMails()
			for _, auth := range []string{"user", "apop"} {
				box := h.emptyMaildir(t)
				if code, out := h.mpop(program, name, port, box, tt.settings+"auth "+auth+"\npassword wrong\n"); code != exitNoPerm {
					t.Errorf("exit code %d, want %d:\n%s", code, exitNoPerm, out)
				}
			}
			// Every message is fetched once, since UIDL gives it the same name each time.
			h.fetch([]popCase{
				{"leave on server", "auth user\nkeep on\npipelining on\n", all, 3},
				{"only what is new", "auth apop\nkeep on\n", nil, 3},
				{"all once more, by APOP", "auth apop\nonly_new off\nkeep on\npipelining off\n", all, 3},
				{"all once more, pipelined", "auth user\nonly_new off\nkeep on\npipelining on\n", all, 3},
				{"remove", "auth user\nonly_new off\nkeep off\n", all, 0},
				{"nothing", "auth user\n", nil, 0},
			}, func(t *testing.T, box, settings string) (int, string) {
				return h.mpop(program, name, port, box, tt.settings+"password secret\n"+settings)
			})
		})
	}
}

// A client that is not under TLS where that is required does not get in.
func TestMpopForced(t *testing.T) {
	t.Parallel()
	program := installed(t, "mpop")
	h := newHost(t)
	name, port := h.pop3(`,FORCETLS="1"`)
	h.popMails()
	if code, out := h.mpop(program, name, port, h.emptyMaildir(t), "tls off\nauth user\npassword secret\n"); code != exitNoPerm {
		t.Errorf("exit code %d, want %d:\n%s", code, exitNoPerm, out)
	}
}

// getmailScript runs getmail, whose path it gets. Getmail forks for each delivery and
// misses the end of a child that ends before it waits; then it hangs. So the child
// begins when its parent is asleep.
const getmailScript = `#!/usr/bin/python3
import os, runpy, sys, time
fork = os.fork
def late():
    pid = fork()
    while pid == 0 and open('/proc/%d/stat' % os.getppid()).read().rsplit(')', 1)[1].split()[0] != 'S':
        time.sleep(0.01)
    return pid
os.fork = late
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
`

func TestGetmail(t *testing.T) {
	t.Parallel()
	getmail := installed(t, "getmail")
	for retriever, env := range map[string]string{"SimplePOP3Retriever": "", "SimplePOP3SSLRetriever": `,POP3S="1"`} {
		t.Run(retriever, func(t *testing.T) {
			h := newHost(t)
			name, port := h.pop3(env)
			all := h.popMails()
			if env != "" {
				retriever += "\nca_certs = " + h.path("control/servercert.pem")
			}
			h.fetch([]popCase{
				{"leave on server", "[options]\ndelete = false\nread_all = true\n", all, 3},
				{"only what is new", "[options]\ndelete = false\nread_all = false\n", nil, 3},
				{"all once more, by APOP", "use_apop = true\n[options]\ndelete = false\nread_all = true\n", all, 3},
				{"remove", "[options]\ndelete = true\nread_all = true\n", all, 0},
			}, func(t *testing.T, box, settings string) (int, string) {
				retrieve, options, _ := strings.Cut(settings, "[options]\n")
				h.file("getmailrc", fmt.Sprintf("[retriever]\ntype = %s\nserver = %s\nport = %s\nusername = joe\npassword = secret\n%s"+
					"[destination]\ntype = Maildir\npath = %s/\n[options]\nreceived = false\ndelivered_to = false\n%s", retriever, name, port, retrieve, box, options))
				return h.run(h.command(h.file("getmail", getmailScript), getmail, "--getmaildir", h.folder("."), "--rcfile", "getmailrc"))
			})
		})
	}
}
