package inject

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"goqmail/internal/fault"
)

// fakeQueue is a [Queue] that keeps what it gets.
type fakeQueue struct {
	bytes.Buffer
	envelope string
	failed   bool
	closed   bool
}

func (q *fakeQueue) From(sender string)  { q.envelope += "F" + sender }
func (q *fakeQueue) To(recipient string) { q.envelope += " T" + recipient }
func (q *fakeQueue) Fail()               { q.failed = true }
func (q *fakeQueue) Close() error        { q.closed = true; return nil }

// setup returns a home with control files, and a clock that stands still. Env
// holds pairs NAME=value.
func setup(t testing.TB, env ...string) Setup {
	t.Helper()
	home := t.TempDir()
	os.Mkdir(filepath.Join(home, "control"), 0o755)
	for name, line := range map[string]string{
		"me": "mx.test.example", "defaulthost": "box", "defaultdomain": "dom.example", "plusdomain": "plus.example", "idhost": "id.example",
	} {
		if err := os.WriteFile(filepath.Join(home, "control", name), []byte(line+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Setup{
		Home: home,
		Getenv: func(name string) (string, bool) {
			for _, pair := range slices.Concat(env, []string{"USER=ann"}) {
				if n, v, _ := strings.Cut(pair, "="); n == name {
					return v, true
				}
			}
			return "", false
		},
		Now: func() time.Time { return time.Date(2026, 11, 21, 18, 4, 7, 0, time.UTC) },
		PID: 77,
	}
}

// stamps are what a message without a header gets.
const stamps = "Date: 21 Nov 2026 18:04:07 -0000\nMessage-ID: <20261121180407.77.qmail@id.example>\nFrom: ann@box.dom.example\n"

// queue hands in a message. The error is what the user would be told.
func queue(t testing.TB, s Setup, message string, args ...string) (q *fakeQueue, told string) {
	t.Helper()
	q = &fakeQueue{}
	in, err := New(s)
	if err == nil {
		in.Recipients = Both
		err = in.AddRecipients(args)
	}
	if err == nil {
		err = in.Queue(strings.NewReader(message), func() (Queue, error) { return q, nil })
	}
	if err != nil {
		told, _ = Report(err)
	}
	return q, told
}

func TestQueue(t *testing.T) {
	for _, tt := range []struct {
		name     string
		env      []string
		message  string
		envelope string
		want     string
	}{
		{"nothing", nil, "", "Fann@box.dom.example", stamps + "Cc: recipient list not shown: ;\n"},
		{"recipients", nil, "To: b, c\nBcc: d\n\nx", "Fann@box.dom.example Tc@box.dom.example Tb@box.dom.example Td@box.dom.example",
			stamps + "To: b@box.dom.example, c@box.dom.example\n\nx\n"},
		{"no address is no recipient", nil, "To: <>, @x, b@c.d, .\n", "Fann@box.dom.example Tb@c.d",
			stamps + "To: <>, @x, b@c.d, .\n"},
		{"a broken list stays", nil, "To: a@b.c; d@e.f; g\n", "Fann@box.dom.example Tg@box.dom.example Td@e.f Ta@b.c",
			stamps + "To: a@b.c; d@e.f; g\n"},
		{"an unbalanced list names nobody", nil, "To: a@b.c (d\n", "Fann@box.dom.example", stamps + "To: a@b.c (d\n"},
		{"an open angle may be in From", nil, "From: Ann <ann@x.y\nTo: b@c.d\n", "Fann@box.dom.example Tb@c.d",
			strings.Split(stamps, "From")[0] + "From: Ann <ann@x.y\nTo: b@c.d\n"},
		{"name with a newline", []string{"QMAILNAME=Ann\nBcc: b"}, "To: c@d.e\n", "Fann@box.dom.example Tc@d.e",
			strings.Replace(stamps, "ann@box.dom.example", `"Ann Bcc: b" <ann@box.dom.example>`, 1) + "To: c@d.e\n"},
		{"id host with a newline", []string{"QMAILIDHOST=a\nBcc: b"}, "To: c@d.e\n", "Fann@box.dom.example Tc@d.e",
			strings.Replace(stamps, "id.example", "a_Bcc: b", 1) + "To: c@d.e\n"},
		{"host in brackets", []string{"QMAILHOST=[192.0.2.1]"}, "To: c@d.e\n", "Fann@[192.0.2.1] Tc@d.e",
			strings.Replace(stamps, "box.dom.example", "[192.0.2.1]", 1) + "To: c@d.e\n"},
		{"both VERPs", []string{"QMAILINJECT=rm"}, "To: c@d.e\n", "Fann-1795284247.77-@box.dom.example-@[] Tc@d.e", stamps + "To: c@d.e\n"},
		{"the null sender", nil, "Return-Path: <@a:>\nTo: c@d.e\n", "F Tc@d.e", stamps + "To: c@d.e\n"},
	} {
		q, told := queue(t, setup(t, tt.env...), tt.message)
		if told != "" || q.envelope != tt.envelope || q.String() != tt.want || q.failed || !q.closed {
			t.Errorf("%s: %q gives %q %q\n%s\nwant %q\n%s", tt.name, tt.message, told, q.envelope, q.String(), tt.envelope, tt.want)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		name    string
		env     []string
		message string
		arg     string
		told    string
		is      error
	}{
		{"NUL in a recipient", nil, "To: a, b\x00c@d.e\n", "x", "unable to parse this line:\nTo: a, b\x00c@d.e\n", ErrLine},
		{"NUL in a sender", nil, "Return-Path: \x00\n", "x", "unable to parse this line:\nReturn-Path: \x00\n", ErrLine},
		{"broken From", nil, "From: a>\n", "x", "unable to parse this line:\nFrom: a>\n", ErrLine},
		{"unbalanced From", nil, "From: a\n (\n", "x", "unable to parse this line:\nFrom: a\n (\n", ErrLine},
		{"unbalanced host", []string{"QMAILHOST=a("}, "", "x", "unable to parse this line:\nReturn-Path: ann@a(\n", ErrLine},
		{"unbalanced host of From", []string{"QMAILHOST=a(", "QMAILSHOST=b"}, "", "x", "unable to parse this line:\nFrom: ann@a(\n", ErrLine},
		{"no address", nil, "", "", "unable to parse address: \n", ErrAddress},
		{"unbalanced address", nil, "", "a@(", "unable to parse address: a@(\n", ErrAddress},
		{"control file", []string{"QMAILDEFAULTHOST=("}, "", "a", "unable to parse this line:\n@(", ErrLine},
		{"list of lists unreadable", []string{"QMAILMFTFILE=."}, "", "a", "read error\n", nil},
	} {
		in, err := New(setup(t, tt.env...))
		if err == nil {
			err = in.AddRecipients([]string{tt.arg})
		}
		if err == nil {
			in.Recipients = Both
			err = in.Queue(strings.NewReader(tt.message), func() (Queue, error) {
				t.Errorf("%s: the queue is opened", tt.name)
				return &fakeQueue{}, nil
			})
		}
		if err == nil {
			t.Errorf("%s: no error", tt.name)
			continue
		}
		told, code := Report(err)
		if told != tt.told || tt.is != nil && !errors.Is(err, tt.is) || (code == 100) != (tt.is != nil) {
			t.Errorf("%s: %d, %q, want %q", tt.name, code, told, tt.told)
		}
	}
}

func TestReport(t *testing.T) {
	for _, tt := range []struct {
		err  error
		text string
		code int
	}{
		{fault.Hard("no (#5.1.1)"), "no (#5.1.1)\n", 100},
		{fault.Soft("later", io.ErrUnexpectedEOF), "later\n", 111},
		{io.ErrUnexpectedEOF, "unexpected EOF\n", 111},
		{lineError("x"), "unable to parse this line:\nx", 100},
	} {
		if text, code := Report(tt.err); text != tt.text || code != tt.code {
			t.Errorf("Report(%v) = %q, %d, want %q, %d", tt.err, text, code, tt.text, tt.code)
		}
	}
}

func TestQueueTrouble(t *testing.T) {
	in, err := New(setup(t))
	if err != nil {
		t.Fatal(err)
	}
	err = in.Queue(strings.NewReader(""), func() (Queue, error) { return nil, errors.New("no processes") })
	if text, code := Report(err); text != "unable to run qmail-queue\n" || code != 111 {
		t.Errorf("without a queue: %q, %d", text, code)
	}
	q := &fakeQueue{}
	broken := io.MultiReader(strings.NewReader("To: a\n\nb"), iotest.ErrReader(errors.New("broken")))
	err = in.Queue(broken, func() (Queue, error) { return q, nil })
	if text, code := Report(err); text != "read error\n" || code != 111 || !q.failed || !q.closed || q.envelope != "" {
		t.Errorf("a body that cannot be read: %q, %d, %v, %v, %q", text, code, q.failed, q.closed, q.envelope)
	}
}

func TestHomeMissing(t *testing.T) {
	s := setup(t)
	s.Home = filepath.Join(s.Home, "none")
	if _, told := queue(t, s, ""); told != "internal bug\n" {
		t.Errorf("told %q", told)
	}
}

func TestPrint(t *testing.T) {
	in, err := New(setup(t, "QMAILNAME=Ann"))
	if err != nil {
		t.Fatal(err)
	}
	if err := in.SetSender("a\nb@far"); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := in.Print(strings.NewReader("Resent-To: b\n\nc"), &out); err != nil {
		t.Fatal(err)
	}
	want := "Return-Path: <\"a\\_b\"@far.dom.example>\nResent-Date: 21 Nov 2026 18:04:07 -0000\n" +
		"Resent-Message-ID: <20261121180407.77.qmail@id.example>\nResent-From: \"Ann\" <ann@box.dom.example>\n" +
		"Resent-To: b@box.dom.example\n\nc\n"
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
	if err := in.Print(strings.NewReader("To: b\n\nc"), failingWriter{}); err == nil {
		t.Error("no error when it cannot be printed")
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("full") }

// TestInjectorStays takes several messages at the same time.
func TestInjectorStays(t *testing.T) {
	in, err := New(setup(t))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string)
	for _, to := range []string{"b", "c", "d"} {
		go func() {
			q := &fakeQueue{}
			if err := in.Queue(strings.NewReader("Return-Path: "+to+"\nTo: "+to+"\n"), func() (Queue, error) { return q, nil }); err != nil {
				t.Error(err)
			}
			done <- q.envelope
		}()
	}
	var got []string
	for range 3 {
		got = append(got, <-done)
	}
	slices.Sort(got)
	want := []string{"Fb@box.dom.example Tb@box.dom.example", "Fc@box.dom.example Tc@box.dom.example", "Fd@box.dom.example Td@box.dom.example"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPolicy(t *testing.T) {
	for _, tt := range []struct {
		name    string
		policy  Policy
		message string
		told    string
		want    string // the last fields
	}{
		{"fields are written anew", Policy{}, "To: A. B. C <a@b.c>\n", "", "To: A.B.C <a@b.c>\n"},
		{"nobody", Policy{RefuseNobody: true}, "To: a: ;\n", "no recipients\n", ""},
		{"nobody resent to", Policy{RefuseNobody: true}, "To: a\nResent-To: b: ;\n", "no recipients\n", ""},
		{"somebody", Policy{RefuseNobody: true}, "To: a@b.c\n", "", "To: a@b.c\n"},
		{"exactly as it came", Policy{Exact: true}, "To:  A. B. C <a@b.c>,\n\td@e.f\n", "", "To:  A. B. C <a@b.c>,\n\td@e.f\n"},
	} {
		s := setup(t)
		s.Policy = tt.policy
		q, told := queue(t, s, tt.message)
		if told != tt.told || !strings.HasSuffix(q.String(), tt.want) {
			t.Errorf("%s: %q gives %q and\n%s\nwant %q and\n%s", tt.name, tt.message, told, q.String(), tt.told, tt.want)
		}
	}
}

func TestSizeLimit(t *testing.T) {
	in, err := New(setup(t))
	if err != nil {
		t.Fatal(err)
	}
	in.limit = 400 // which the rewritten header is beyond
	for _, name := range []string{"To", "Bcc", "X"} {
		message := name + ": " + strings.Repeat("b,", 30) + "\n"
		err := in.Queue(strings.NewReader(message), func() (Queue, error) { return &fakeQueue{}, nil })
		if name == "X" {
			if err != nil {
				t.Errorf("%q: %v", message, err)
			}
			continue
		}
		if text, code := Report(errors.Join(err)); text != "message header too long\n" || code != 100 {
			t.Errorf("%q: %q, %d", message, text, code)
		}
	}
}
