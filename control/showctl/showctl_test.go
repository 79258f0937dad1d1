package showctl

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/control"
	"goqmail/internal/ids"
)

// report is one about a home with these control files.
func report(t *testing.T, files map[string]string) Report {
	t.Helper()
	home := t.TempDir()
	passwd, group := filepath.Join(home, "passwd"), filepath.Join(home, "group")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(home, "control"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		write(filepath.Join(home, "control", name), text)
	}
	write(passwd, "root:x:0:0::/root:/bin/sh\nalias:x:7790:2108::/var/qmail/alias:/bin/false\n")
	write(group, "qmail:x:2107:\nnofiles:x:2108:\n")
	return Report{Home: home, Accounts: ids.Files{Passwd: passwd, Group: group}, Split: 7}
}

// What qmail's words are, the recorded cases hold. This is what is added to them.
func TestWrite(t *testing.T) {
	t.Parallel()
	r := report(t, map[string]string{
		"me": "mx\n", "bouncemime": "1\n", "masquerade": "# none\na@b.example:c@d.example\n",
		"servercert.pem": "x", "not\x1bes": "x",
	})
	var out strings.Builder
	if err := r.Write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"subdirectory split: 7.\nproblem: control/me: has no dot: other hosts refuse such a name\n" +
			"problem: control/rcpthosts: is missing: qmail-smtpd takes mail from relay clients alone\n" +
			"user ids: 7790, none, none, 0, none, none, none, none.\ngroup ids: 2108, 2107.\n\nbadmailfrom: ",
		"\nbouncemime: 1 (1: bounces are multipart/report).\n",
		"\nmasquerade: \na@b.example:c@d.example\n",
		"\nservercert.pem: certificate and key of qmail-smtpd.\n",
		"\nnot?es: I have no idea what this file does.\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, out.String())
		}
	}
}

func TestWriteAll(t *testing.T) {
	t.Parallel()
	r := report(t, map[string]string{"me": "mx.test.example\n", "databytes": "many", "virtualdomains": "v.example:vera\nw\n", "helohost": "h\x1b\n"})
	var out strings.Builder
	if err := r.WriteAll(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"bouncehost: mx.test.example (default)\n\thost of the sender of bounces (qmail-send)\n",
		"databytes: 0\n\tsize of the largest message that is taken (qmail-smtpd, qmail-qmtpd)\n\tproblem: does not begin with a digit",
		"helohost: h?\n",
		"locals: (default)\n    mx.test.example\n\thosts whose mail is delivered here (qmail-send)\n",
		"percenthack: (default)\n",
		"virtualdomains:\n    v.example:vera\n    w\n\thosts and users whose mail one user gets (qmail-send)\n\tproblem: \"w\" has no colon",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, out.String())
		}
	}
	for _, f := range control.Files {
		if !strings.Contains("\n"+out.String(), "\n"+f.Name+":") {
			t.Errorf("%s is not told", f.Name)
		}
	}
}

// TestPasswords: what is shown is sent to others for help.
func TestPasswords(t *testing.T) {
	t.Parallel()
	r := report(t, map[string]string{
		"me": "mx.test.example\n", "smtproutes": "a.example:b.example:587|anna|secret\n",
		"authsenders": "@c.example:d.example anna secret\n@c.example:d.example anna secret\n", "smtpusers": " anna:plain:secret\n",
	})
	for name, write := range map[string]func(io.Writer) error{"as ever": r.Write, "all": r.WriteAll} {
		var out strings.Builder
		if err := write(&out); err != nil {
			t.Fatal(err)
		}
		if text := out.String(); strings.Contains(text, "secret") || !strings.Contains(text, "a.example:b.example:587|anna|...\n") {
			t.Errorf("%s: shown is\n%s", name, text)
		}
	}
}

func TestNothingToShow(t *testing.T) {
	t.Parallel()
	r := report(t, nil)
	r.Home = filepath.Join(r.Home, "none")
	var out strings.Builder
	if err := r.Write(&out); !errors.Is(err, ErrHome) || !strings.HasSuffix(out.String(), "\nOops! Unable to chdir to "+r.Home+".\n") {
		t.Errorf("without a home: %v, %q", err, out.String())
	}
	if err := r.WriteAll(&out); !errors.Is(err, ErrHome) {
		t.Errorf("all, without a home: %v", err)
	}
}

// TestEntriesAreSettings holds the entries and the table of control files together.
func TestEntriesAreSettings(t *testing.T) {
	t.Parallel()
	for _, e := range entries {
		known := e.name == cdb
		for _, f := range control.Files {
			known = known || f.Name == e.name && f.Kind == e.kind
		}
		if !known {
			t.Errorf("%s is not in control.Files as a %s", e.name, e.kind)
		}
	}
}
