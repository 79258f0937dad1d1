package qmtp

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"goqmail/internal/fault"
	"goqmail/internal/netstring"
	"goqmail/receive"
	"goqmail/receive/receivetest"
)

const (
	accepted = "22:Kok 1795284247 qp 4321,"
	gateway  = "66:" + replyNoGateway + ","
	handle   = "46:" + replyRecipient + ","
)

func ns(s string) string { return string(netstring.Append(nil, s)) }

// pack is a package of QMTP.
func pack(message, sender string, to ...string) string {
	list := ""
	for _, addr := range to {
		list += ns(addr)
	}
	return ns(message) + ns(sender) + ns(list)
}

func newServer(t testing.TB, control map[string]string) (*Server, *receivetest.Queue) {
	q := &receivetest.Queue{Verdict: func(m *receivetest.Message) error {
		if strings.Contains(m.Body(), "refuse") {
			return fault.Hard("no")
		}
		return nil
	}}
	return &Server{Control: receivetest.Control(t, control), Queue: q.Open, Now: receivetest.Now}, q
}

func TestQMTP(t *testing.T) {
	ours := map[string]string{"rcpthosts": "test.example\n"}
	small := map[string]string{"rcpthosts": "test.example\n", "databytes": "3"}
	for _, tt := range []struct {
		name    string
		control map[string]string
		env     receive.Env
		in      string
		want    string
		bodies  []string
		err     error
	}{
		{"LF", ours, nil, pack("\na\r\nb", "s@example.org", "r@test.example"), accepted, []string{"a\r\nb"}, nil},
		{"CR", ours, nil, pack("\ra\r\n\r\r\nb\rc\nd\r", "s@example.org", "r@test.example"), accepted, []string{"a\n\r\nb\rc\nd\r"}, nil},
		{"two packages", ours, nil, pack("\na", "", "r@test.example") + pack("\nb", "", "x@test.example", "y@test.example"), accepted + accepted + accepted, []string{"a", "b"}, nil},
		{"a bad package does not cost an answer", ours, nil, pack("\na", "", "r@test.example") + "x", accepted, []string{"a"}, ErrProtocol},
		{"hosts", ours, nil, pack("\na", "", "a@example.net", "b@test.example", "postmaster"), gateway + accepted + accepted, []string{"a"}, nil},
		{"all refused", ours, nil, pack("\na", "", "a@example.net"), gateway, nil, nil},
		{"closed", nil, nil, pack("\na", "", "a@example.net", "postmaster"), gateway + gateway, nil, nil},
		{"relay", nil, receive.Env{"RELAYCLIENT": ".x"}, pack("\na", "", "a@example.net"), accepted, []string{"a"}, nil},
		{"bad recipients", ours, nil, pack("\na", "", "a\x00@test.example", "", strings.Repeat("r", 1000)), handle + handle + handle, nil, nil},
		{"bad sender", ours, nil, pack("\na", "s\x00", "r@test.example"), ns(replySender), nil, nil},
		{"long sender", ours, nil, pack("\na", strings.Repeat("s", 1000), "r@test.example"), ns(replySender), nil, nil},
		{"too big", small, nil, pack("\nabcd", "", "r@test.example") + pack("\nabc", "", "r@test.example"), ns(replyTooBig) + accepted, []string{"abc"}, nil},
		{"too big with CR", small, nil, pack("\rabcd", "", "r@test.example") + pack("\rab\r\n", "", "r@test.example"), ns(replyTooBig) + accepted, []string{"ab\n"}, nil},
		{"refused by the queue", ours, nil, pack("\nrefuse", "", "r@test.example"), "3:Dno,", nil, nil},
		{"nobody", ours, nil, pack("\na", "s"), "", nil, nil},
		{"cut off", ours, nil, pack("\na", "s", "r@test.example")[:12], "", nil, nil},
		{"first byte", ours, nil, pack("a", "s", "r@test.example"), "", nil, ErrProtocol},
		{"no first byte", ours, nil, pack("", "s", "r@test.example"), "", nil, ErrProtocol},
		{"recipient longer than the list", ours, nil, ns("\na") + ns("") + "4:30:a,", "", nil, ErrProtocol},
		{"huge", ours, nil, "99999999999:", "", nil, netstring.ErrTooLong},
	} {
		srv, q := newServer(t, tt.control)
		conn := receivetest.Says(tt.in)
		err := srv.ServeQMTP(conn, tt.env)
		check(t, tt.name, conn, q, err, tt.want, tt.bodies, tt.err)
	}
}

