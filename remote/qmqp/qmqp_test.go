package qmqp

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/exitcode"
	"goqmail/internal/netstring"
)

const envelope = "Fs@example.org\x00Tr@example.net\x00Tx\x00\x00"

// server answers one connection and tells what it got.
func server(t *testing.T, reply string) (dial func(netip.AddrPort, time.Duration) (net.Conn, error), got chan string) {
	got = make(chan string, 1)
	return func(netip.AddrPort, time.Duration) (net.Conn, error) {
		here, there := net.Pipe()
		go func() {
			const want = len("43:2:m\n,13:s@example.org,13:r@example.net,1:x,,")
			b := make([]byte, want)
			n, _ := io.ReadFull(there, b)
			got <- string(b[:n])
			io.WriteString(there, reply)
			there.Close()
		}()
		return here, nil
	}, got
}

func TestAnswers(t *testing.T) {
	for reply, want := range map[string]int{
		"3:Kok,": 0, "5:Zbusy,": exitcode.QueueTempRejected, "2:Dn,": exitcode.QueueRejected, "": exitcode.QueueNetFailed,
		"rubbish": exitcode.QueueNetFailed, strings.Repeat("x", 2000) + "K": exitcode.QueueNetFailed,
	} {
		dial, got := server(t, reply)
		c := &Client{Servers: []string{"no.address.example", "192.0.2.1"}, Dial: dial}
		if code := c.Send(strings.NewReader("m\n"), strings.NewReader(envelope)); code != want {
			t.Errorf("%.20q: exit code %d, want %d", reply, code, want)
		}
		if sent := <-got; sent != "43:2:m\n,13:s@example.org,13:r@example.net,1:x,," {
			t.Errorf("sent %q", sent)
		}
	}
}

func TestServers(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for _, tt := range []struct {
		name    string
		servers []string
		errs    []error
		want    int
		tried   string
	}{
		{"none", nil, nil, exitcode.QueueConfiguration, ""},
		{"names", []string{"mx.example.org"}, nil, exitcode.QueueConfiguration, ""},
		{"refused", []string{"192.0.2.1"}, []error{refused}, exitcode.QueueNetRejected, "192.0.2.1:628"},
		{"the last counts", []string{"192.0.2.1", "[2001:db8::1]:99"}, []error{refused, os.ErrDeadlineExceeded}, exitcode.QueueNetTimeout, "192.0.2.1:628 [2001:db8::1]:99"},
		{"no socket", []string{"192.0.2.1", "192.0.2.2"}, []error{syscall.EMFILE}, exitcode.QueueNetwork, "192.0.2.1:628"},
	} {
		var tried []string
		c := &Client{Servers: tt.servers, Dial: func(a netip.AddrPort, _ time.Duration) (net.Conn, error) {
			tried = append(tried, a.String())
			return nil, tt.errs[len(tried)-1]
		}}
		code := c.Send(strings.NewReader("m\n"), strings.NewReader(envelope))
		if code != tt.want || strings.Join(tried, " ") != tt.tried {
			t.Errorf("%s: exit code %d, tried %q", tt.name, code, tried)
		}
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("broken") }

func TestInput(t *testing.T) {
	c := &Client{Servers: []string{"192.0.2.1"}, Dial: func(netip.AddrPort, time.Duration) (net.Conn, error) {
		t.Error("a connection was made")
		return nil, io.EOF
	}}
	for in, want := range map[string]int{"": 91, "Ts\x00\x00": 91, "F": 91, "Fs\x00": 91, "Fs\x00Tr": 91, "Fs\x00Xr\x00\x00": 91, "\x00": 91} {
		if code := c.Send(strings.NewReader("m\n"), strings.NewReader(in)); code != want {
			t.Errorf("envelope %q: exit code %d, want %d", in, code, want)
		}
	}
	if code := c.Send(broken{}, strings.NewReader(envelope)); code != exitcode.QueueRead {
		t.Errorf("a message that cannot be read: %d", code)
	}
	if code := c.Send(strings.NewReader("m\n"), broken{}); code != exitcode.QueueRead {
		t.Errorf("an envelope that cannot be read: %d", code)
	}
}

// An envelope that is understood is sent as it was, and nothing else is.
func FuzzEnvelope(f *testing.F) {
	f.Add(envelope)
	f.Add("F\x00\x00")
	f.Add("Fs\x00Tr\x00")
	f.Add("Fs\x00Rr\x00\x00")
	f.Fuzz(func(t *testing.T, text string) {
		sent, code := readEnvelope(bufio.NewReader(strings.NewReader(text)))
		if code != exitcode.OK {
			return
		}
		again, letter := "", "F"
		for in := bytes.NewReader(sent); in.Len() > 0; letter = "T" {
			n, err := netstring.ReadLength(in)
			address := make([]byte, max(n, 0))
			if _, readErr := io.ReadFull(in, address); err != nil || readErr != nil || netstring.ReadComma(in) != nil {
				t.Fatalf("%q is sent as %q", text, sent)
			}
			again += letter + string(address) + "\x00"
		}
		if !strings.HasPrefix(text, again+"\x00") {
			t.Errorf("%q is sent as %q", text, sent)
		}
	})
}
