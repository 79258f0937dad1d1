package smtp

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"goqmail/internal/child"
	"goqmail/internal/fault"
	"goqmail/receive"
	"goqmail/receive/receivetest"
)

// world is a server and what came of its sessions.
type world struct {
	server *Server
	queue  *receivetest.Queue
	log    bytes.Buffer
}

var settings = map[string]string{"me": "mx.test.example\n", "rcpthosts": "test.example\n"}

func newWorld(t testing.TB, more map[string]string) *world {
	files := map[string]string{}
	for _, set := range []map[string]string{settings, more} {
		for name, text := range set {
			files[name] = text
		}
	}
	w := &world{queue: &receivetest.Queue{}}
	w.server = &Server{
		Control: receivetest.Control(t, files),
		Queue:   w.queue.Open,
		Own: func() ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}, nil
		},
		Now: receivetest.Now,
		Run: child.Start,
		Log: &Log{Name: "qmail-smtpd", Out: &w.log, Network: true},
	}
	return w
}

// says has a client say something and returns the replies.
func (w *world) says(in string, env receive.Env) (string, error) {
	conn := receivetest.Says(in)
	err := w.server.Serve(conn, env)
	return conn.Out.String(), err
}

const (
	greeting = "220 mx.test.example ESMTP\r\n"
	farewell = "221 mx.test.example\r\n"
	envelope = "MAIL FROM:<s@example.org>\r\nRCPT TO:<r@test.example>\r\nDATA\r\n"
	taken    = "250 ok\r\n250 ok\r\n354 go ahead\r\n"
	accepted = "250 ok 1795284247 qp 4321\r\n"
)

