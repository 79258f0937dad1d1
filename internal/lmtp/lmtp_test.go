package lmtp

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"goqmail/internal/fault"
)

const body = "Subject: lunch\n\n.dot\nbare\rend\r\nnoon?"

// play is a server that gives one reply after the other, each once a command has
// come, and after the DATA's 354 once a dot has. It returns what it was told.
func play(t *testing.T, replies []string, deliver func(net.Conn) error) (told string, err error) {
	t.Helper()
	ours, theirs := net.Pipe()
	done := make(chan string)
	go func() {
		var got bytes.Buffer
		defer func() {
			theirs.Close()
			done <- got.String()
		}()
		in := bufio.NewReader(io.TeeReader(theirs, &got))
		for _, reply := range replies {
			if _, err := io.WriteString(theirs, reply+"\r\n"); err != nil {
				return
			}
			for data := strings.HasPrefix(reply, "354"); ; {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if !data || line == ".\r\n" {
					break
				}
			}
		}
	}()
	err = deliver(ours)
	ours.Close()
	return <-done, err
}

var client = Client{Name: "mx.test.example", Timeout: 20 * time.Second, Limit: time.Minute}

func message(body io.Reader) Message {
	return Message{Sender: "sue@far.example", Recipient: "kim lee@test.example", Body: body}
}

func TestDeliver(t *testing.T) {
	replies := []string{"220 store", "250-store\r\n250 8BITMIME", "250 ok", "250 ok", "354 go", "250-2.0.0 saved\r\n250 \x01twice"}
	var said string
	told, err := play(t, replies, func(c net.Conn) (err error) {
		said, err = client.Deliver(c, message(iotest.OneByteReader(strings.NewReader(body))))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := "250-2.0.0 saved/250 ?twice"; said != want {
		t.Errorf("it said %q, want %q", said, want)
	}
	want := "LHLO mx.test.example\r\nMAIL FROM:<sue@far.example>\r\nRCPT TO:<\"kim lee\"@test.example>\r\nDATA\r\n" +
		"Subject: lunch\r\n\r\n..dot\r\nbare\r\nend\r\nnoon?\r\n.\r\nQUIT\r\n"
	if told != want {
		t.Errorf("it was told %q, want %q", told, want)
	}
}

func TestDeliverFails(t *testing.T) {
	tests := []struct {
		name    string
		replies []string
		text    string
		perm    bool
	}{
		{"no greeting", nil, "Connection to LMTP server died. (#4.4.2)", false},
		{"busy", []string{"421 later"}, "LMTP server does not want to talk: 421 later (#4.3.0)", false},
		{"angry", []string{"554 never"}, "LMTP server does not want to talk: 554 never (#5.3.0)", false},
		{"speaks SMTP", []string{"220 mx", "500 what?"}, "LMTP server does not want to talk: 500 what? (#5.3.0)", false},
		{"speaks SSH", []string{"SSH-2.0-x"}, "Connection to LMTP server died. (#4.4.2)", false},
		{"sender", []string{"220 a", "250 b", "550 no"}, "LMTP sender was rejected: 550 no (#5.3.0)", true},
		{"recipient", []string{"220 a", "250 b", "250 c", "550-5.1.1 no\r\n550 such"}, "LMTP recipient was rejected: 550-5.1.1 no/550 such (#5.3.0)", true},
		{"recipient for now", []string{"220 a", "250 b", "250 c", "450 full"}, "LMTP recipient was rejected: 450 full (#4.3.0)", false},
		{"data", []string{"220 a", "250 b", "250 c", "250 d", "250 e"}, "LMTP DATA was rejected: 250 e (#4.3.0)", false},
		{"message", []string{"220 a", "250 b", "250 c", "250 d", "354 e", "552 5.2.2 full"}, "LMTP message was rejected: 552 5.2.2 full (#5.3.0)", true},
		{"message for now", []string{"220 a", "250 b", "250 c", "250 d", "354 e", "452 4.2.2 full"}, "LMTP message was rejected: 452 4.2.2 full (#4.3.0)", false},
		{"code of another world", []string{"220 a", "250 b", "250 c", "250 d", "354 e", "650 f"}, "LMTP message was rejected: 650 f (#4.3.0)", false},
		{"hangs up", []string{"220 a", "250 b", "250 c"}, "Connection to LMTP server died. (#4.4.2)", false},
		{"hangs up in the end", []string{"220 a", "250 b", "250 c", "250 d", "354 e"}, "Connection to LMTP server died. (#4.4.2)", false},
		{"changes its mind", []string{"220 a", "250-b\r\n550 c"}, "Connection to LMTP server died. (#4.4.2)", false},
		{"long line", []string{"220 " + strings.Repeat("x", 2*readSize)}, "Connection to LMTP server died. (#4.4.2)", false},
		{"endless", []string{strings.Repeat("220-x\r\n", mostReply)}, "Connection to LMTP server died. (#4.4.2)", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := play(t, tt.replies, func(c net.Conn) error {
				_, err := client.Deliver(c, message(strings.NewReader(body)))
				return err
			})
			var f *fault.Error
			if !errors.As(err, &f) || f.Text != tt.text || f.Perm != tt.perm {
				t.Errorf("fails with %v, want %q, permanent %v", err, tt.text, tt.perm)
			}
		})
	}
}

// A message that cannot be read to its end is never ended by a dot.
func TestUnreadable(t *testing.T) {
	replies := []string{"220 a", "250 b", "250 c", "250 d", "354 e", "250 f"}
	told, err := play(t, replies, func(c net.Conn) error {
		_, err := client.Deliver(c, message(io.MultiReader(strings.NewReader(strings.Repeat("x\n", writeSize)), iotest.ErrReader(io.ErrUnexpectedEOF))))
		return err
	})
	if err == nil || fault.IsPermanent(err) || strings.Contains(told, "\r\n.\r\n") {
		t.Errorf("%v; the server was told %d bytes", err, len(told))
	}
}

func TestSilentServer(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	c := client
	c.Timeout = time.Nanosecond
	_, err := c.Deliver(ours, message(strings.NewReader(body)))
	if err == nil || fault.IsPermanent(err) {
		t.Error(err)
	}
}

func TestOddAddresses(t *testing.T) {
	for _, m := range []Message{{Sender: "a\nb"}, {Recipient: "a\r"}, {Recipient: "a\x00"}} {
		if _, err := client.Deliver(nil, m); !fault.IsPermanent(err) {
			t.Errorf("%q: %v", m, err)
		}
	}
}

func FuzzReadReply(f *testing.F) {
	f.Add("250-a\r\n250 b\r\n")
	f.Add("250\n")
	f.Add("421")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := readReply(bufio.NewReaderSize(strings.NewReader(text), 64))
		if err == nil && (r.code > 999 || len(r.text) > mostText+1 || strings.ContainsFunc(r.text, func(c rune) bool { return c < ' ' || c > '~' })) {
			t.Errorf("%q is read as %+v", text, r)
		}
	})
}

