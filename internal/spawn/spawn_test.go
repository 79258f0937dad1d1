package spawn

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/report"
)

func asCommand(number byte, message, sender, recipient string) string {
	return string([]byte{number}) + message + "\x00" + sender + "\x00" + recipient + "\x00"
}

// messages makes a folder with the message 7/1.
func messages(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "7"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "7/1"), []byte("Subject: hi\n\nbody\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func me(uid uint32) bool { return int(uid) == os.Getuid() }

func everything(d Delivery) report.Report {
	body, err := io.ReadAll(d.Message)
	if err != nil {
		return report.Z(err.Error())
	}
	return report.K(d.Sender + "|" + d.Recipient + "|" + d.Local + "|" + d.Host + "|" + string(body[:11]) + "\n")
}

func TestServe(t *testing.T) {
	dir := messages(t)
	if err := syscall.Mkfifo(filepath.Join(dir, "7/2"), 0o644); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("1", 99)
	tests := []struct {
		name, in, want string
	}{
		{"nothing", "", ""},
		{"delivery", asCommand(5, "7/1", "ann@a.example", "joe@b.example"), "\x05Kann@a.example|joe@b.example|joe|b.example|Subject: hi\n\x00"},
		{"last @ counts", asCommand(0, "7/1", "", "a@b@c"), "\x00K|a@b@c|a@b|c|Subject: hi\n\x00"},
		{"empty parts", asCommand(0, "7/1", "", "@"), "\x00K|@|||Subject: hi\n\x00"},
		{"number too big", asCommand(20, "7/1", "", "a@b"), "\x14ZInternal error: delnum too big. (#4.3.5)\n\x00"},
		{"biggest number", asCommand(19, "7/9", "", "a@b"), "\x13Zqmail-spawn unable to open message. (#4.3.0)\n\x00"},
		{"message not a number", asCommand(1, "x", "", "a@b"), "\x01DInternal error: messid has nonnumerics. (#5.3.5)\n\x00"},
		{"message climbs out", asCommand(1, "../7/1", "", "a@b"), "\x01DInternal error: messid has nonnumerics. (#5.3.5)\n\x00"},
		{"message from the root", asCommand(1, "/7/1", "", "a@b"), "\x01DInternal error: messid has nonnumerics. (#5.3.5)\n\x00"},
		{"message name of 99", asCommand(1, long, "", "a@b"), "\x01Zqmail-spawn unable to open message. (#4.3.0)\n\x00"},
		{"message name of 100", asCommand(1, long+"1", "", "a@b"), "\x01DInternal error: messid too long. (#5.3.5)\n\x00"},
		{"message without a name", asCommand(1, "", "", "a@b"), "\x01DInternal error: messid too short. (#5.3.5)\n\x00"},
		{"no host", asCommand(2, "7/1", "s", "joe"), "\x02DSorry, address must include host name. (#5.1.3)\n\x00"},
		{"no recipient", asCommand(2, "7/1", "s", ""), "\x02DSorry, address must include host name. (#5.1.3)\n\x00"},
		{"no message", asCommand(3, "8/1", "", "a@b"), "\x03Zqmail-spawn unable to open message. (#4.3.0)\n\x00"},
		{"folder", asCommand(4, "7", "", "a@b"), "\x04ZSorry, message has wrong type. (#4.3.5)\n\x00"},
		{"FIFO that nobody writes", asCommand(4, "7/2", "", "a@b"), "\x04ZSorry, message has wrong type. (#4.3.5)\n\x00"},
		{"cut off", "\x057/1\x00ann@a.example\x00joe@b", ""},
		{"number alone", "\x05", ""},
		{"field of the longest", asCommand(6, "7/1", strings.Repeat("s", MaxField-1), "joe"), "\x06DSorry, address must include host name. (#5.1.3)\n\x00"},
		{"field too long, then another", asCommand(6, "7/1", strings.Repeat("s", 3*MaxField), "a@b") + asCommand(7, "7/1", "", "a"),
			"\x06Zqmail-spawn out of memory. (#4.3.0)\n\x00\x07DSorry, address must include host name. (#5.1.3)\n\x00"},
		{"field too long, cut off", "\x06" + strings.Repeat("1", 3*MaxField), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			server := Server{Slots: 20, Messages: dir, Trusted: me, Deliver: everything}
			if err := server.Serve(strings.NewReader(tt.in), &out); err != nil {
				t.Error(err)
			}
			if got := out.String(); got != "\x14"+tt.want {
				t.Errorf("got %q, want %q", got, "\x14"+tt.want)
			}
		})
	}
}

