package popup

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"goqmail/receive/pop3"
	"goqmail/receive/receivetest"
)

// checker starts a shell line as the checker.
func checker(line string) func(in, out, up *os.File, env []string) (*os.Process, error) {
	return func(in, out, up *os.File, env []string) (*os.Process, error) {
		return os.StartProcess("/bin/sh", []string{"sh", "-c", line}, &os.ProcAttr{Env: append(os.Environ(), env...), Files: []*os.File{in, out, nil, up}})
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
			replyUserFirst + "\r\n" + pop3.ReplySyntax + "\r\n+OK \r\n" + pop3.ReplySyntax + "\r\n" + pop3.ReplySyntax + "\r\n" + replyAuthorize + "\r\n+OK \r\n+OK \r\n", ""},
	} {
		os.Remove(out)
		p := &Server{Host: "pop.test.example", PID: 77, Now: receivetest.Now, Start: checker(tt.checker)}
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
	p := &Server{Now: receivetest.Now, Start: func(_, _, _ *os.File, _ []string) (*os.Process, error) { return nil, syscall.ENOENT }}
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

// FuzzPopup has a client say anything: every line of the answer is a reply, and
// nobody is let in who has not named a user and a password.
func FuzzPopup(f *testing.F) {
	f.Add("USER joe\r\nPASS secret\r\n")
	f.Add("APOP joe 0123\r\nQUIT\r\n")
	f.Add("STLS\r\nCAPA\r\nuser\r\npass \r\nAPOP x\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		asked := false
		p := &Server{Host: "pop.test.example", PID: 77, Now: receivetest.Now, Start: func(_, _, _ *os.File, _ []string) (*os.Process, error) {
			asked = true
			return nil, os.ErrPermission
		}}
		conn := receivetest.Says(in)
		p.Serve(conn)
		lower := strings.ToLower(in)
		if asked && !strings.Contains(lower, "apop ") && !(strings.Contains(lower, "user ") && strings.Contains(lower, "pass ")) {
			t.Errorf("%q: a checker is asked", in)
		}
		for line := range strings.Lines(conn.Out.String()) {
			if !strings.HasSuffix(line, "\r\n") || !strings.HasPrefix(line, "+OK ") && !strings.HasPrefix(line, "-ERR ") {
				t.Errorf("%q is answered %q", in, conn.Out.String())
			}
		}
	})
}