func TestSessions(t *testing.T) {
	for _, tt := range []struct {
		name    string
		control map[string]string
		env     receive.Env
		in      string
		want    string
		queued  int
		err     error
	}{
		{"a message", nil, nil, envelope + "x\r\n.\r\nQUIT\r\n", taken + accepted + farewell, 1, nil},
		{"size offered", map[string]string{"databytes": "1000"}, nil, "EHLO x\r\nQUIT\r\n",
			"250-mx.test.example\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-CHUNKING\r\n250 SMTPUTF8\r\n" + farewell, 0, nil},
		{"size announced", map[string]string{"databytes": "1000"}, nil,
			"MAIL FROM:<a@example.org> SIZE=1000\r\nMAIL FROM:<a@example.org> BODY=8BITMIME size=1001\r\nMAIL FROM:<> SIZE=99999999999999999999\r\nMAIL FROM:<> SIZE=x\r\nQUIT\r\n",
			"250 ok\r\n" + replyTooBig + "\r\n" + replyTooBig + "\r\n250 ok\r\n" + farewell, 0, nil},
		{"no limit", nil, nil, "MAIL FROM:<a@example.org> SIZE=99999999999999999999\r\nQUIT\r\n", "250 ok\r\n" + farewell, 0, nil},
		{"too many recipients", map[string]string{"maxrcpt": "1"}, nil, "MAIL FROM:<>\r\nRCPT TO:<a@test.example>\r\nRCPT TO:<b@test.example>\r\nDATA\r\n.\r\nQUIT\r\n",
			"250 ok\r\n250 ok\r\n" + replyTooManyTo + "\r\n354 go ahead\r\n" + accepted + farewell, 1, nil},
		{"empty recipient", nil, nil, "MAIL FROM:<>\r\nRCPT TO:<>\r\nRCPT\r\nQUIT\r\n", "250 ok\r\n" + replySyntax + "\r\n" + replySyntax + "\r\n" + farewell, 0, nil},
		{"CR in an address", nil, nil, "MAIL FROM:<a\rb@example.org>\r\nQUIT\r\n", replySyntax + "\r\n" + farewell, 0, nil},
		{"own addresses", nil, nil, "MAIL FROM:<>\r\nRCPT TO:<a@[192.0.2.1]>\r\nRCPT TO:<a@[IPv6:2001:db8::1]>\r\nRCPT TO:<a@[192.0.2.9]>\r\nRCPT TO:<a@[2001:db8::1]>\r\nQUIT\r\n",
			"250 ok\r\n" + strings.Repeat(replyNoGateway+"\r\n", 4) + farewell, 0, nil},
		{"own addresses are ours", map[string]string{"rcpthosts": "mx.test.example\n"}, nil, "MAIL FROM:<>\r\nRCPT TO:<a@[192.0.2.1]>\r\nRCPT TO:<a@[IPv6:2001:db8::1]>\r\nQUIT\r\n",
			"250 ok\r\n250 ok\r\n250 ok\r\n" + farewell, 0, nil},
		{"a bare LF", nil, nil, envelope + "x\ny\r\n.\r\nNOOP\r\nQUIT\r\n", taken + replyStray + "\r\n250 ok\r\n" + farewell, 0, nil},
		{"a bare CR", nil, nil, envelope + "x\ry\r\n.\r\nQUIT\r\n", taken + replyStray + "\r\n" + farewell, 0, nil},
		{"away", nil, nil, envelope + "x\r\n", taken, 0, ErrEnded},
		{"away at once", nil, nil, "", "", 0, ErrEnded},
		{"queue texts are one line", nil, nil, envelope + "custom\r\n.\r\nQUIT\r\n", taken + "554 first  250 second\r\n" + farewell, 0, nil},
		{"a very long line", nil, nil, strings.Repeat("x", 100<<10) + "\r\nQUIT\r\n", replyTooLong + "\r\n" + farewell, 0, nil},
		{"too many errors", nil, nil, strings.Repeat("X\r\n", 2*maxErrors), strings.Repeat(replyUnknown+"\r\n", maxErrors) + replyTooManyErrs + "\r\n", 0, ErrEnded},
		{"relay", nil, receive.Env{"RELAYCLIENT": ""}, "MAIL FROM:<>\r\nRCPT TO:<a@example.net>\r\nQUIT\r\n", "250 ok\r\n250 ok\r\n" + farewell, 0, nil},
	} {
		w := newWorld(t, tt.control)
		w.queue.Verdict = func(m *receivetest.Message) error {
			if strings.Contains(m.Body(), "custom") {
				return fault.Hard("first\r\n250 second")
			}
			return nil
		}
		got, err := w.says(tt.in, tt.env)
		if got != greeting+tt.want || !errors.Is(err, tt.err) || len(w.queue.Messages) != tt.queued {
			t.Errorf("%s: %d messages, %v\n got %q\nwant %q", tt.name, len(w.queue.Messages), err, got, greeting+tt.want)
		}
		if w.queue.Begun != w.queue.Ended {
			t.Errorf("%s: %d messages begun, %d ended", tt.name, w.queue.Begun, w.queue.Ended)
		}
	}
}

func TestClosedWithoutRcpthosts(t *testing.T) {
	w := newWorld(t, nil)
	os.Remove(w.server.Control + "/rcpthosts")
	w.server.Log.Network = false
	in := "MAIL FROM:<>\r\nRCPT TO:<a@mx.test.example>\r\nRCPT TO:<postmaster>\r\nQUIT\r\n"
	got, _ := w.says(in, nil)
	if want := greeting + "250 ok\r\n" + strings.Repeat(replyNoGateway+"\r\n", 2) + farewell; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !strings.Contains(w.log.String(), "there is no control/rcpthosts") {
		t.Errorf("the log says %q", w.log.String())
	}
	if got, _ := w.says(in, receive.Env{"RELAYCLIENT": ""}); strings.Contains(got, "553") {
		t.Errorf("a relay client is told %q", got)
	}
}

func TestLog(t *testing.T) {
	w := newWorld(t, nil)
	env := receive.Env{"TCPREMOTEIP": "192.0.2.7"}
	w.says("HELO a b%\r\n"+envelope+"x\r\n.\r\nMAIL FROM:<s@example.org>\r\nRCPT TO:<x@example.net>\r\nQUIT\r\n", env)
	want := "qmail-smtpd: accepted qp 4321 bytes 2 from <s@example.org> to <r@test.example> client 192.0.2.7 helo <a_b_>\n" +
		"qmail-smtpd: refused from <s@example.org> to <x@example.net> client 192.0.2.7 helo <a_b_> reply 553_sorry,_that_domain_isn't_in_my_list_of_allowed_rcpthosts_(#5.7.1)\n"
	if w.log.String() != want {
		t.Errorf("got %q\nwant %q", w.log.String(), want)
	}
}

