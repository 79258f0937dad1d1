package smtp

import (
	"os"
	"path/filepath"
	"testing"

	"goqmail/receive"
)

const checkScript = `#!/bin/sh
case $RECIPIENT in
bad@*) exit 100;;
worse@*) printf 'gone\r\n250 away\n' >&4; exit 100;;
many@*) exit 113;;
none@*) exit 112;;
later@*) exit 111;;
crash@*) kill -9 $$;;
env@*) test "$SENDER $HELO" = "s@example.org mx.example.org" || exit 100;;
esac
`

func TestRcptcheck(t *testing.T) {
	program := filepath.Join(t.TempDir(), "check")
	if err := os.WriteFile(program, []byte(checkScript), 0o755); err != nil {
		t.Fatal(err)
	}
	ended := "250 ok\r\n" + replyUnverified + "\r\n"
	good := "250 ok\r\n250 ok\r\n" + farewell
	for _, tt := range []struct{ to, program, fd4, want string }{
		{"bad", program, "1", "250 ok\r\n" + replyNoMailbox + "\r\n" + farewell},
		{"worse", program, "1", "250 ok\r\n550 gone  250 away\r\n" + farewell},
		{"worse", program, "", "250 ok\r\n" + replyNoMailbox + "\r\n" + farewell},
		{"many", program, "1", "250 ok\r\n" + replyOverLimit + "\r\n" + farewell},
		{"none", program, "1", good},
		{"good", program, "1", good},
		{"env", program, "1", good},
		{"later", program, "1", ended},
		{"crash", program, "1", ended},
		{"good", program + ".missing", "1", ended},
		{"good", "", "1", good},
	} {
		w := newWorld(t, nil)
		got, _ := w.says("HELO mx.example.org\r\nMAIL FROM:<s@example.org>\r\nRCPT TO:<"+tt.to+"@test.example>\r\nQUIT\r\n",
			receive.Env{"RCPTCHECK": tt.program, "USE_FD4": tt.fd4, "PATH": os.Getenv("PATH")})
		if want := greeting + "250 mx.test.example\r\n" + tt.want; got != want {
			t.Errorf("%s: got %q\nwant %q", tt.to, got, want)
		}
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
