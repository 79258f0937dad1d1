package send

import (
	"errors"
	"io"
	"testing"
)

// broken fails to write.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken") }

// A spawner that nothing can be written to is lost, although it goes on waiting.
func TestLaneCannotWrite(t *testing.T) {
	from, spawner := io.Pipe()
	l := newLane(local, 1, false)
	died := make(chan struct{}, 2)
	ended := make(chan struct{})
	go func() {
		l.run(Spawner{To: broken{}, From: from}, func([]outcome) {}, func() { died <- struct{}{} })
		close(ended)
	}()
	l.requests <- []byte("request")
	<-died
	spawner.Close()
	<-ended
	if len(died) > 0 {
		t.Error("it dies twice")
	}
}
