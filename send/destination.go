package send

import (
	"strings"
	"time"

	"goqmail/internal/address"
)

// destinations sees to it that no destination gets more than its share of a channel's
// places, and that those that are dead or slow do not get all of them together. The
// destination of remote recipients is their host:
//
//	                              one host       all such hosts
//	fresh: no answer yet          a quarter      half
//	suspect: a slow deferral      an eighth      a quarter
//	proven: it has answered       what it takes  all
//
// An answer, be it a refusal, makes a host proven; a deferral that took long, or a
// delivery that takes long in which it has not answered any other, makes it suspect.
//
// What a proven host takes is learned from its answers: it begins with twice what was under
// way to it, an answer while it has all of that gives it one place more, up to three
// quarters of all, and each time that nothing was under way any more takes half. So many
// hosts that are used a little can die without holding all places.
//
// The control file concurrencydestination may limit each host further. A channel of few
// places has no shares.
//
// The destination of local recipients is the beginning of the local part, up to the
// first hyphen, which is as much as qmail-send can know of the user: a program that
// never ends, or a home that does not answer, must not keep the mail of others waiting.
// They are proven from the start, for most deliveries here take no time, and may have
// three quarters.
type destinations struct {
	lane    *lane
	limit   int // places for one host, by the control file; 0: none given
	byName  map[string]*destination
	used    [standings]int            // places, by standing
	parked  int                       // jobs that wait for a place
	doubted int64                     // when doubt has looked last, Unix time in seconds
	waiting [standings][]*destination // those with such jobs that have no place of their own to give back
}

// standing is what is known of a destination.
type standing int

const (
	fresh standing = iota
	suspect
	proven
	standings
)

// destination is one host, or user.
type destination struct {
	name     string
	used     int
	standing standing
	window   int   // places that a proven host has earned
	released int   // jobs that may go on, and have not had their turn
	answered int64 // when it has answered last, Unix time in seconds
	parked   []*job
}

// fewPlaces is how many a channel must have for shares to make sense.
const fewPlaces = 8

// all is how many places the destinations of a standing may have together.
func (d *destinations) all(st standing) int {
	limit := d.lane.limit
	switch {
	case limit < fewPlaces || st == proven:
		return limit
	case st == fresh:
		return limit / 2
	}
	return limit / 4
}

// leastWindow is the part of the places that a proven host has at least.
const leastWindow = 64

// one is how many places a destination may have.
func (d *destinations) one(to *destination) int {
	limit := d.lane.limit
	if limit >= fewPlaces {
		most := limit - limit/4
		least := (limit + leastWindow - 1) / leastWindow
		limit = [standings]int{fresh: limit / 4, suspect: limit / 8, proven: most}[to.standing]
		if to.standing == proven && d.lane.ch == remote {
			limit = min(max(to.window, least), most)
		}
	}
	if d.limit > 0 && d.lane.ch == remote {
		limit = min(limit, d.limit)
	}
	return limit
}

// slow is how long a deferral takes that makes one doubt that the host is alive.
const slow = 10 // seconds

// maxParked bounds how many jobs wait for a place of their destination; others
// go back to the heap for parkedPause.
const (
	maxParked   = 1000
	parkedPause = time.Minute
)

// maxDestinations bounds how many destinations are remembered that nothing is sent to.
const maxDestinations = 10000

// of returns the destination of a recipient.
func (d *destinations) of(recipient string) *destination {
	name, standing := d.name(recipient)
	to := d.byName[name]
	if to == nil {
		if d.byName == nil || len(d.byName) >= maxDestinations {
			d.forgetIdle()
		}
		to = &destination{name: name, standing: standing}
		d.byName[name] = to
	}
	return to
}

// name returns what the destination of a recipient is called, and what a new one is
// taken for.
func (d *destinations) name(recipient string) (string, standing) {
	box, host, _ := address.Split(recipient)
	if d.lane.ch == remote {
		return host, fresh
	}
	user, _, _ := strings.Cut(box, "-")
	return strings.ToLower(user), proven
}

