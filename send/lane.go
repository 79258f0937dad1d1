package send

import (
	"sync"

	"goqmail/queue"
)

// delivery is one recipient in a spawner's hands.
type delivery struct {
	id        uint64 // in the log
	job       *job
	recipient queue.Recipient
	to        *destination
	began     int64 // Unix time, seconds
}

// lane is the state of one channel.
type lane struct {
	ch        channel
	wire      wire
	announced int // what the spawner takes at a time
	limit     int // deliveries at a time
	used      int // deliveries under way
	dead      bool

	waiting entries // messages with recipients on this channel
	ready   jobQueue
	opening int // jobs whose first recipients are being read

	destinations destinations

	places   []*delivery // by number; nil where there is none
	free     []int       // numbers that were given back
	asking   []byte      // requests that were not handed over yet
	requests chan []byte // never full: there is a place for each
}

func newLane(ch channel, places int, wide bool) *lane {
	l := &lane{ch: ch, wire: wire{wide}, announced: places, requests: make(chan []byte, places)}
	l.destinations.lane = l
	return l
}

// take finds a number for a delivery.
func (l *lane) take(d *delivery) (place int) {
	if n := len(l.free); n > 0 {
		place = l.free[n-1]
		l.free = l.free[:n-1]
		l.places[place] = d
	} else {
		place = len(l.places)
		l.places = append(l.places, d)
	}
	l.used++
	return place
}

// give returns the delivery with that number and takes the number back; nil if
// there is none.
func (l *lane) give(place int) *delivery {
	if place >= len(l.places) || l.places[place] == nil {
		return nil
	}
	d := l.places[place]
	l.places[place] = nil
	l.free = append(l.free, place)
	l.used--
	return d
}

// open reports whether another delivery may begin.
func (l *lane) open() bool { return !l.dead && l.used < l.limit }

// makeReady gives jobs that waited for a place their turn.
func (l *lane) makeReady(jobs []*job) {
	for _, j := range jobs {
		l.ready.push(j)
	}
}

// ask hands over the requests that have gathered, so that they are written at once.
func (l *lane) ask() {
	if len(l.asking) > 0 {
		l.requests <- l.asking
		l.asking = nil
	}
}

// run writes to and reads from a spawner until it goes away. It calls died, once, when
// it cannot be asked for anything any more.
func (l *lane) run(s Spawner, report func([]outcome), died func()) {
	gone := make(chan struct{})
	died = sync.OnceFunc(died)
	go func() {
		for {
			select {
			case r := <-l.requests:
				if _, err := s.To.Write(r); err != nil {
					died() // it may never get to the end of its input
					return
				}
			case <-gone:
				return
			}
		}
	}()
	l.wire.readReports(s.From, report)
	close(gone)
	died()
}
