package report

import (
	"bytes"
	"strings"
	"testing"

	"goqmail/internal/exitcode"
)

func TestAppendAndParse(t *testing.T) {
	tests := []struct {
		name   string
		report Report
		wire   string
	}{
		{"example", D("Sorry, no mailbox here by that name. (#5.1.1)\n"), "DSorry, no mailbox here by that name. (#5.1.1)\n"},
		{"success", K("did 0+0+1\n"), "Kdid 0+0+1\n"},
		{"no text", Z(""), "Z"},
		{"zero value is temporary", Report{}, "Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(tt.report.Append(nil)); got != tt.wire {
				t.Errorf("Append = %q, want %q", got, tt.wire)
			}
			if got, ok := Parse(tt.wire); got != tt.report || !ok {
				t.Errorf("Parse(%q) = %v, %v, want %v", tt.wire, got, ok, tt.report)
			}
		})
	}
	if got := string(K("seen\x00hidden").Append([]byte("\x07"))); got != "\x07Kseen" {
		t.Errorf("Append = %q, want it cut at the NUL", got)
	}
	for _, wire := range []string{"", "kok\n", "Qwhat", "\x00"} {
		if got, ok := Parse(wire); ok || got.Verdict != exitcode.Temporary {
			t.Errorf("Parse(%q) = %v, %v, want no report", wire, got, ok)
		}
	}
}

func read(output string) Report {
	var r Remote
	r.Write([]byte(output))
	return r.Report()
}

func TestRemote(t *testing.T) {
	tests := []struct {
		name, output, want string
	}{
		{"example", "r192.0.2.1 accepted recipient.\n\x00K192.0.2.1 accepted message.\n\x00", "K192.0.2.1 accepted recipient.\n192.0.2.1 accepted message.\n"},
		{"both refused", "hno box\n\x00Dnobody left\n\x00", "Dno box\nnobody left\n"},
		{"deferred, others accepted", "sgreylisted\n\x00Ktaken\n\x00", "Zgreylisted\n"},
		{"refused, others accepted", "hno\n\x00Ktaken\n\x00", "Dno\n"},
		{"refused, message deferred", "hno\n\x00Zbusy\n\x00", "Dno\n"},
		{"deferred, message deferred", "sgrey\n\x00Zbusy\n\x00", "Zgrey\nbusy\n"},
		{"deferred, message refused", "sgrey\n\x00Dno\n\x00", "Zgrey\nno\n"},
		{"accepted, message deferred", "rok\n\x00Zlater\n\x00", "Zok\nlater\n"},
		{"accepted, message refused", "rok\n\x00Dspam\n\x00", "Dok\nspam\n"},
		{"message alone", "Zno connection. (#4.4.1)\n\x00", "Zno connection. (#4.4.1)\n"},
		{"message alone, accepted", "Kfine\n\x00", "Kfine\n"},
		{"message twice", "Zone\n\x00Dtwo\n\x00", "Zone\ntwo\n"},
		{"several recipients", "rone\n\x00htwo\n\x00sthree\n\x00Kdone\n\x00", "Kone\n"},
		{"no record of the message", "ronly this\n\x00", "Donly this\n"},
		{"no record of the message, deferred", "sonly this\n\x00", "Zonly this\n"},
		{"no NUL", "rtext", "D"},
		{"second record without NUL", "rok\n\x00Kfine", "Dok\nfine"},
		{"nothing", "", "D"},
		{"NULs only", "\x00\x00\x00", "D"},
		{"NUL first", "\x00Kfine\n\x00", "KKfine\n"},
		{"empty texts", "r\x00K\x00", "K"},
		{"8 bit", "r\xc3\xbc\xff\n\x00Z\x01\x80\n\x00", "Z\xc3\xbc\xff\n\x01\x80\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(read(tt.output).Append(nil)); got != tt.want {
				t.Errorf("%q is reported as %q, want %q", tt.output, got, tt.want)
			}
		})
	}
}

func TestRemoteIsBounded(t *testing.T) {
	var r Remote
	long := bytes.Repeat([]byte("x"), MaxText)
	if !r.Empty() {
		t.Error("nothing was written, yet it is not empty")
	}
	for _, s := range []string{"r", "\x00K", "\x00", "\x00s"} {
		r.Write([]byte(s))
		for range 10 {
			r.Write(long)
		}
	}
	if got := r.Report(); got.Verdict != exitcode.Success || len(got.Text) != 2*MaxText-1 {
		t.Errorf("got a report of %d bytes, %v, want two texts cut at %d", len(got.Text), got.Verdict, MaxText)
	}
	if r.Empty() {
		t.Error("much was written, yet it is empty")
	}
}

// FuzzRemote compares with a description of the same over the whole output.
func FuzzRemote(f *testing.F) {
	f.Add("r1\x00K2\x00", 3)
	f.Add("\x00Z\x00", 1)
	f.Add("sgrey\x00Dno", 0)
	f.Fuzz(func(t *testing.T, output string, cut int) {
		if len(output) > MaxText {
			return
		}
		var r Remote
		cut = max(0, min(cut, len(output)))
		r.Write([]byte(output[:cut]))
		r.Write([]byte(output[cut:]))
		got := string(r.Report().Append(nil))
		if want := describe(output); got != want {
			t.Errorf("%q is reported as %q, want %q", output, got, want)
		}
		if _, ok := Parse(got); !ok || strings.Contains(got, "\x00") {
			t.Errorf("%q is reported as %q, which is no report", output, got)
		}
	})
}

func describe(output string) string {
	message := "D"
	records := strings.Split(output, "\x00")
	for _, record := range records[:len(records)-1] {
		if record != "" && strings.Contains("KZD", record[:1]) {
			message = record[:1]
			break
		}
	}
	letter := message
	if strings.HasPrefix(output, "s") {
		letter = "Z"
	} else if strings.HasPrefix(output, "h") {
		letter = "D"
	}
	if output == "" {
		return letter
	}
	text, rest, ok := strings.Cut(output[1:], "\x00")
	if !ok {
		return letter
	}
	next, _, _ := strings.Cut(rest, "\x00")
	order := "DZK"
	if next != "" && strings.Contains(order, next[:1]) && strings.Index(order, message) <= strings.Index(order, letter) {
		text += next[1:]
	}
	return letter + text
}
