package sendmail

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"goqmail/internal/fault"
)

// fakeMessage is a [Message] that keeps what it gets.
type fakeMessage struct {
	bytes.Buffer
	envelope string
	failed   bool
	verdict  error
}

func (m *fakeMessage) From(sender string)  { m.envelope += "F" + sender }
func (m *fakeMessage) To(recipient string) { m.envelope += " T" + recipient }
func (m *fakeMessage) Fail()               { m.failed = true }
func (m *fakeMessage) Close() error        { return m.verdict }
func (m *fakeMessage) PID() int            { return 99 }

// talk returns the answers to a client's words, and the messages it queued.
func talk(client io.Reader, verdict error) (answers string, queued []*fakeMessage, err error) {
	var out bytes.Buffer
	s := &Session{In: client, Out: &out, Host: "mx.test.example", Now: func() time.Time { return time.Date(2026, 11, 21, 18, 4, 7, 0, time.UTC) },
		Open: func() (Message, error) {
			queued = append(queued, &fakeMessage{verdict: verdict})
			return queued[len(queued)-1], nil
		},
		Sender: func(sender string) string { return strings.Replace(sender, "@in.", "@out.", 1) }}
	err = s.Serve()
	return strings.ReplaceAll(out.String(), "\r\n", "|"), queued, err
}

const received = "Received: from localhost (sendmail-bs@127.0.0.1)\n  by localhost with SMTP; 21 Nov 2026 18:04:07 -0000\n"

func TestSession(t *testing.T) {
	const banner = "220 mx.test.example ESMTP|"
	long := strings.Repeat("x", 2*bufferSize)
	for _, tt := range []struct {
		name, client, answers string
		queued                []string // envelope, newline, message behind Received
		verdict               error
	}{
		{name: "nothing", answers: banner},
		{name: "quit", client: "QUIT\nNOOP\n", answers: banner + "221 mx.test.example|"},
		{name: "a message", client: "HELO localhost\nMAIL FROM:<a@b>\nRCPT TO:<c@d>\nRCPT TO:<e@f>\nRCPT TO:<c@d>\nDATA\nX: y\n\n..z\n.w\n\n.\nQUIT\n",
			answers: banner + "250 mx.test.example|250 ok|250 ok|250 ok|250 ok|354 go ahead|250 ok 1795284247 qp 99|221 mx.test.example|",
			queued:  []string{"Fa@b Tc@d Te@f\nX: y\n\n.z\nw\n\n"}},
		{name: "CR LF", client: "EHLO localhost\r\nMAIL FROM:<>\r\nRCPT TO:<c@d>\r\nDATA\r\na\r\n.\nb\n\rc\r\n.\r\n",
			answers: banner + "250-mx.test.example|250-PIPELINING|250 8BITMIME|250 ok|250 ok|354 go ahead|250 ok 1795284247 qp 99|",
			queued:  []string{"F Tc@d\na\n\nb\n\rc\n"}},
		{name: "two messages", client: "MAIL FROM:<a@in.b>\nRCPT TO:<c@d>\nDATA\n1\n.\nRCPT TO:<x>\nmail from: <a@b> BODY=8BITMIME\nrcpt to: <\"x\\\"> y\"@d>\ndata\n2\n.\n",
			answers: banner + "250 ok|250 ok|354 go ahead|250 ok 1795284247 qp 99|503 MAIL first (#5.5.1)|250 ok|250 ok|354 go ahead|250 ok 1795284247 qp 99|",
			queued:  []string{"Fa@out.b Tc@d\n1\n", "Fa@b Tx\"> y@d\n2\n"}},
		{name: "long lines", client: "NOOP " + long + "\nMAIL FROM:<a>\nRCPT TO:<b>\nDATA\n" + long + "\n." + long + "\r\n" + long[1:] + "\r\n.\n",
			answers: banner + "500 line too long (#5.5.2)|250 ok|250 ok|354 go ahead|250 ok 1795284247 qp 99|",
			queued:  []string{"Fa Tb\n" + long + "\n" + long + "\n" + long[1:] + "\n"}},
		{name: "wrong order", client: "RCPT TO:<a>\nDATA\nMAIL FROM:<a>\nDATA\nRSET\nDATA\n",
			answers: banner + "503 MAIL first (#5.5.1)|503 MAIL first (#5.5.1)|250 ok|503 RCPT first (#5.5.1)|250 flushed|503 MAIL first (#5.5.1)|"},
		{name: "syntax", client: "MAIL FROM:<a\nMAIL a\nMAIL\nRCPT TO:<>\nRCPT\nRCPT TO:<@a,@b:c@d>\nRCPT TO:bob NOTIFY=NEVER\nRCPT TO:<" + strings.Repeat("x", maxAddress) + ">\nRCPT TO:<a\x00b>\nFOO\n\nVRFY x\nHELP\nNOOP\nSTARTTLS\n",
			answers: banner + "555 syntax error (#5.5.4)|555 syntax error (#5.5.4)|250 ok|555 syntax error (#5.5.4)|555 syntax error (#5.5.4)|250 ok|250 ok|555 syntax error (#5.5.4)|555 syntax error (#5.5.4)|502 unimplemented (#5.5.1)|502 unimplemented (#5.5.1)|252 send some mail, i'll try my best|214 see sendmail(8)|250 ok|502 unimplemented (#5.5.1)|"},
		{name: "refused for good", client: "MAIL FROM:<a>\nRCPT TO:<b>\nDATA\n.\nNOOP\n", verdict: fault.Hard("no \x01(#5.3.0)"),
			answers: banner + "250 ok|250 ok|354 go ahead|554 no ?(#5.3.0)|250 ok|", queued: []string{"Fa Tb\n"}},
		{name: "refused for now", client: "MAIL FROM:<a>\nRCPT TO:<b>\nDATA\n.\n", verdict: fault.Soft("later (#4.3.0)", nil),
			answers: banner + "250 ok|250 ok|354 go ahead|451 later (#4.3.0)|", queued: []string{"Fa Tb\n"}},
		{name: "a command broken off", client: "MAIL FROM:<a>\nRCPT TO:<b>\nDATA", answers: banner + "250 ok|250 ok|"},
	} {
		for _, client := range []io.Reader{strings.NewReader(tt.client), iotest.OneByteReader(strings.NewReader(tt.client))} {
			answers, queued, err := talk(client, tt.verdict)
			if err != nil || answers != tt.answers {
				t.Errorf("%s: %v, answers\n%s, want\n%s", tt.name, err, answers, tt.answers)
			}
			var got []string
			for _, m := range queued {
				got = append(got, m.envelope+"\n"+strings.TrimPrefix(m.String(), received))
			}
			if fmt.Sprint(got) != fmt.Sprint(tt.queued) {
				t.Errorf("%s: queued %.300q, want %.300q", tt.name, got, tt.queued)
			}
		}
	}
}

