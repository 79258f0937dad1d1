package spawn

import (
	"runtime"
	"sync"
)

// How many processors and threads a spawner uses. What it does on a thread is
// short: one reads commands, one writes an answer, one starts a child, since
// children are started one after the other.
const (
	processors = 4
	threads    = processors + 10
)

// ReserveThreads has the runtime make all the threads that a spawner needs. Made
// later, when the host or the user has no more processes to give, a thread that is
// missing would end the program and lose the answers for what is under way.
func ReserveThreads() {
	runtime.GOMAXPROCS(min(processors, runtime.GOMAXPROCS(0)))
	var all, out sync.WaitGroup
	all.Add(threads)
	for range threads {
		out.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			all.Done()
			all.Wait()
		})
	}
	out.Wait()
}