func TestOwner(t *testing.T) {
	var out bytes.Buffer
	server := Server{Slots: 1, Messages: messages(t), Trusted: func(uint32) bool { return false }, Deliver: everything}
	server.Serve(strings.NewReader(asCommand(0, "7/1", "", "a@b")), &out)
	if want := "\x01\x00ZSorry, message has wrong owner. (#4.3.5)\n\x00"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// peer is qmail-send at the other end of a spawner's pipes.
type peer struct {
	t   *testing.T
	in  *io.PipeWriter
	out *bufio.Reader
	// done has what Serve returned.
	done chan error
}

func start(t *testing.T, s *Server) *peer {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	p := &peer{t, inW, bufio.NewReader(outR), make(chan error, 1)}
	go func() { p.done <- s.Serve(inR, outW) }()
	if b, err := p.out.ReadByte(); int(b) != s.Slots || err != nil {
		t.Fatalf("first byte %d, %v, want %d", b, err, s.Slots)
	}
	t.Cleanup(func() { inW.Close(); outR.Close() })
	return p
}

func (p *peer) ask(number byte, recipient string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, asCommand(number, "7/1", "", recipient)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) expect(want string) {
	p.t.Helper()
	number, _ := p.out.ReadByte()
	text, err := p.out.ReadString(0)
	if got := string([]byte{number}) + text; got != want+"\x00" || err != nil {
		p.t.Fatalf("answer %q, %v, want %q", got, err, want)
	}
}

// gated deliveries end when told to, by recipient.
type gated map[string]chan struct{}

func (g gated) deliver(d Delivery) report.Report {
	<-g[d.Local]
	return report.K(d.Local)
}

func TestAnswersInAnyOrder(t *testing.T) {
	gates := gated{"a": make(chan struct{}), "b": make(chan struct{}), "c": make(chan struct{})}
	p := start(t, &Server{Slots: 3, Messages: messages(t), Trusted: me, Deliver: gates.deliver})
	p.ask(0, "a@x")
	p.ask(1, "b@x")
	p.ask(2, "c@x")
	p.ask(1, "b@x")
	p.expect("\x01ZInternal error: delnum in use. (#4.3.5)\n")
	close(gates["c"])
	p.expect("\x02Kc")
	close(gates["a"])
	p.expect("\x00Ka")
	p.in.Close() // what is under way is finished first
	select {
	case err := <-p.done:
		t.Fatalf("it ended (%v) with a delivery under way", err)
	default:
	}
	close(gates["b"])
	p.expect("\x01Kb")
	if err := <-p.done; err != nil {
		t.Error(err)
	}
}

func TestNumberIsFreeAtOnce(t *testing.T) {
	p := start(t, &Server{Slots: 1, Messages: messages(t), Trusted: me, Deliver: func(Delivery) report.Report { return report.K("") }})
	for range 200 {
		p.ask(0, "a@x")
		p.expect("\x00K")
	}
}

// TestNobodyReads ends though the input goes on, once deliveries are done.
func TestNobodyReads(t *testing.T) {
	gates := gated{"a": make(chan struct{}), "b": make(chan struct{})}
	inR, inW := io.Pipe()
	defer inW.Close()
	outR, outW := io.Pipe()
	server := &Server{Slots: 2, Messages: messages(t), Trusted: me, Deliver: gates.deliver}
	done := make(chan error, 1)
	go func() { done <- server.Serve(inR, outW) }()
	io.ReadFull(outR, make([]byte, 1))
	io.WriteString(inW, asCommand(0, "7/1", "", "a@x"))
	io.WriteString(inW, asCommand(1, "7/1", "", "b@x"))
	outR.Close()
	close(gates["a"])
	close(gates["b"])
	if err := <-done; !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Serve = %v, want the error of its output", err)
	}
}

func TestInputFails(t *testing.T) {
	broken := errors.New("broken")
	server := &Server{Slots: 1, Messages: t.TempDir(), Trusted: me}
	if err := server.Serve(io.MultiReader(strings.NewReader("\x001"), failing{broken}), io.Discard); err != broken {
		t.Errorf("Serve = %v, want the error of its input", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// FuzzServe sends anything: each whole command has one answer.
func FuzzServe(f *testing.F) {
	f.Add([]byte(asCommand(0, "7/1", "s", "a@b") + asCommand(0, "7/1", "", "")))
	f.Add([]byte("\xff../../etc/passwd\x00\x00a@b\x00\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		commands := 0
		for rest := in; len(rest) > 0; commands++ {
			rest = rest[1:]
			whole := true
			for range 3 {
				var ok bool
				if _, rest, ok = bytes.Cut(rest, []byte{0}); !ok {
					whole = false
				}
			}
			if !whole {
				break
			}
		}
		var out bytes.Buffer
		server := Server{Slots: 2, Messages: messages(t), Trusted: me, Deliver: everything}
		if err := server.Serve(bytes.NewReader(in), &out); err != nil {
			t.Fatal(err)
		}
		answers := out.Bytes()[1:]
		for ; len(answers) > 0; commands-- {
			text, rest, ok := bytes.Cut(answers[1:], []byte{0})
			if _, isReport := report.Parse(string(text)); !ok || !isReport {
				t.Fatalf("%q is answered by %q", in, out.Bytes())
			}
			answers = rest
		}
		if commands != 0 {
			t.Errorf("%q has %d commands more than answers: %q", in, commands, out.Bytes())
		}
	})
}

// With qmail-send of this system, numbers may have two bytes.
func TestWideNumbers(t *testing.T) {
	server := Server{Slots: 1000, Messages: messages(t), Trusted: me, Deliver: func(Delivery) report.Report { return report.K("done\n") }}
	in := "\xffwide\x00\x00\x00" + "\x02\x9a" + "1/2\x00a@b\x00c@d\x00"
	var out strings.Builder
	if err := server.Serve(strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	if want := "\xff\xffKwide 1000\n\x00"; !strings.HasPrefix(out.String(), want+"\x02\x9a") {
		t.Errorf("got %q, want %q and an answer with the number 02 9a", out.String(), want)
	}
	// One that takes no more than a byte can say refuses.
	server = Server{Slots: 255, Messages: messages(t), Trusted: me}
	out.Reset()
	if err := server.Serve(strings.NewReader("\xffwide\x00\x00\x00"), &out); err != nil || !strings.HasPrefix(out.String(), "\xff\xffZInternal error: delnum too big.") {
		t.Errorf("got %q, %v, want a refusal", out.String(), err)
	}
}
