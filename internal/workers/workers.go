// Package workers has goroutines that are used again. One begins with a small stack, and
// to make it larger is most of what a short piece of work costs; under load the next one
// finds a stack that is large enough.
package workers

import "sync"

// Pool runs functions, each beside the others. It has no limit: whoever uses it has one.
type Pool struct {
	next    chan func()
	places  chan struct{} // one for each goroutine that may wait for the next function
	running sync.WaitGroup
}

// New returns a pool of which so many goroutines stay when they have nothing to do.
func New(idle int) *Pool {
	return &Pool{next: make(chan func()), places: make(chan struct{}, idle)}
}

// Go runs a function, in a goroutine that is idle or in a new one.
func (p *Pool) Go(f func()) {
	select {
	case p.next <- f:
	default:
		p.running.Go(func() { p.work(f) })
	}
}

func (p *Pool) work(f func()) {
	for f != nil { // nil comes from a closed channel
		f()
		select {
		case p.places <- struct{}{}:
		default:
			return
		}
		f = <-p.next
		<-p.places
	}
}

// End waits until all is done. No function may be given to the pool from then on.
func (p *Pool) End() {
	close(p.next)
	p.running.Wait()
}
