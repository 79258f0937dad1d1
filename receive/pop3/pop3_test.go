package pop3

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"goqmail/receive"
	"goqmail/receive/receivetest"
)

// maildir makes a maildir of files, each a minute older than the next.
func maildir(t testing.TB, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{"new", "cur", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	age := time.Duration(len(files)) * time.Minute
	for _, file := range files {
		name, text, _ := strings.Cut(file, "=")
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		when := receivetest.Now().Add(-age)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
		age -= time.Minute
	}
	return dir
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	for _, sub := range []string{"new", "cur", "tmp"} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			all = append(all, sub+"/"+e.Name())
		}
	}
	return all
}

func serve(t testing.TB, dir, in string) string {
	t.Helper()
	conn := receivetest.Says(in)
	(&Mailbox{Maildir: dir, Now: receivetest.Now}).Serve(conn)
	return conn.Out.String()
}

func TestMailbox(t *testing.T) {
	const ok = "+OK \r\n"
	for _, tt := range []struct {
		name     string
		in, want string
		left     []string
	}{
		{"stat leaves out what is deleted", "STAT\r\nDELE 1\r\nSTAT\r\n", "+OK 2 13\r\n" + ok + "+OK 1 6\r\n", []string{"new/b", "cur/a:2,S"}},
		{"quit", "DELE 1\r\nQUIT\r\n", ok + ok, []string{"cur/b:2,"}},
		{"quit moves", "QUIT\r\nSTAT\r\n", ok, []string{"cur/a:2,S", "cur/b:2,"}},
		{"lists", "LIST\r\nUIDL\r\nUIDL 2\r\nLIST 1\r\n", ok + "1 7\r\n2 6\r\n.\r\n" + ok + "1 a\r\n2 b\r\n.\r\n+OK 2 b\r\n+OK 1 7\r\n", nil},
		{"retr", "RETR 1\r\nTOP 2 0\r\n", ok + "H\r\n\r\n..x\r\n\r\n\r\n.\r\n" + ok + "..\r\n\r\n\r\n.\r\n", nil},
		{"top", "TOP 1 1\r\nTOP 1 2\r\nTOP 1\r\n", ok + "H\r\n\r\n..x\r\n\r\n.\r\n" + ok + "H\r\n\r\n..x\r\n\r\n\r\n.\r\n" + ok + "H\r\n\r\n..x\r\n\r\n\r\n.\r\n", nil},
		{"numbers", "RETR 3\r\nRETR 0\r\nRETR -1\r\nDELE\r\nDELE 99999999999999999999\r\nLIST 1x\r\n",
			replyTooBig + "\r\n" + replyZero + "\r\n" + ReplySyntax + "\r\n" + ReplySyntax + "\r\n" + replyTooBig + "\r\n+OK 1 7\r\n", nil},
		{"last", "LAST\r\nDELE 2\r\nLAST\r\nRSET\r\nLAST\r\nDELE 2\r\nDELE 2\r\n", "+OK 0\r\n" + ok + "+OK 2\r\n" + ok + "+OK 0\r\n" + ok + replyDeleted + "\r\n", nil},
		{"unknown", "CAPA\r\n\r\n" + strings.Repeat("x", 100<<10) + "\r\n", replyUnimplemented + "\r\n" + replyUnimplemented + "\r\n" + replyTooLong + "\r\n", nil},
		{"too many errors", strings.Repeat("X\r\n", 2*maxErrors), strings.Repeat(replyUnimplemented+"\r\n", maxErrors) + replyTooMany + "\r\n", nil},
	} {
		dir := maildir(t, "cur/a:2,S=H\n\n.x\n\n", "new/b=.\n\nb\r\n")
		if got := serve(t, dir, tt.in); got != ok+tt.want {
			t.Errorf("%s: got %q\nwant %q", tt.name, got, ok+tt.want)
		}
		if got := names(t, dir); tt.left != nil && !slices.Equal(got, tt.left) {
			t.Errorf("%s: %q are left, want %q", tt.name, got, tt.left)
		}
	}
}

