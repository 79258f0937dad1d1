package smtp

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"goqmail/receive"
)

const checkScript = `#!/bin/sh
case $RECIPIENT in
bad@*) exit 100;;
worse@*) printf 'gone\r\n250 away\n' >&4; exit 100;;
busy@*) echo 450-busy >&4; exit 100;;
away@*) echo 421 away >&4; exit 100;;
code@*) echo 250 yes >&4; exit 100;;
many@*) exit 113;;
ten@*) echo '452 ten are enough' >&4; exit 113;;
none@*) echo '550 nothing' >&4; exit 112;;
later@*) exit 111;;
wait@*) echo '451 wait' >&4; exit 111;;
never@*) echo '550 never' >&4; exit 111;;
crash@*) kill -9 $$;;
fork@*) exit 120;;
odd@*) exit 1;;
env@*) test "$SENDER $HELO $USE_FD4 $RCPTHOSTS ${RCPTFOUND-no}" = "s@example.org mx.example.org 1 1 no" || exit 100;;
found@*) test "$RCPTFOUND" = 1 || exit 100;;
relay@*) test "${RCPTHOSTS-no}" = no || exit 100;;
esac
`

// checkProgram writes the script.
func checkProgram(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "check")
	syscall.ForkLock.RLock() // or a process forked now keeps the file open for writing
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(program, []byte(checkScript), 0o755); err != nil {
		t.Fatal(err)
	}
	return program
}

func TestRcptcheck(t *testing.T) {
	program := checkProgram(t)
	good := "250 ok"
	for _, tt := range []struct{ to, program, want string }{
		{"bad", program, replyNoMailbox},
		{"worse", program, "550 gone  250 away"},
		{"busy", program, "450 busy"},
		{"away", program, "421 away"},
		{"code", program, "550 250 yes"},
		{"many", program, replyOverLimit},
		{"ten", program, "452 ten are enough"},
		{"none", program, good},
		{"good", program, good},
		{"env", program, good},
		{"found", program, good},
		{"later", program, replyUnverified},
		{"wait", program, "451 wait"},
		{"never", program, replyUnverified},
		{"crash", program, replyUnverified},
		{"fork", program, replyNotRun},
		{"odd", program, good},
		{"good", program + ".missing", replyUnverified},
		{"good", "", good},
	} {
		w := newWorld(t, map[string]string{"validrcptto": "found@test.example\n"})
		got, _ := w.says("HELO mx.example.org\r\nMAIL FROM:<s@example.org>\r\nRCPT TO:<"+tt.to+"@test.example>\r\nQUIT\r\n",
			receive.Env{"RCPTCHECK": tt.program, "RCPTFOUND": "no", "PATH": os.Getenv("PATH")})
		want := greeting + "250 mx.test.example\r\n250 ok\r\n" + tt.want + "\r\n"
		if !strings.HasPrefix(tt.want, "421") {
			want += farewell
		}
		if got != want {
			t.Errorf("%s: got %q\nwant %q", tt.to, got, want)
		}
	}
}

// TestOwnCheck has control/rcptcheck ask our own program.
func TestOwnCheck(t *testing.T) {
	program := checkProgram(t)
	const ask = "MAIL FROM:<s@example.org>\r\nRCPT TO:<"
	for _, tt := range []struct {
		name, setting, to string
		env               receive.Env
		want              string
	}{
		{"off", "0", "bad", nil, "250 ok"},
		{"another number", "2", "bad", nil, "250 ok"},
		{"there is one", "1", "good", nil, "250 ok"},
		{"nothing known", "1", "none", nil, "250 ok"},
		{"there is none", "1", "bad", nil, replyNoMailbox},
		{"cannot say", "1", "later", nil, replyNotVerified},
		{"crashes", "1", "crash", nil, replyNotVerified},
		{"is not itself", "1", "odd", nil, replyNotVerified},
		{"validrcptto has it", "1", "known", nil, "250 ok"},
		{"RCPTCHECK wins", "1", "bad", receive.Env{"RCPTCHECK": ""}, "250 ok"},
		{"a relay client", "1", "bad", receive.Env{"RELAYCLIENT": ""}, "250 ok"},
		{"a relay client after all", "1", "bad", receive.Env{"RELAYCLIENT": "", "RCPTCHECKRELAYCLIENT": "1"}, replyNoMailbox},
	} {
		w := newWorld(t, map[string]string{"rcptcheck": tt.setting, "validrcptto": "known@test.example\n"})
		w.server.Rcptcheck = program
		got, _ := w.says(ask+tt.to+"@test.example>\r\nQUIT\r\n", tt.env)
		if want := greeting + "250 ok\r\n" + tt.want + "\r\n" + farewell; got != want {
			t.Errorf("%s: got %q\nwant %q", tt.name, got, want)
		}
	}
	w := newWorld(t, map[string]string{"rcptcheck": "1"})
	w.server.Rcptcheck = program + ".missing"
	if got, _ := w.says(ask+"x@test.example>\r\nQUIT\r\n", nil); got != greeting+"250 ok\r\n"+replyNotVerified+"\r\n"+farewell {
		t.Errorf("without the program: %q", got)
	}
}

// TestRcptcheckComesLast checks that no program is asked about mail that is not
// taken anyway.
func TestRcptcheckComesLast(t *testing.T) {
	w := newWorld(t, nil)
	got, _ := w.says("MAIL FROM:<>\r\nRCPT TO:<x@example.net>\r\nQUIT\r\n", receive.Env{"RCPTCHECK": "/none/there"})
	if want := greeting + "250 ok\r\n" + replyNoGateway + "\r\n" + farewell; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
