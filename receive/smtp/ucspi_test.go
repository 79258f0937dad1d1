package smtp

import (
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"goqmail/receive"
)

// TestUCSPI has the server before this one do TLS: what the client says then comes
// over descriptors of their own.
func TestUCSPI(t *testing.T) {
	w := newWorld(t, nil)
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	server := os.NewFile(uintptr(fds[0]), "control")
	defer server.Close()
	defer syscall.Close(fds[1])
	inR, inW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*os.File{inR, inW, outR, outW} {
		defer f.Close()
	}
	env := receive.Env{
		"UCSPITLS": "!", "SSLCTLFD": strconv.Itoa(fds[1]),
		"SSLREADFD": strconv.Itoa(int(inR.Fd())), "SSLWRITEFD": strconv.Itoa(int(outW.Fd())),
	}
	c := w.connect(t, env)
	c.reads()
	if got := c.says("EHLO a\r\n", "250-"); !strings.Contains(got, "STARTTLS") {
		t.Errorf("offered %q", got)
	}
	c.says("MAIL FROM:<>\r\n", replyMustTLS)
	c.says("STARTTLS\r\nMAIL FROM:<injected@example.org>\r\n", "220")
	var b [1]byte
	if _, err := io.ReadFull(server, b[:]); err != nil || b[0] != 'y' {
		t.Fatalf("the server is told %q, %v", b, err)
	}
	io.WriteString(inW, "RCPT TO:<r@test.example>\r\n"+envelope+"x\r\n.\r\nQUIT\r\n")
	<-c.done
	outW.Close()
	outR.SetReadDeadline(time.Now().Add(20 * time.Second))
	if got, err := io.ReadAll(outR); string(got) != replyMailFirst+"\r\n"+taken+accepted+farewell {
		t.Errorf("got %q, %v", got, err)
	}
	if got := w.queue.Messages[0].String(); !strings.Contains(got, " with ESMTPS; ") {
		t.Errorf("queued %q", got)
	}
}

func TestUCSPIBroken(t *testing.T) {
	w := newWorld(t, nil)
	got, _ := w.says("STARTTLS\r\nQUIT\r\n", receive.Env{"UCSPITLS": "", "SSLCTLFD": "3"})
	if got != greeting+replyNoTLS+"\r\n"+farewell {
		t.Errorf("without descriptors: %q", got)
	}
	if got, _ := w.says("STARTTLS\r\nQUIT\r\n", receive.Env{"UCSPITLS": "-", "SSLCTLFD": "3"}); got != greeting+replyUnknown+"\r\n"+farewell {
		t.Errorf("turned off: %q", got)
	}
}