func (d *destinations) forgetIdle() {
	busy := map[string]*destination{}
	for name, to := range d.byName {
		if to.used > 0 || len(to.parked) > 0 {
			busy[name] = to
		}
	}
	d.byName = busy
}

// mayUse reports whether a delivery to a destination may begin.
func (d *destinations) mayUse(to *destination) bool {
	return to.used < d.one(to) && d.used[to.standing] < d.all(to.standing)
}

func (d *destinations) begin(to *destination) {
	if to.used == 0 {
		to.window /= 2
	}
	to.used++
	d.used[to.standing]++
}

// end takes note of how a delivery went. It returns the jobs that may go on: one
// for the place that is free now, or more if the destination has risen, and one
// of others of the same standing.
func (d *destinations) end(to *destination, deferred bool, began, now int64) []*job {
	was, count := to.standing, 1
	if !deferred {
		d.widen(to)
		to.answered = now
		d.move(to, proven)
	} else if now-began >= slow {
		d.move(to, suspect)
	}
	to.used--
	d.used[to.standing]--
	if !deferred {
		count = max(count, d.one(to)-to.used-to.released)
	}
	return append(d.release(to, count), d.releaseWaiting(was)...)
}

// widen gives a host one place more if it answers while it has all of its own. One that
// is new gets twice what it has.
func (d *destinations) widen(to *destination) {
	switch {
	case to.standing != proven:
		to.window = 2 * to.used
	case to.used >= d.one(to):
		to.window = to.used + 1
	}
}

// move gives a destination another standing, and all that is under way to it.
func (d *destinations) move(to *destination, st standing) {
	d.used[to.standing] -= to.used
	d.used[st] += to.used
	to.standing = st
}

// doubt makes hosts suspect that have not answered for long, and returns the jobs that
// may go on because of that: hosts that are new would wait until those that are dead have
// given their places back.
func (d *destinations) doubt(now int64) (jobs []*job) {
	if d.parked == 0 || d.lane.limit < fewPlaces || d.doubted == now {
		return nil
	}
	d.doubted = now
	if d.lane.ch == remote {
		for _, p := range d.lane.places {
			if p != nil && p.to.standing != suspect && now-p.began >= slow && p.to.answered < p.began {
				d.move(p.to, suspect)
				jobs = append(jobs, d.release(p.to, d.one(p.to)-p.to.used)...)
			}
		}
	}
	// A job may have been let go on when its host was one of others than it is now.
	for st := range standings {
		jobs = append(jobs, d.releaseWaiting(st)...)
	}
	return jobs
}

// park lets a job wait until a delivery ends; it is false if too many jobs do.
func (d *destinations) park(to *destination, j *job) bool {
	if d.parked >= maxParked {
		return false
	}
	d.parked++
	to.parked = append(to.parked, j)
	if to.used < d.one(to) {
		d.waiting[to.standing] = append(d.waiting[to.standing], to)
	}
	return true
}

// release takes up to count of the jobs that wait for a destination.
func (d *destinations) release(to *destination, count int) []*job {
	count = max(min(count, len(to.parked)), 0)
	jobs := to.parked[:count:count]
	to.parked = to.parked[count:]
	to.released += count
	d.parked -= count
	for _, j := range jobs {
		j.place = to
	}
	return jobs
}

// passOn takes a job that may have a place that another one, which it was given to,
// has not used.
func (d *destinations) passOn(to *destination) []*job {
	if to == nil {
		return nil
	}
	return append(d.release(to, 1), d.releaseWaiting(to.standing)...)
}

// releaseWaiting takes jobs of the destinations that have waited longest for a
// place of those of their standing, as many as there are places.
func (d *destinations) releaseWaiting(st standing) (jobs []*job) {
	for len(d.waiting[st]) > 0 && d.used[st]+len(jobs) < d.all(st) {
		to := d.waiting[st][0]
		d.waiting[st] = d.waiting[st][1:]
		jobs = append(jobs, d.release(to, 1)...)
	}
	return jobs
}