func TestScan(t *testing.T) {
	dir := maildir(t, "new/b=1", "new/.hidden=2", "cur/c=3", "cur/a=4", "new/x\ny=5")
	if err := os.Mkdir(filepath.Join(dir, "cur/folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	young := receivetest.Now()
	os.Chtimes(filepath.Join(dir, "cur/c"), young, young)
	if got, want := serve(t, dir, "UIDL\r\n"), "+OK \r\n+OK \r\n1 b\r\n2 a\r\n3 x?y\r\n.\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestClean(t *testing.T) {
	dir := maildir(t, "tmp/old=", "tmp/.old=", "tmp/young=")
	now := receivetest.Now()
	for name, age := range map[string]time.Duration{"old": 37 * time.Hour, ".old": 37 * time.Hour, "young": 35 * time.Hour} {
		os.Chtimes(filepath.Join(dir, "tmp", name), now.Add(-age), now.Add(-age))
	}
	serve(t, dir, "")
	if got := names(t, dir); !slices.Equal(got, []string{"tmp/.old", "tmp/young"}) {
		t.Errorf("%q are left", got)
	}
}

func TestNoMaildir(t *testing.T) {
	for dir, want := range map[string]string{"": replyNoMaildir, filepath.Join(t.TempDir(), "none"): replyNoMaildir, t.TempDir(): replyScan} {
		if got := serve(t, dir, "QUIT\r\n"); got != want+"\r\n" {
			t.Errorf("%q: %q, want %q", dir, got, want)
		}
	}
}

func TestMailboxLog(t *testing.T) {
	var log strings.Builder
	b := &Mailbox{Maildir: maildir(t, "cur/a=H\n\nx\n", "new/b=y\n"), Now: receivetest.Now, Capa: true,
		Log: &receive.Log{Name: "qmail-pop3d", Out: &log, Network: true},
		Who: Client(receive.Env{"USER": "j e", "TCPREMOTEIP": "192.0.2.7", TLSVariable: "TLS1.3"})}
	conn := receivetest.Says("CAPA\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n")
	b.Serve(conn)
	if got := conn.Out.String(); !strings.HasPrefix(got, "+OK \r\n+OK \r\nTOP\r\nUIDL\r\nPIPELINING\r\nIMPLEMENTATION goqmail\r\n.\r\n") {
		t.Errorf("%q", got)
	}
	want := "qmail-pop3d: login user <j_e> client 192.0.2.7 tls TLS1.3 messages 2\n" +
		"qmail-pop3d: end user <j_e> client 192.0.2.7 tls TLS1.3 retrieved 1 deleted 1\n"
	if log.String() != want {
		t.Errorf("log %q, want %q", log.String(), want)
	}
}

// FuzzMailbox has a client say anything but QUIT: every line of the answer that is
// no part of a listing or message is a reply, and nothing changes.
func FuzzMailbox(f *testing.F) {
	f.Add("STAT\r\nLIST\r\nUIDL 1\r\nRETR 1\r\nTOP 1 1\r\nDELE 1\r\nRSET\r\nLAST\r\n")
	f.Add("RETR 00000000000000000001 9999999999999999999999\r\nLIST -1\r\n")
	dir := maildir(f, "cur/a=H\n\n.x\n")
	f.Fuzz(func(t *testing.T, in string) {
		out := serve(t, dir, strings.ReplaceAll(strings.ToLower(in), "quit", "noop"))
		if out != "" && !strings.HasSuffix(out, "\r\n") {
			t.Errorf("%q is answered %q", in, out)
		}
		for line := range strings.Lines(out) {
			switch {
			case strings.HasPrefix(line, "+OK "), strings.HasPrefix(line, "-ERR "):
			case line == "1 6\r\n", line == "1 a\r\n", line == ".\r\n", line == "H\r\n", line == "\r\n", line == "..x\r\n":
			default:
				t.Errorf("%q is answered %q", in, out)
			}
		}
		if got := names(t, dir); !slices.Equal(got, []string{"cur/a"}) {
			t.Errorf("%q: %q are left", in, got)
		}
	})
}
