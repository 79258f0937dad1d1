package bounce

import (
	"strings"
	"testing"
)

func TestStatus(t *testing.T) {
	for _, tt := range []struct{ report, failed, delayed string }{
		{"Sorry, no mailbox here by that name. (#5.1.1)\n", "5.1.1", "4.0.0"},
		{"Sorry. (#4.4.1)\nI'm not going to try again; this message has been in the queue too long.\n", "4.4.1", "4.4.1"},
		{"192.0.2.1 does not like recipient.\nRemote host said: 550 5.1.1 no\nGiving up on 192.0.2.1.\n", "5.1.1", "4.0.0"},
		{"Remote host said: 550-5.1.1 one\n550 5.1.10 two\n", "5.1.1", "4.0.0"},
		{"Remote host said: 450 4.2.0 greylisted (#5.7.1)\n", "5.7.1", "4.2.0"},
		{"(#5.3.0) Remote host said: 554 5.7.1 spam\n", "5.7.1", "4.0.0"},
		{"5.2.2 over quota", "5.2.2", "4.0.0"},
		{"over quota (5.2.2)", "5.2.2", "4.0.0"},
		{"#5.7.26", "5.7.26", "4.0.0"},
		{"code 5.7.1.", "5.7.1", "4.0.0"},
		{"Remote host said: 550 no such user", "5.0.0", "4.0.0"},
		{"", "5.0.0", "4.0.0"},
		{"Connected to 5.1.1.3 but 5.1.1.4 4.1.1.1", "5.0.0", "4.0.0"},
		{"550 5.1.1.7 is listed; see #5.7.1", "5.7.1", "4.0.0"},
		{"15.1.1 5.1.1111 5..1 5.1 5.1.x 5.1.1x 5.1.1-2 v5.1.1 x#", "5.0.0", "4.0.0"},
		{"250 2.1.5 ok", "5.0.0", "4.0.0"},
		{"550 4.7.1 odd", "4.7.1", "4.7.1"},
		{"1550 5.7.1 and #5.3.3", "5.3.3", "4.0.0"},
	} {
		if got := Status(tt.report, true); got != tt.failed {
			t.Errorf("Status(%q, true) = %s, want %s", tt.report, got, tt.failed)
		}
		if got := Status(tt.report, false); got != tt.delayed {
			t.Errorf("Status(%q, false) = %s, want %s", tt.report, got, tt.delayed)
		}
	}
}

// FuzzStatus checks that a status is always a code that is in the report, or the
// default.
func FuzzStatus(f *testing.F) {
	f.Add("Remote host said: 550-5.1.1 no (#5.0.0)", true)
	f.Fuzz(func(t *testing.T, report string, permanent bool) {
		got := Status(report, permanent)
		if got != "5.0.0" && got != "4.0.0" && !strings.Contains(report, got) {
			t.Errorf("Status(%q) = %s, which is not there", report, got)
		}
		if codeAt(got) != got || !permanent && got[0] != '4' {
			t.Errorf("Status(%q, %v) = %s", report, permanent, got)
		}
	})
}
