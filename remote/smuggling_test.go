package remote

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"

	"goqmail/receive/receivetest"
	"goqmail/receive/smtp"
)

// hiddenMail is what must stay part of the message that it stands in.
const hiddenMail = "MAIL FROM:<evil@example.org>\nRCPT TO:<victim@example.org>\nDATA\nhidden\n.\n"

// TestThrough hands messages with every mixture of CR, LF, dot and x, of up to six,
// to a real server, as qmail-remote sends them: before another message hidden in
// them, and those of up to five also inside a line and at the end. One message comes
// out of each, with its lines ended by LF, or none, for good.
func TestThrough(t *testing.T) {
	q := &receivetest.Queue{}
	server := &smtp.Server{
		Control: receivetest.Control(t, map[string]string{"me": "mx.example.org\n", "rcpthosts": "example.org\n"}),
		Queue:   q.Open, Now: receivetest.Now,
		Own: func() ([]netip.Addr, error) { return nil, nil },
		Log: &smtp.Log{},
	}
	c := (&network{t: t}).client(noDNS{t})
	done := make(chan struct{}, 1)
	c.Dial = func(context.Context, netip.Addr, netip.AddrPort) (net.Conn, error) {
		client, host := net.Pipe()
		go func() {
			server.Serve(host, nil) // fails as it says goodbye: the client has gone
			host.Close()
			done <- struct{}{}
		}()
		return client, nil
	}
	most := 6
	if testing.Short() {
		most = 4
	}
	var try func(mixture string)
	try = func(mixture string) {
		for _, around := range [][2]string{{"Subject: x\n\n", hiddenMail}, {"a", hiddenMail}, {"", ""}} {
			message := around[0] + mixture + around[1]
			if len(mixture) == 6 && around[0] != "Subject: x\n\n" {
				continue
			}
			q.Messages, q.Begun = nil, 0
			reports := send(t, c, settings(), literalMail(message))
			<-done
			checkThrough(t, message, reports, q)
		}
		if len(mixture) < most {
			for _, c := range "\r\n.x" {
				try(mixture + string(c))
			}
		}
	}
	try("")
}

func checkThrough(t *testing.T, message, reports string, q *receivetest.Queue) {
	t.Helper()
	want := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(message)
	if want != "" && !strings.HasSuffix(want, "\n") {
		if len(q.Messages) != 0 || !strings.Contains(reports, "|DSMTP cannot transfer messages with partial final lines. (#5.6.2)\n|") {
			t.Errorf("%q: %d messages, reports %q", message, len(q.Messages), reports)
		}
		return
	}
	if q.Begun != 1 || len(q.Messages) != 1 || !strings.HasPrefix(reports, "r|K192.0.2.1 accepted message.\n") {
		t.Errorf("%q: %d messages, reports %q", message, q.Begun, reports)
		return
	}
	if m := q.Messages[0]; m.Body() != want || m.Sender != "a@test.example" || strings.Join(m.Recipients, " ") != "b@example.org" {
		t.Errorf("%q: queued %q", message, m.Body())
	}
}