// stalled is a client that says nothing more.
type stalled struct{}

func (stalled) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

func TestTimeout(t *testing.T) {
	w := newWorld(t, nil)
	conn := receivetest.Says("")
	conn.In = io.MultiReader(strings.NewReader(envelope+"x\r\n"), stalled{})
	err := w.server.Serve(conn, nil)
	if got, want := conn.Out.String(), greeting+taken+replyTimeout+"\r\n"; got != want || !errors.Is(err, ErrEnded) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if len(w.queue.Messages) != 0 || w.queue.Ended != 1 {
		t.Errorf("%d messages are queued, %d ended", len(w.queue.Messages), w.queue.Ended)
	}
}

// TestSmuggling sends every mixture of CR, LF, dot, CRLF and x around what might be
// taken for the end of data, with a second message hidden behind it.
//
// A strict parser says how many messages the client sent. As many must be queued
// or refused, and what is queued must look like one message to the most lenient
// parser, once it is sent on.
func TestSmuggling(t *testing.T) {
	w := newWorld(t, nil)
	most := 6
	if testing.Short() {
		most = 4
	}
	tokens := []string{"\r", "\n", ".", "\r\n", "x"}
	var try func(mixture string, left int)
	try = func(mixture string, left int) {
		smuggle(t, w, mixture)
		if left == 0 {
			return
		}
		for _, token := range tokens {
			try(mixture+token, left-1)
		}
	}
	try("", most)
}

func smuggle(t *testing.T, w *world, mixture string) {
	hidden := "MAIL FROM:<evil@example.org>\r\nRCPT TO:<victim@test.example>\r\nDATA\r\nhidden"
	rest := "x" + mixture + hidden + "\r\n.\r\nQUIT\r\n"
	want, refused := strict(rest)
	w.queue.Messages, w.queue.Begun = nil, 0
	got, err := w.says(envelope+rest, nil)
	if err != nil {
		t.Fatalf("%q: %v, %q", mixture, err, got)
	}
	if n := strings.Count(got, replyStray); w.queue.Begun != len(want)+refused || n != refused {
		t.Errorf("%q: %d messages, %d refused, want %d and %d", mixture, w.queue.Begun, n, len(want), refused)
	}
	if len(w.queue.Messages) != len(want) {
		t.Errorf("%q: queued %d messages, want %d", mixture, len(w.queue.Messages), len(want))
		return
	}
	for i, m := range w.queue.Messages {
		if m.Body() != want[i] {
			t.Errorf("%q: queued %q, want %q", mixture, m.Body(), want[i])
		}
		if n := lenient(onTheWire(m.String())); n != 1 {
			t.Errorf("%q: queued %q, in which a lenient parser sees %d messages", mixture, m.Body(), n)
		}
	}
}

// strict parses what follows DATA: the messages up to QUIT, those left out that
// have a bare CR or LF. It goes by RFC 5321 section 4.1.1.4 alone.
func strict(rest string) (messages []string, refused int) {
	for {
		data, after, ok := strings.Cut("\r\n"+rest, "\r\n.\r\n")
		if !ok {
			return messages, refused
		}
		lines := strings.Split(data, "\r\n")[1:]
		message := ""
		for _, line := range lines {
			message += strings.TrimPrefix(line, ".") + "\n"
		}
		if strings.ContainsAny(strings.ReplaceAll(data, "\r\n", ""), "\r\n") {
			refused++
		} else {
			messages = append(messages, message)
		}
		if i := strings.Index(after, "DATA\r\n"); i >= 0 && strings.Contains(after[:i], "RCPT TO:") && startsLine(after, "MAIL") {
			rest = after[i+len("DATA\r\n"):]
			continue
		}
		return messages, refused
	}
}

// startsLine reports whether a command is the first of a line in what comes before
// DATA, as the server reads it: lines end with LF.
func startsLine(text, verb string) bool {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "DATA") {
			return false
		}
		if strings.HasPrefix(line, verb) {
			return true
		}
	}
	return false
}