func TestReceived(t *testing.T) {
	_, queued, _ := talk(strings.NewReader("EHLO a\x01b\nMAIL\nRCPT TO:<a>\nDATA\n.\n"), nil)
	if want := "Received: from localhost (HELO a?b) (sendmail-bs@127.0.0.1)\n"; len(queued) != 1 || !strings.HasPrefix(queued[0].String(), want) {
		t.Errorf("got %q, want %q", queued[0].String(), want)
	}
}

// TestCutOff has clients that go away within a message: they are told, and
// nothing is queued.
func TestCutOff(t *testing.T) {
	for _, end := range []string{"", "x", ".", "x\n", "\r\n.\n"} {
		client := "MAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n" + end
		answers, queued, err := talk(strings.NewReader(client), nil)
		if err != ErrCutOff || len(queued) != 1 || !queued[0].failed || !strings.HasSuffix(answers, "354 go ahead|451 the client stopped in the middle of a message (#4.3.0)|") {
			t.Errorf("%q: %v, %s", client, err, answers)
		}
	}
	answers, _, err := talk(io.MultiReader(strings.NewReader("NOOP\n"), iotest.ErrReader(io.ErrClosedPipe)), nil)
	if err != io.ErrClosedPipe || !strings.HasSuffix(answers, "250 ok|451 io: read/write on closed pipe (#4.3.0)|") {
		t.Errorf("%v, %s", err, answers)
	}
}

// TestAnswersAtOnce has a client that waits for each answer.
func TestAnswersAtOnce(t *testing.T) {
	fromClient, client := io.Pipe()
	server, toClient := io.Pipe()
	done := make(chan error, 1)
	go func() {
		s := &Session{In: fromClient, Out: toClient, Host: "h", Now: time.Now, Open: func() (Message, error) { return &fakeMessage{}, nil }, Sender: func(s string) string { return s }}
		done <- s.Serve()
	}()
	answer := make([]byte, 100)
	for _, say := range []string{"", "MAIL FROM:<a>\n", "RCPT TO:<b>\n", "DATA\n", "x\n.\n", "QUIT\n"} {
		if say != "" {
			if _, err := io.WriteString(client, say); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := server.Read(answer); err != nil || n == 0 {
			t.Fatalf("%q: no answer, %v", say, err)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// FuzzSession checks that a session ends, with every message whole or failed, and
// that each line of an answer has a code.
func FuzzSession(f *testing.F) {
	f.Add("HELO x\nMAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\nx\n.\nQUIT\n")
	f.Add("EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<\"a b\"@d> X=Y\r\nDATA\r\n..\r\n.\r\n")
	f.Fuzz(func(t *testing.T, client string) {
		answers, queued, err := talk(strings.NewReader(client), nil)
		for _, line := range strings.Split(strings.TrimSuffix(answers, "|"), "|") {
			if len(line) < 4 || line[0] < '2' || line[0] > '5' || line[3] != ' ' && line[3] != '-' {
				t.Errorf("%q: answer %q", client, line)
			}
		}
		for _, m := range queued {
			if (m.envelope == "") != m.failed || m.failed && err == nil {
				t.Errorf("%q: %q, failed %v, %v", client, m.envelope, m.failed, err)
			}
		}
	})
}