func TestLog(t *testing.T) {
	srv, _ := newServer(t, map[string]string{"rcpthosts": "test.example\n"})
	var log strings.Builder
	srv.Log = &receive.Log{Name: "qmail-qmtpd", Out: &log, Network: true}
	many := make([]string, 22)
	for i := range many {
		many[i] = "r" + strconv.Itoa(i) + "@test.example"
	}
	in := pack("\na", "s@example.org", "a@example.net", "r@test.example") + pack("\nrefuse", "", "x y@test.example") + pack("\na", "", many...)
	if err := srv.ServeQMTP(receivetest.Says(in), receive.Env{"TCPREMOTEIP": "192.0.2.7"}); err != nil {
		t.Fatal(err)
	}
	if err := srv.ServeQMQP(receivetest.Says(ns(ns("ab")+ns("s")+ns("r"))), nil); err != nil {
		t.Fatal(err)
	}
	want := "qmail-qmtpd: refused from <s@example.org> to <a@example.net> client 192.0.2.7 reply Dsorry,_that_domain_isn't_in_my_list_of_allowed_rcpthosts_(#5.7.1)\n" +
		"qmail-qmtpd: accepted qp 4321 bytes 1 from <s@example.org> to <r@test.example> client 192.0.2.7\n" +
		"qmail-qmtpd: refused from <> to <x_y@test.example> client 192.0.2.7 reply Dno\n" +
		"qmail-qmtpd: accepted qp 4321 bytes 1 from <> to <" + strings.Join(many[:20], "> <") + "> and 2 more client 192.0.2.7\n" +
		"qmail-qmtpd: accepted qp 4321 bytes 2 from <s> to <r> client unknown\n"
	if log.String() != want {
		t.Errorf("got %s\nwant %s", log.String(), want)
	}
}

func TestOpen(t *testing.T) {
	srv, q := newServer(t, nil)
	srv.Open = true
	conn := receivetest.Says(pack("\na", "", "a@example.net"))
	check(t, "open", conn, q, srv.ServeQMTP(conn, nil), accepted, []string{"a"}, nil)
}

func TestQMQP(t *testing.T) {
	one := func(message, sender string, to ...string) string {
		all := ns(message) + ns(sender)
		for _, addr := range to {
			all += ns(addr)
		}
		return ns(all)
	}
	for _, tt := range []struct {
		name, in, want string
		bodies         []string
		err            error
	}{
		{"a message", one("a\r\nb\n", "s@example.org", "r@example.net", "x"), accepted, []string{"a\r\nb\n"}, nil},
		{"nobody", one("a", "s"), accepted, []string{"a"}, nil},
		{"bad recipient", one("a", "s", "r", "x\x00"), ns(replyAddress), nil, nil},
		{"empty recipient", one("a", "s", ""), ns(replyAddress), nil, nil},
		{"bad sender", one("a", "s\x00", "r"), ns(replyAddress), nil, nil},
		{"refused", one("refuse", "s", "r"), "3:Dno,", nil, nil},
		{"cut off", one("a", "s", "r")[:8], "", nil, nil},
		{"end", strings.TrimSuffix(one("a", "s", "r"), ",") + "!", "", nil, ErrProtocol},
		{"inner longer", "20:30:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "", nil, ErrProtocol},
		{"no number", "x:", "", nil, ErrProtocol},
		{"huge", "30000000000:", "", nil, netstring.ErrTooLong},
		{"empty", "0:,", "", nil, ErrProtocol},
	} {
		srv, q := newServer(t, nil)
		conn := receivetest.Says(tt.in)
		check(t, tt.name, conn, q, srv.ServeQMQP(conn, nil), tt.want, tt.bodies, tt.err)
	}
}

func check(t *testing.T, name string, conn *receivetest.Conn, q *receivetest.Queue, err error, want string, bodies []string, wantErr error) {
	t.Helper()
	if got := conn.Out.String(); got != want || !errors.Is(err, wantErr) {
		t.Errorf("%s: %q, %v, want %q, %v", name, got, err, want, wantErr)
	}
	if len(q.Messages) != len(bodies) || q.Begun != q.Ended {
		t.Errorf("%s: queued %d messages, want %d; begun %d, ended %d", name, len(q.Messages), len(bodies), q.Begun, q.Ended)
		return
	}
	for i, body := range bodies {
		if got := q.Messages[i].Body(); got != body {
			t.Errorf("%s: queued %q, want %q", name, got, body)
		}
	}
}

// FuzzQMTP has a client send anything. It is answered by netstrings, and no
// message begins that does not end.
func FuzzQMTP(f *testing.F) {
	f.Add(pack("\na", "s", "r@test.example"))
	f.Add(pack("\ra\r\n", "s", "r@test.example", "x\x00") + "5:\n")
	f.Add("2:\na,1:s,4:30:a,,")
	srv, q := newServer(f, map[string]string{"rcpthosts": "test.example\n"})
	f.Fuzz(func(t *testing.T, in string) {
		*q = receivetest.Queue{}
		conn := receivetest.Says(in)
		srv.ServeQMTP(conn, nil)
		srv.ServeQMQP(receivetest.Says(in), nil)
		if q.Begun != q.Ended {
			t.Errorf("%q: %d messages begun, %d ended", in, q.Begun, q.Ended)
		}
		for out := conn.Out.String(); out != ""; {
			digits, rest, ok := strings.Cut(out, ":")
			n, err := strconv.Atoi(digits)
			if !ok || err != nil || n >= len(rest) || rest[n] != ',' || !strings.Contains("KZD", rest[:1]) {
				t.Fatalf("%q is answered %q", in, conn.Out.String())
			}
			out = rest[n+1:]
		}
	})
}
