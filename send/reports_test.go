package send

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"goqmail/internal/durable"
	"goqmail/queue"
)

// BenchmarkPutBack is what is written down at the end of a pass that has deferred
// some recipients: nothing but the time of the next try, with a report that says
// nothing new, and with a new one.
func BenchmarkPutBack(b *testing.B) {
	for _, name := range []string{"time alone", "same report", "new report"} {
		b.Run(name, func(b *testing.B) {
			w := benchQueue(b)
			s := &Server{q: w, log: &logger{w: io.Discard}}
			for i := range b.N {
				s.saveTime(queue.Remote, 7, time.Unix(int64(i), 0))
				switch name {
				case "same report":
					s.saveReports(queue.Remote, 7, queue.Reports{0: "Connected to 192.0.2.1 but greeting failed.\n"})
				case "new report":
					s.saveReports(queue.Remote, 7, queue.Reports{0: fmt.Sprintf("Connected to 192.0.2.1 but greeting failed: %d.\n", i)})
				}
			}
		})
	}
}

// benchQueue is a queue with recipients of message 7.
func benchQueue(b *testing.B) *queue.Queue {
	folder := filepath.Join(b.TempDir(), "queue")
	if err := queue.Make(folder, 3); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "remote/1/7"), []byte("Tbob@far.example\x00"), 0o600); err != nil {
		b.Fatal(err)
	}
	q, err := queue.Open(durable.NewDir(folder))
	if err != nil {
		b.Fatal(err)
	}
	return q
}