// What a server that undoes the doubling of dots reads has the lines that went in,
// and no line of it ends the data early.
func FuzzBody(f *testing.F) {
	f.Add("a\n.b\r\n..\rc")
	f.Add("\r\r\n.\n")
	f.Fuzz(func(t *testing.T, text string) {
		var out bytes.Buffer
		w := bufio.NewWriter(&out)
		if err := writeBody(w, iotest.HalfReader(strings.NewReader(text))); err != nil {
			t.Fatal(err)
		}
		w.Flush()
		data, ok := strings.CutSuffix(out.String(), ".\r\n")
		if !ok {
			t.Fatalf("%q ends in no dot", out.String())
		}
		var lines []string
		for line := range strings.SplitAfterSeq(data, "\r\n") {
			if line == ".\r\n" || strings.ContainsAny(strings.TrimSuffix(line, "\r\n"), "\r\n") {
				t.Fatalf("%q has line %q", text, line)
			}
			lines = append(lines, strings.TrimPrefix(line, "."))
		}
		want := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
		if want != "" && !strings.HasSuffix(want, "\n") {
			want += "\n"
		}
		if got := strings.ReplaceAll(strings.Join(lines, ""), "\r\n", "\n"); got != want {
			t.Errorf("%q arrives as %q", text, got)
		}
	})
}
