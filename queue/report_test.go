package queue

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goqmail/internal/durable"
)

func newReportQueue(t *testing.T) (*Queue, string) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "queue")
	if err := Make(folder, 3); err != nil {
		t.Fatal(err)
	}
	q, err := Open(durable.NewDir(folder))
	if err != nil {
		t.Fatal(err)
	}
	return q, folder
}

// The example of the package documentation.
const exampleReports = "R0 CNAME lookup failed temporarily. (#4.4.3)\n\x00R17 Connected to 192.0.2.1 but greeting failed.\n\x00"

func TestReports(t *testing.T) {
	q, folder := newReportQueue(t)
	file := filepath.Join(folder, "lock/send/remote/1/7")
	first := Reports{}
	first.Keep(17, "no answer\n")
	first.Keep(0, "CNAME lookup failed temporarily. (#4.4.3)\n")
	if err := q.MergeReports(Remote, 7, first); err != nil {
		t.Fatal(err)
	}
	second := Reports{17: "Connected to 192.0.2.1 but greeting failed.\n"}
	if err := q.MergeReports(Remote, 7, second); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(file); string(data) != exampleReports {
		t.Errorf("the file is %q, want %q", data, exampleReports)
	}
	if got := q.ReadReports(Remote, 7); got[17] != second[17] || len(got) != 2 {
		t.Errorf("got %v", got)
	}
	// What says nothing new is not written.
	long := time.Unix(1, 0)
	if err := os.Chtimes(file, long, long); err != nil {
		t.Fatal(err)
	}
	if err := q.MergeReports(Remote, 7, second); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(file); err != nil || !st.ModTime().Equal(long) {
		t.Errorf("the file was written again: %v, %v", st, err)
	}
	if got := q.ReadReports(Local, 7); len(got) != 0 {
		t.Errorf("reports about local recipients: %v", got)
	}
}

func TestReportsBounded(t *testing.T) {
	r := Reports{}
	for place := range int64(2 * MaxReports) {
		r.Keep(place, strings.Repeat("x\x00", MaxReport))
	}
	again := parseReports(strings.NewReader(string(r.bytes())))
	if len(r) != MaxReports || len(again) != MaxReports || again[0] != strings.Repeat("x_", MaxReport/2) {
		t.Errorf("%d reports, %d read again, the first %q", len(r), len(again), again[0])
	}
}

func FuzzReports(f *testing.F) {
	f.Add(exampleReports)
	f.Add("R0 a\x00R0 b\x00X1 c\x00R-1 d\x00R2")
	f.Fuzz(func(t *testing.T, data string) {
		r := parseReports(strings.NewReader(data))
		printed := string(r.bytes())
		if again := string(parseReports(strings.NewReader(printed)).bytes()); again != printed {
			t.Errorf("%q is read as %q, then as %q", data, printed, again)
		}
	})
}

func TestHold(t *testing.T) {
	for _, tt := range []struct {
		name string
		now  time.Time
	}{
		{"today", time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)},
		{"just before 2038", time.Date(2037, 6, 1, 0, 0, 0, 0, time.UTC)},
		{"after 2038", time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if !IsHeld(HoldTime(tt.now), tt.now) || IsHeld(tt.now.Add(90*24*time.Hour), tt.now) {
			t.Errorf("%s: held until %v", tt.name, HoldTime(tt.now))
		}
	}
	q, folder := newReportQueue(t)
	if err := q.SetDue(Local, 5, time.Now()); err != nil {
		t.Errorf("without a file: %v", err)
	}
	file := filepath.Join(folder, "local/2/5")
	if err := os.WriteFile(file, []byte("Tjoe@example.org\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	until := HoldTime(time.Now())
	if err := q.SetDue(Local, 5, until); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(file); err != nil || !st.ModTime().Equal(until) {
		t.Errorf("the time is %v, want %v", st.ModTime(), until)
	}
}
