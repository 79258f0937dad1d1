package workers

import (
	"sync"
	"sync/atomic"
	"testing"
)

// TestPool has functions that wait for each other, so that none may wait for its turn,
// and some that come when others have ended.
func TestPool(t *testing.T) {
	for _, idle := range []int{0, 1, 8} {
		p := New(idle)
		var done atomic.Int32
		for range 50 {
			var both sync.WaitGroup
			both.Add(2)
			for range 2 {
				p.Go(func() {
					both.Done()
					both.Wait()
					done.Add(1)
				})
			}
			both.Wait()
		}
		p.End()
		if n := done.Load(); n != 100 {
			t.Errorf("%d idle: %d of 100 functions have run", idle, n)
		}
	}
}
