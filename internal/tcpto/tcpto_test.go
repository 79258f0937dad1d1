package tcpto

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	v4  = netip.MustParseAddr("192.0.2.1")
	v6  = netip.MustParseAddr("2001:db8::25")
	now = time.Unix(1000000000, 0)
)

func file(t testing.TB, data string) File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tcpto")
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
	return File{path}
}

func contents(t testing.TB, f File) []byte {
	t.Helper()
	data, err := os.ReadFile(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestExample is the example of the package documentation.
func TestExample(t *testing.T) {
	want, _ := hex.DecodeString(strings.ReplaceAll("c0 00 02 01  02 00 00 00  00 ca 9a 3b  00 00 00 00", " ", ""))
	f := file(t, string(make([]byte, oldSize)))
	check(t, f.TimedOut(v4, now.Add(-time.Hour)))
	check(t, f.TimedOut(v4, now))
	got := contents(t, f)
	if !bytes.Equal(got[:oldSlot], want) {
		t.Errorf("record is %x, want %x", got[:oldSlot], want)
	}
	if len(got) != oldSize || !bytes.Equal(got[oldSlot:], make([]byte, oldSize-oldSlot)) {
		t.Errorf("one timeout changed more than its record")
	}
	e, ok, err := f.Lookup(v4)
	if want := (Entry{v4, 2, now}); e != want || !ok || err != nil {
		t.Errorf("Lookup gives %v, %v, %v, want %v", e, ok, err, want)
	}
}

func TestBlocks(t *testing.T) {
	tests := []struct {
		name   string
		count  int
		ago    time.Duration
		jitter int
		want   bool
	}{
		{"one timeout", 1, time.Second, 0, false},
		{"two just now", 2, 0, 0, true},
		{"within the hour", 2, 3839 * time.Second, 0, true},
		{"after it", 2, 3840 * time.Second, 0, false},
		{"later for others", 9, 3840 * time.Second, 31, true},
		{"an hour and a half at most", 10, 91 * 64 * time.Second, 31, false},
		{"a clock that was set back", 10, -time.Hour, 0, false},
		{"jitter out of range", 2, 60 * 64 * time.Second, 32, false},
	}
	for _, tt := range tests {
		e := Entry{v4, tt.count, now.Add(-tt.ago)}
		if got := e.Blocks(now, tt.jitter); got != tt.want {
			t.Errorf("%s: Blocks is %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestCounting(t *testing.T) {
	for _, addr := range []netip.Addr{v4, v6} {
		f := file(t, "")
		steps := []struct {
			name  string
			after time.Duration
			want  int
		}{
			{"first", 0, 1},
			{"at the same time", 119 * time.Second, 1},
			{"two minutes later", 120 * time.Second, 2},
			{"at the same time as that", 130 * time.Second, 2},
			{"later", 10 * time.Hour, 3},
		}
		for _, s := range steps {
			check(t, f.TimedOut(addr, now.Add(s.after)))
			if e, _, _ := f.Lookup(addr); e.Count != s.want {
				t.Errorf("%v, %s: count is %d, want %d", addr, s.name, e.Count, s.want)
			}
		}
		for i := range 20 {
			check(t, f.TimedOut(addr, now.Add(time.Duration(20+i)*time.Hour)))
		}
		if e, _, _ := f.Lookup(addr); e.Count != 10 {
			t.Errorf("%v: count goes to %d, want 10", addr, e.Count)
		}
		check(t, f.Answered(addr))
		if e, ok, _ := f.Lookup(addr); ok {
			t.Errorf("%v: after an answer there is still %v", addr, e)
		}
		check(t, f.TimedOut(addr, now.Add(100*time.Hour)))
		if e, _, _ := f.Lookup(addr); e.Count != 1 {
			t.Errorf("%v: after an answer the next timeout counts %d, want 1", addr, e.Count)
		}
	}
}

func TestMissingFile(t *testing.T) {
	f := File{filepath.Join(t.TempDir(), "none")}
	check(t, f.TimedOut(v4, now))
	check(t, f.Answered(v4))
	if _, ok, err := f.Lookup(v4); ok || err != nil {
		t.Errorf("Lookup without a file gives %v, %v", ok, err)
	}
	if _, err := f.Entries(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Entries without a file gives %v, want ErrNotExist", err)
	}
	if err := f.Clear(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Clear without a file gives %v, want ErrNotExist", err)
	}
}

func TestPieceOfARecord(t *testing.T) {
	record := "\xc0\x00\x02\x01\x04\x00\x00\x00\x00\xca\x9a\x3b\x00\x00\x00\x00"
	f := file(t, record+record[:12])
	all, err := f.Entries()
	if err != nil || len(all) != 1 || all[0] != (Entry{v4, 4, now}) {
		t.Errorf("Entries gives %v, %v", all, err)
	}
	check(t, f.TimedOut(v6, now))
	if all, _ := f.Entries(); len(all) != 2 {
		t.Errorf("a piece of a record becomes one when the table grows: %v", all)
	}
}

func nth(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }

// TestFull fills both parts; the file stops growing and loses the oldest.
func TestFull(t *testing.T) {
	f := file(t, "")
	total := oldSize/oldSlot + newSlots
	for i := range total {
		check(t, f.TimedOut(nth(i), now.Add(time.Duration(i)*time.Second)))
	}
	if size := len(contents(t, f)); size != mostSize {
		t.Errorf("%d addresses take %d bytes, want %d", total, size, mostSize)
	}
	check(t, f.TimedOut(nth(total), now.Add(time.Hour)))
	if _, ok, _ := f.Lookup(nth(0)); ok {
		t.Error("a full table keeps the oldest address")
	}
	check(t, f.TimedOut(v6, now.Add(time.Hour)))
	if _, ok, _ := f.Lookup(nth(oldSize / oldSlot)); ok {
		t.Error("an IPv6 address does not take the place of the oldest one of the second part")
	}
	for _, addr := range []netip.Addr{nth(1), nth(total - 1), nth(total), v6} {
		if _, ok, _ := f.Lookup(addr); !ok {
			t.Errorf("%v is lost", addr)
		}
	}
	if all, _ := f.Entries(); len(all) != total {
		t.Errorf("%d entries, want %d", len(all), total)
	}
	check(t, f.Clear())
	if data := contents(t, f); !bytes.Equal(data, make([]byte, oldSize)) {
		t.Errorf("Clear leaves %d bytes, want %d zeros", len(data), oldSize)
	}
}

func TestTogether(t *testing.T) {
	f := file(t, "")
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := f.TimedOut(nth(i), now); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	if all, _ := f.Entries(); len(all) != 100 {
		t.Errorf("%d of 100 concurrent timeouts are in the table", len(all))
	}
}

// FuzzTable: whatever the file holds, one more address can be put in and found,
// and every other entry stays, but for one that had to make room.
func FuzzTable(f *testing.F) {
	f.Add([]byte{}, []byte{192, 0, 2, 1})
	f.Add(make([]byte, oldSize), []byte(v6.AsSlice()))
	f.Add(bytes.Repeat([]byte{1}, oldSize+100), []byte{1, 1, 1, 1})
	f.Add(bytes.Repeat([]byte{0xff}, mostSize+5), []byte{1, 1, 1, 1})
	f.Fuzz(func(t *testing.T, data, address []byte) {
		addr, ok := netip.AddrFromSlice(address)
		if !ok {
			return
		}
		tab := parse(bytes.Clone(data))
		before := map[string]int{}
		for _, s := range tab.slots() {
			before[fmt.Sprint(s.size, tab.entry(s))]++
		}
		s, found := tab.find(addr)
		if !found {
			s = tab.room(addr)
		}
		want := Entry{addr.Unmap(), 3, now}
		tab.set(s, want)
		if got := tab.entry(s); got != want {
			t.Fatalf("set %v, read back %v", want, got)
		}
		if s, ok := tab.find(addr); !ok || tab.entry(s).Count == 0 {
			t.Fatalf("%v is not found", addr)
		}
		lost := 0
		for _, s := range tab.slots() {
			before[fmt.Sprint(s.size, tab.entry(s))]--
		}
		for _, n := range before {
			lost += max(n, 0)
		}
		if lost > 1 || len(tab.data) > mostSize {
			t.Fatalf("%d records lost, %d bytes", lost, len(tab.data))
		}
	})
}
