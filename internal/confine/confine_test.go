package confine

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"0\n": off, "0": off, " 0 \nx": off, "1\n": on, "2\n": telling, "": on, "3": on, "-1": on, "no": on, "0x0": on,
	} {
		if got := parse(text); got != want {
			t.Errorf("parse(%q) = %d, want %d", text, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("0\n")
	f.Add("2")
	f.Fuzz(func(t *testing.T, text string) {
		line, _, _ := strings.Cut(text, "\n")
		if got := parse(text); got == off && !strings.Contains(line, "0") {
			t.Errorf("parse(%q) confines nothing", text)
		} else if got < off || got > telling {
			t.Errorf("parse(%q) = %d", text, got)
		}
	})
}

func TestSetting(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	if got := setting(home); got != on {
		t.Errorf("without a file: %d, want %d", got, on)
	}
	if err := os.Mkdir(filepath.Join(home, "control"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "control/confine"), []byte("0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := setting(home); got != off {
		t.Errorf("with 0: %d, want %d", got, off)
	}
	var log bytes.Buffer
	Profile{}.Enter(home, "test", &log) // or this test would be confined
	if log.Len() > 0 {
		t.Errorf("it says %q", log.String())
	}
}

func TestIsOurs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"ours":    "\x7fELF" + strings.Repeat("x", searchSize-10) + "path\tgoqmail/cmd/qmail-remote\nmod\t",
		"other":   "\x7fELF" + strings.Repeat("x", 2*searchSize) + "path\tgoqmail/cmd/qmail-remoteness\n",
		"script":  "#!/bin/sh\n: 'path\tgoqmail/cmd/qmail-remote\n'",
		"nothing": "",
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		if got, want := IsOurs(file, "qmail-remote"), name == "ours"; got != want {
			t.Errorf("IsOurs(%s) = %v", name, got)
		}
	}
	if IsOurs(filepath.Join(dir, "missing"), "qmail-remote") {
		t.Error("a missing file is ours")
	}
}

func FuzzContains(f *testing.F) {
	f.Add("abcabd", "abd")
	f.Fuzz(func(t *testing.T, all, text string) {
		if text == "" || len(text) > searchSize/2 {
			return
		}
		got := contains(iotest.OneByteReader(strings.NewReader(all)), []byte(text))
		if want := strings.Contains(all, text); got != want {
			t.Errorf("contains(%q, %q) = %v", all, text, got)
		}
	})
}

// TestReadable makes a home and looks which of its files may be read.
func TestReadable(t *testing.T) {
	t.Setenv("SSL_CERT_FILE", "/srv/ca.pem")
	t.Setenv("SSL_CERT_DIR", "/srv/1:/srv/2")
	home := t.TempDir()
	for _, dir := range []string{"alias", "certs", "control", "queue"} {
		if err := os.Mkdir(filepath.Join(home, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"me":              "/no/file\n",
		"domaincerts":     "example.org:/srv/a.pem|/srv/a.key\n*:certs/b.pem\n",
		"tlsdestinations": "example.net:/srv/roots/\n#/\n",
	} {
		if err := os.WriteFile(filepath.Join(home, "control", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/srv/hosts", filepath.Join(home, "control/rcpthosts")); err != nil {
		t.Fatal(err)
	}
	got := strings.ReplaceAll(strings.Join(readable(home)[len(ofTheHost):], " "), home, "H")
	want := "/srv/ca.pem /srv/1 /srv/2 H/certs H/control /srv/a.pem /srv/a.key H/control/rcpthosts /srv/roots/"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestAllBut makes a folder and a link to it: neither may be read, all else may.
func TestAllBut(t *testing.T) {
	t.Parallel()
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"other", "home/queue/mess", "home/control"} {
		if err := os.MkdirAll(filepath.Join(top, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("queue", filepath.Join(top, "home/link")); err != nil {
		t.Fatal(err)
	}
	queue := filepath.Join(top, "home/queue")
	all := allBut(filepath.Join(top, "home/link"))
	for _, want := range []string{"other", "home/control"} {
		if !slices.Contains(all, filepath.Join(top, want)) {
			t.Errorf("%s is not among them", want)
		}
	}
	if !slices.Contains(all, "/etc") {
		t.Error("/etc is not among them")
	}
	for _, name := range all {
		if strings.HasPrefix(queue+"/", name+"/") || filepath.Base(name) == "link" {
			t.Errorf("%s is among them", name)
		}
	}
}

// A process that stays may read all rather than nothing, if its home cannot be looked at.
func TestUntold(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for name, p := range map[string]Profile{"Remote": Remote(missing), "Staying": Staying(missing)} {
		if p.Read != nil {
			t.Errorf("%s may read %q only", name, p.Read)
		}
	}
}
