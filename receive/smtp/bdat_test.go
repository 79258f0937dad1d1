package smtp

import (
	"fmt"
	"strings"
	"testing"
)

const toOne = "MAIL FROM:<s@example.org>\r\nRCPT TO:<r@test.example>\r\n"

func chunk(text, last string) string { return fmt.Sprintf("BDAT %d%s\r\n%s", len(text), last, text) }

func TestChunks(t *testing.T) {
	const two = "250 ok\r\n250 ok\r\n"
	for _, tt := range []struct {
		name, in, want string
		bodies         []string
		ended          bool
	}{
		{"one", toOne + chunk("a\r\n.\r\n..b\r\n", " LAST"), two + accepted, []string{"a\n.\n..b\n"}, false},
		{"two", toOne + chunk("a\r", "") + chunk("\nb\r\n", " last"), two + "250 ok\r\n" + accepted, []string{"a\nb\n"}, false},
		{"empty last", toOne + chunk("a\r\n", "") + chunk("", " LAST"), two + "250 ok\r\n" + accepted, []string{"a\n"}, false},
		{"no last line end", toOne + chunk("a", " LAST"), two + accepted, []string{"a\n"}, false},
		{"empty", toOne + chunk("", " LAST"), two + accepted, []string{""}, false},
		{"two messages", toOne + chunk("a\r\n", " LAST") + toOne + envelopeData("b"), two + accepted + two + two + "354 go ahead\r\n" + accepted, []string{"a\n", "b\n"}, false},
		{"too early", chunk("RSET\r\n", " LAST") + "MAIL FROM:<>\r\n" + chunk("RSET\r\n", ""), replyMailFirst + "\r\n250 ok\r\n" + replyRcptFirst + "\r\n", nil, false},
		{"bare LF", toOne + chunk("a\nb\r\n", "") + chunk("QUIT\r\n", " LAST"), two + replyStray + "\r\n" + replyMailFirst + "\r\n", nil, false},
		{"bare CR at the end", toOne + chunk("a\r", " LAST"), two + replyStray + "\r\n", nil, false},
		{"too big", toOne + chunk(strings.Repeat("x", 2000), "") + chunk("y", " LAST"), two + replyTooBig + "\r\n" + replyMailFirst + "\r\n", nil, false},
		{"too big at the end", toOne + chunk(strings.Repeat("x", 2000), " LAST"), two + replyTooBig + "\r\n", nil, false},
		{"given up", toOne + chunk("a\r\n", "") + "RSET\r\n" + chunk("b\r\n", " LAST"), two + "250 ok\r\n250 flushed\r\n" + replyMailFirst + "\r\n", nil, false},
		{"mixed", toOne + chunk("a\r\n", "") + "DATA\r\nRCPT TO:<x@test.example>\r\n" + chunk("", " LAST"),
			two + "250 ok\r\n" + replyChunks + "\r\n" + replyChunks + "\r\n" + accepted, []string{"a\n"}, false},
		{"no size", toOne + "BDAT LAST\r\nRSET\r\n", two + replyBadSize + "\r\n", nil, true},
		{"no LAST", toOne + "BDAT 1 X\r\n", two + replyBadSize + "\r\n", nil, true},
		{"hops in pieces", toOne + strings.Repeat(chunk("Rec", "")+chunk("eived: x\r\n", ""), 100) + chunk("", " LAST"),
			two + strings.Repeat("250 ok\r\n", 200) + replyHops + "\r\n", nil, false},
		{"body in pieces", toOne + chunk("H: x\r\n\r", "") + chunk("\n"+strings.Repeat("Received: x\r\n", 20), " LAST"),
			two + "250 ok\r\n" + accepted, []string{"H: x\n\n" + strings.Repeat("Received: x\n", 20)}, false},
		{"away", toOne + "BDAT 100 LAST\r\nabc", two, nil, true},
	} {
		w := newWorld(t, map[string]string{"databytes": "1500"})
		in, want := tt.in+"QUIT\r\n", greeting+tt.want+farewell
		if tt.ended {
			in, want = tt.in, greeting+tt.want
		}
		got, err := w.says(in, nil)
		if got != want || (err != nil) != tt.ended {
			t.Errorf("%s: %v\n got %q\nwant %q", tt.name, err, got, want)
		}
		if len(w.queue.Messages) != len(tt.bodies) || w.queue.Begun != w.queue.Ended {
			t.Errorf("%s: %d messages queued, %d begun, %d ended", tt.name, len(w.queue.Messages), w.queue.Begun, w.queue.Ended)
			continue
		}
		for i, m := range w.queue.Messages {
			if m.Body() != tt.bodies[i] {
				t.Errorf("%s: queued %q, want %q", tt.name, m.Body(), tt.bodies[i])
			}
		}
	}
}

func envelopeData(body string) string { return envelope + body + "\r\n.\r\n" }

// FuzzChunks cuts a message in two at any place: the same is queued, or it is
// refused as a whole.
func FuzzChunks(f *testing.F) {
	f.Add("Subject: x\r\n\r\n.\r\n", 3)
	f.Add("a\rb\n\r", 2)
	w := newWorld(f, nil)
	f.Fuzz(func(t *testing.T, body string, at int) {
		if at < 0 || at > len(body) {
			return
		}
		w.queue.Messages, w.queue.Begun, w.queue.Ended = nil, 0, 0
		w.says(toOne+chunk(body, " LAST"), nil)
		w.says(toOne+chunk(body[:at], "")+chunk(body[at:], " LAST"), nil)
		switch {
		case w.queue.Begun != 2 || w.queue.Ended != 2:
			t.Errorf("%q: %d messages begun, %d ended", body, w.queue.Begun, w.queue.Ended)
		case len(w.queue.Messages) == 2:
			if a, b := w.queue.Messages[0].Body(), w.queue.Messages[1].Body(); a != b || strings.Contains(a, "\r") {
				t.Errorf("%q cut at %d: %q and %q", body, at, a, b)
			}
		case len(w.queue.Messages) != 0:
			t.Errorf("%q cut at %d: %d of 2 queued", body, at, len(w.queue.Messages))
		}
	})
}