// onTheWire is a message as qmail-remote sends it.
func onTheWire(message string) string {
	var b strings.Builder
	for line := range strings.Lines(message) {
		if line[0] == '.' {
			b.WriteByte('.')
		}
		b.WriteString(strings.TrimSuffix(line, "\n") + "\r\n")
	}
	return b.String() + ".\r\n"
}

var anyEnd = regexp.MustCompile(`(\r\n|\r|\n)\.(\r\n|\r|\n)`)

// lenient counts the ends of data for a parser that takes CR, LF and CRLF alike.
func lenient(wire string) int { return len(anyEnd.FindAllString("\n"+wire, -1)) }

// pieces reads at most n bytes at a time.
type pieces struct {
	r io.Reader
	n int
}

func (p pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), p.n)]) }

// TestPieces has lines cut at each place, and lines longer than a buffer.
func TestPieces(t *testing.T) {
	long := strings.Repeat("l", 16<<10-3)
	for _, body := range []string{"a\r\n..\r\n.b\r\n\r\n", long + "\r\n" + long + "x\r\n", strings.Repeat(long+"\r\n", 3), long + "xx\r\n.." + long + "\r\n", strings.Repeat("y", 100<<10) + "\r\n"} {
		for n := 1; n < 20; n++ {
			if len(body) > 1000 && n > 3 {
				break
			}
			w := newWorld(t, nil)
			conn := receivetest.Says("")
			conn.In = pieces{strings.NewReader(envelope + body + ".\r\nQUIT\r\n"), n}
			if n == 3 {
				conn.In = strings.NewReader(envelope + body + ".\r\nQUIT\r\n")
			}
			if err := w.server.Serve(conn, nil); err != nil || len(w.queue.Messages) != 1 {
				t.Fatalf("%.20q in pieces of %d: %v, %d messages", body, n, err, len(w.queue.Messages))
			}
			want, _ := strict(body + ".\r\n")
			if got := w.queue.Messages[0].Body(); got != want[0] {
				t.Errorf("%.20q in pieces of %d: queued %.100q", body, n, got)
			}
		}
	}
}

// FuzzSession has a client say anything. Every line of the answer is a reply, and
// every message that is queued has the envelope it was answered for.
func FuzzSession(f *testing.F) {
	f.Add(envelope + "Subject: x\r\n\r\n..\r\n.\r\nQUIT\r\n")
	f.Add("EHLO x\r\nMAIL FROM:<a> SIZE=1\r\nRCPT TO:<\"b\">\r\nDATA\r\n\n.\r\n.\r\nRSET\r\nVRFY\r\nHELP\r\n")
	f.Add("MAIL\nRCPT TO:a@test.example\nDATA\n.\r\nx\x00y\r\n")
	w := newWorld(f, map[string]string{"databytes": "100", "badmailfrom": "@bad.example\n"})
	f.Fuzz(func(t *testing.T, in string) {
		w.queue.Messages, w.queue.Begun, w.queue.Ended = nil, 0, 0
		out, _ := w.says(in, nil)
		accepted := 0
		for line := range strings.Lines(out) {
			if len(line) < 6 || !strings.HasSuffix(line, "\r\n") || line[3] != ' ' && line[3] != '-' {
				t.Fatalf("%q is answered %q", in, out)
			}
			if _, err := strconv.Atoi(line[:3]); err != nil {
				t.Fatalf("%q is answered %q", in, out)
			}
			if strings.Contains(line, " qp ") {
				accepted++
			}
		}
		if len(w.queue.Messages) != accepted || w.queue.Begun != w.queue.Ended {
			t.Errorf("%q: %d messages accepted, %d queued, %d begun, %d ended", in, accepted, len(w.queue.Messages), w.queue.Begun, w.queue.Ended)
		}
		for _, m := range w.queue.Messages {
			if len(m.Recipients) == 0 || strings.ContainsAny(m.Body(), "\r") || len(m.Body()) > 100 {
				t.Errorf("%q: queued %q for %q", in, m.Body(), m.Recipients)
			}
		}
	})
}
