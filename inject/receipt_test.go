package inject

import (
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"goqmail/internal/fault"
)

func TestReadReceipt(t *testing.T) {
	const notice = "Notice-Requested-Upon-Delivery-To: "
	for _, tt := range []struct {
		name, message string
		want          Receipt
		err           string
	}{
		{"asked", notice + "ann@test.example\nMessage-ID: <1@x>\n\nb\n", Receipt{Asked: true, MessageID: "Message-ID: <1@x>\n"}, ""},
		{"whatever the case of the name", "notice-REQUESTED-upon-delivery-to : ann@test.example\n", Receipt{Asked: true}, ""},
		{"in a list", notice + "bob@test.example, Ann <ann@test.example>\n", Receipt{Asked: true}, ""},
		{"in a group", notice + "us: bob@test.example, ann@test.example;\n", Receipt{Asked: true}, ""},
		{"quoted", notice + "\"ann\"@test.example (Ann)\n", Receipt{Asked: true}, ""},
		{"second field", notice + "bob\n" + notice + "ann@test.example\n", Receipt{Asked: true}, ""},
		{"other case", notice + "Ann@test.example\n", Receipt{}, ""},
		{"not completed", notice + "ann\n", Receipt{}, ""},
		{"with a route", notice + "<@hub.example:ann@test.example>\n", Receipt{}, ""},
		{"in the body", "Subject: x\n\n" + notice + "ann@test.example\n", Receipt{}, ""},
		{"empty", notice + "\n", Receipt{}, ""},
		{"last Message-ID", "Message-ID: <1@x>\nmessage-id:\n <2@x>\n\n", Receipt{MessageID: "message-id:\n <2@x>\n"}, ""},
		{"long Message-ID", "Message-ID: <" + strings.Repeat("x", maxMessageID) + ">\n\n", Receipt{}, ""},
		{"unbalanced", notice + "ann@test.example (x\n y\n\nb\n", Receipt{}, "unable to parse this: " + notice + "ann@test.example (x\n y"},
		{"bad group", notice + "a; b; c\n", Receipt{}, "unable to parse this: " + notice + "a; b; c"},
		{"header too long", notice + "ann@test.example\nX: " + strings.Repeat("x", MaxHeader), Receipt{Asked: true}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ReadReceipt(strings.NewReader(tt.message), "ann@test.example")
			if tt.err != "" {
				if !fault.IsPermanent(err) || err.Error() != tt.err {
					t.Errorf("fails with %v, want %q", err, tt.err)
				}
				return
			}
			tt.want.Address = "ann@test.example"
			if err != nil || *got != tt.want {
				t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

func TestReadReceiptError(t *testing.T) {
	in := io.MultiReader(strings.NewReader("Subject: x\n"), iotest.ErrReader(syscall.EIO))
	if _, err := ReadReceipt(in, "x"); err == nil || fault.IsPermanent(err) {
		t.Errorf("got %v", err)
	}
}

func TestNotice(t *testing.T) {
	r := Receipt{Address: "ann@test.example", MessageID: "Message-ID: <1@x>\n"}
	want := `From: DELIVERY NOTICE SYSTEM <"a_Bcc: b"@remote.example>
To: <"a_Bcc: b"@remote.example>
Subject: success notice

Hi! This is the qreceipt program. Your message was delivered to the
following address: ann@test.example. Thanks for asking.
Your Message-ID: <1@x>
`
	got := r.Notice("a\nBcc: b@remote.example")
	if got = strings.ReplaceAll(got, `\_`, "_"); got != want {
		t.Errorf("got %s", got)
	}
}

// A header that asks for a notice still does with a field more.
func FuzzReadReceipt(f *testing.F) {
	f.Add("Subject: x\n", "ann@test.example")
	f.Add("Message-ID: <1@x>\nNotice-Requested-Upon-Delivery-To: a; (\n", "a b@c")
	f.Fuzz(func(t *testing.T, header, addr string) {
		r, err := ReadReceipt(strings.NewReader(header), addr)
		if err != nil {
			return
		}
		if notice := r.Notice(addr); strings.Contains(strings.SplitN(notice, "\n\n", 2)[0], "\r") || strings.Count(strings.SplitN(notice, "\n\n", 2)[0], "\n") != 2 {
			t.Errorf("the notice to %q begins %q", addr, notice)
		}
		again, err := ReadReceipt(strings.NewReader("Subject: y\n"+header), addr)
		if err != nil || *again != *r {
			t.Errorf("%+v becomes %+v, %v", r, again, err)
		}
	})
}
