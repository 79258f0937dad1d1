package peers

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
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

// pop3 starts a POP3 server for joe, whose password is secret.
func (h *host) pop3() (*running, string) {
	h.t.Helper()
	return h.tcpserver(":allow\n", h.path("bin/qmail-popup"), "mx.test.example", h.checkpassword(), h.path("bin/qmail-pop3d"), "Maildir")
}

func TestMpop(t *testing.T) {
	t.Parallel()
	mpop := installed(t, "mpop")
	h := newHost(t)
	_, address := h.pop3()
	all := h.popMails()
	name, port, _ := strings.Cut(address, ":")
	fetch := func(t *testing.T, auth, password string, more string) (code int, box string) {
		box = h.folder(strings.ReplaceAll(t.Name(), "/", "_"))
		for _, d := range []string{"tmp", "new", "cur"} {
			h.folder(filepath.Base(box) + "/" + d)
		}
		config := h.file("mpoprc", fmt.Sprintf("account a\nhost %s\nport %s\nuser joe\npassword %s\nauth %s\ntls off\ndelivery maildir %s\nuidls_file %s/uidls\nreceived_header off\n%s",
			name, port, password, auth, box, h.folder("uidls"), more))
		code, out := h.run(h.command(mpop, "-C", config, "a"))
		if code != 0 && password == "secret" {
			t.Errorf("exit code %d:\n%s", code, out)
		}
		return code, box
	}
	for _, auth := range []string{"user", "apop"} {
		t.Run(auth+" with a wrong password", func(t *testing.T) {
			if code, _ := fetch(t, auth, "wrong", ""); code != exitNoPerm {
				t.Errorf("exit code %d, want %d", code, exitNoPerm)
			}
		})
	}
	// Every message is fetched once, since UIDL gives it the same name each time.
	for _, tt := range []struct {
		name, auth, more string
		pipelining       string
		want             []string
		left             int
	}{
		{"leave on server", "user", "keep on\n", "on", all, 3},
		{"only what is new", "apop", "keep on\n", "auto", nil, 3},
		{"all once more, by APOP", "apop", "only_new off\nkeep on\n", "off", all, 3},
		{"all once more, pipelined", "user", "only_new off\nkeep on\n", "on", all, 3},
		{"remove", "user", "only_new off\nkeep off\n", "auto", all, 0},
		{"nothing", "user", "", "auto", nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, box := fetch(t, tt.auth, "secret", tt.more+"pipelining "+tt.pipelining+"\n")
			h.checkPopped(t, box, tt.want)
			if left := h.left(); left != tt.left {
				t.Errorf("%d messages are left, want %d", left, tt.left)
			}
		})
	}
}

func TestGetmail(t *testing.T) {
	t.Parallel()
	getmail := installed(t, "getmail")
	h := newHost(t)
	_, address := h.pop3()
	all := h.popMails()
	name, port, _ := strings.Cut(address, ":")
	for _, tt := range []struct {
		name, options, retriever string
		want                     []string
		left                     int
	}{
		{"leave on server", "delete = false\nread_all = true\n", "", all, 3},
		{"only what is new", "delete = false\nread_all = false\n", "", nil, 3},
		{"all once more, by APOP", "delete = false\nread_all = true\n", "use_apop = true\n", all, 3},
		{"remove", "delete = true\nread_all = true\n", "", all, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			box := h.folder(strings.ReplaceAll(t.Name(), "/", "_"))
			for _, d := range []string{"tmp", "new", "cur"} {
				h.folder(filepath.Base(box) + "/" + d)
			}
			h.file("getmailrc", fmt.Sprintf("[retriever]\ntype = SimplePOP3Retriever\nserver = %s\nport = %s\nusername = joe\npassword = secret\n%s"+
				"[destination]\ntype = Maildir\npath = %s/\n[options]\nverbose = 1\nreceived = false\ndelivered_to = false\n%s", name, port, tt.retriever, box, tt.options))
			if code, out := h.run(h.command(getmail, "--getmaildir", h.folder("."), "--rcfile", "getmailrc")); code != 0 {
				t.Fatalf("exit code %d:\n%s", code, out)
			}
			h.checkPopped(t, box, tt.want)
			if left := h.left(); left != tt.left {
				t.Errorf("%d messages are left, want %d", left, tt.left)
			}
		})
	}
}
