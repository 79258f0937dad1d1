package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestSourceToSink(t *testing.T) {
	for name, tt := range map[string]struct{ connections, messages, recipients int }{
		"one":                     {1, 1, 1},
		"several":                 {4, 50, 1},
		"more than a connection":  {1, perConnection + 1, 1},
		"more than a window":      {1, 1, 3*window + 1},
		"fewer than there may be": {10, 3, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSink()
			s.skip = "@none.test"
			l, err := s.listen("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			_, err = submit(l.Addr().String(), tt.connections, load{messages: tt.messages}, func(i int) envelope {
				to := []string{"skipped@none.test"}
				for range tt.recipients {
					to = append(to, fmt.Sprintf("r%d@there.test", i))
				}
				return envelope{from, to}
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.wait(tt.messages*tt.recipients, time.Minute); err != nil {
				t.Error(err)
			}
			if n := int(s.connected.Load()); n > max(tt.connections, tt.messages/perConnection+1) {
				t.Errorf("%d connections were made", n)
			}
		})
	}
}

func TestSourceWithoutServer(t *testing.T) {
	s := newSink()
	l, err := s.listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := submit(l.Addr().String(), 3, load{messages: 100}, func(int) envelope { return envelope{from, []string{"r@there.test"}} }); err == nil {
		t.Error("no error without a server")
	}
}

func TestArrivals(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "moved")
	a, err := watch([]string{dir})
	if err != nil {
		t.Skip("no inotify: ", err)
	}
	for _, name := range []string{filepath.Join(dir, "made"), outside} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(outside, filepath.Join(dir, "moved")); err != nil {
		t.Fatal(err)
	}
	if err := await(a.arrived, 2, time.Minute); err != nil {
		t.Error(err)
	}
}

// events are what inotify(7) gives for files with names of that length.
func events(sizes ...int) (buf []byte) {
	for _, size := range sizes {
		head := make([]byte, 16+size)
		binary.NativeEndian.PutUint32(head[12:], uint32(size))
		buf = append(buf, head...)
	}
	return buf
}

func FuzzCountEvents(f *testing.F) {
	f.Add(events(16, 0, 64))
	f.Add(events(16)[:20])
	f.Fuzz(func(t *testing.T, buf []byte) {
		if n := countEvents(buf); n < 0 || n > len(buf)/16 {
			t.Errorf("countEvents(%q) = %d", buf, n)
		}
	})
}

func TestCountEvents(t *testing.T) {
	if n := countEvents(events(16, 0, 64)); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
	if n := countEvents(events(16, 16)[:40]); n != 1 {
		t.Errorf("%d events before one that is cut, want 1", n)
	}
}
