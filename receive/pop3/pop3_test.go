package pop3

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

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
			replyTooBig + "\r\n" + replyZero + "\r\n" + replySyntax + "\r\n" + replySyntax + "\r\n" + replyTooBig + "\r\n+OK 1 7\r\n", nil},
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

// checker starts a shell line as the checker.
func checker(line string) func(conn, up *os.File, env []string) (*os.Process, error) {
	return func(conn, up *os.File, env []string) (*os.Process, error) {
		return os.StartProcess("/bin/sh", []string{"sh", "-c", line}, &os.ProcAttr{Env: append(os.Environ(), env...), Files: []*os.File{conn, conn, nil, up}})
	}
}

func TestPopup(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	const greeting = "+OK <77.1795284247@pop.test.example>\r\n"
	for _, tt := range []struct{ name, in, checker, want, told string }{
		{"user and password", "USER joe\r\nPASS  a b \r\nSTAT\r\n", "cat <&3 >" + out, "+OK \r\n", "joe\x00a b \x00<77.1795284247@pop.test.example>\x00"},
		{"apop", "APOP joe 0123\r\n", "cat <&3 >" + out, "", "joe\x000123\x00<77.1795284247@pop.test.example>\x00"},
		{"refused", "USER joe\r\nPASS x\r\n", "exit 1", "+OK \r\n" + replyRefused + "\r\n", ""},
		{"crash", "USER joe\r\nPASS x\r\n", "kill -9 $$", "+OK \r\n" + replyCrashed + "\r\n", ""},
		{"does not read", "USER joe\r\nPASS x\r\n", "exec 3<&-; exit 0", "+OK \r\n", ""},
		{"order", "PASS x\r\nUSER\r\nUSER joe\r\nPASS\r\nAPOP joe\r\nSTAT\r\nNOOP\r\nQUIT\r\n", "exit 1",
			replyUserFirst + "\r\n" + replySyntax + "\r\n+OK \r\n" + replySyntax + "\r\n" + replySyntax + "\r\n" + replyAuthorize + "\r\n+OK \r\n+OK \r\n", ""},
	} {
		os.Remove(out)
		p := &Popup{Host: "pop.test.example", PID: 77, Now: receivetest.Now, Start: checker(tt.checker)}
		conn := receivetest.Says(tt.in)
		p.Serve(conn)
		if got := conn.Out.String(); got != greeting+tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, greeting+tt.want)
		}
		if told, _ := os.ReadFile(out); string(told) != tt.told {
			t.Errorf("%s: the checker is told %q, want %q", tt.name, told, tt.told)
		}
	}
}

// TestPopupLeavesTheRest checks that what comes after the password is not read.
func TestPopupLeavesTheRest(t *testing.T) {
	p := &Popup{Now: receivetest.Now, Start: func(_, _ *os.File, _ []string) (*os.Process, error) { return nil, syscall.ENOENT }}
	in := strings.NewReader("APOP a b\r\nSTAT\r\n")
	conn := receivetest.Says("")
	conn.In = in
	p.Serve(conn)
	rest, _ := io.ReadAll(in)
	if string(rest) != "STAT\r\n" {
		t.Errorf("%q is left", rest)
	}
}

func TestUsage(t *testing.T) {
	var b bytes.Buffer
	if Usage(&b); b.String() != "-ERR usage: popup hostname subprogram\r\n" {
		t.Errorf("%q", b.String())
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
