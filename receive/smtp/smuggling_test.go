package smtp

import (
	"fmt"
	"strings"
	"testing"
)

// hiddenMail is what must stay part of the message that it stands in.
const hiddenMail = "MAIL FROM:<evil@example.org>\r\nRCPT TO:<victim@test.example>\r\nDATA\r\nhidden\r\n.\r\n"

// TestSmugglingBDAT sends every mixture of CR, LF, dot and x, of up to six, before a
// message hidden in another one, in one chunk and cut in two at each place of it, or
// in the middle of a long one: there is one message, and it is queued as it is or
// refused for good.
func TestSmugglingBDAT(t *testing.T) {
	w := newWorld(t, nil)
	most := 6
	if testing.Short() {
		most = 4
	}
	var try func(mixture string, left int)
	try = func(mixture string, left int) {
		message := "x" + mixture + hiddenMail
		for cut := 0; cut <= len(mixture)+1; cut++ {
			if len(mixture) > 4 && cut != 0 && cut != len(mixture)/2+1 {
				continue
			}
			smuggleChunks(t, w, message, cut)
		}
		if left > 0 {
			for _, c := range "\r\n.x" {
				try(mixture+string(c), left-1)
			}
		}
	}
	try("", most)
}

func smuggleChunks(t *testing.T, w *world, message string, cut int) {
	t.Helper()
	in := strings.TrimSuffix(envelope, "DATA\r\n")
	if cut > 0 {
		in += fmt.Sprintf("BDAT %d\r\n%s", cut, message[:cut])
	}
	in += fmt.Sprintf("BDAT %d LAST\r\n%sQUIT\r\n", len(message)-cut, message[cut:])
	w.queue.Messages, w.queue.Begun = nil, 0
	got, err := w.says(in, nil)
	if err != nil || w.queue.Begun != 1 || strings.Contains(got, "354") || !strings.HasSuffix(got, farewell) {
		t.Fatalf("%q: %v, %d messages, %q", in, err, w.queue.Begun, got)
	}
	if strings.ContainsAny(strings.ReplaceAll(message, "\r\n", ""), "\r\n") {
		if len(w.queue.Messages) != 0 || strings.Count(got, replyStray) != 1 {
			t.Errorf("%q: %d messages are queued: %q", in, len(w.queue.Messages), got)
		}
		return
	}
	if len(w.queue.Messages) != 1 {
		t.Errorf("%q: %d messages are queued: %q", in, len(w.queue.Messages), got)
		return
	}
	m := w.queue.Messages[0]
	if want := strings.ReplaceAll(message, "\r\n", "\n"); m.Body() != want || m.Sender != "s@example.org" {
		t.Errorf("%q: queued %q, want %q", in, m.Body(), want)
	}
	if n := lenient(onTheWire(m.String())); n != 1 {
		t.Errorf("%q: queued %q, in which a lenient parser sees %d messages", in, m.Body(), n)
	}
}
