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
//	proven: it has answered       three quarters all
//
// An answer, be it a refusal, makes a host proven; a deferral that took long makes
// it suspect. The control file concurrencydestination may limit each host further.
// A channel of few places has no shares.
//
// The destination of local recipients is the beginning of the local part, up to the
// first hyphen, which is as much as qmail-send can know of the user: a program that
// never ends, or a home that does not answer, must not keep the mail of others waiting.
// They are proven from the start, for most deliveries here take no time.
type destinations struct {
	lane    *lane
	limit   int // places for one host, by the control file; 0: none given
	byName  map[string]*destination
	used    [standings]int            // places, by standing
	parked  int                       // jobs that wait for a place
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

// one is how many places one destination of a standing may have.
func (d *destinations) one(st standing) int {
	limit := d.lane.limit
	if limit >= fewPlaces {
		limit = [standings]int{fresh: limit / 4, suspect: limit / 8, proven: limit - limit/4}[st]
	}
	if d.limit > 0 && d.lane.ch == remote {
		limit = min(limit, d.limit)
	}
	return limit
}

// slow is how long a deferral takes that makes one doubt that the host is alive.
const slow = 10 * time.Second

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
	return to.used < d.one(to.standing) && d.used[to.standing] < d.all(to.standing)
}

func (d *destinations) begin(to *destination) {
	to.used++
	d.used[to.standing]++
}

// end takes note of how a delivery went. It returns the jobs that may go on: one
// for the place that is free now, or more if the destination has risen, and one
// of others of the same standing.
func (d *destinations) end(to *destination, deferred bool, took time.Duration) []*job {
	was := to.standing
	to.used--
	d.used[was]--
	switch {
	case !deferred:
		to.standing = proven
	case took >= slow:
		to.standing = suspect
	}
	// The others under way to it change sides.
	d.used[was] -= to.used
	d.used[to.standing] += to.used
	count := 1
	if to.standing > was {
		count = max(1, d.one(to.standing)-to.used)
	}
	return append(d.release(to, count), d.releaseWaiting(was)...)
}

// park lets a job wait until a delivery ends; it is false if too many jobs do.
func (d *destinations) park(to *destination, j *job) bool {
	if d.parked >= maxParked {
		return false
	}
	d.parked++
	to.parked = append(to.parked, j)
	if to.used < d.one(to.standing) {
		d.waiting[to.standing] = append(d.waiting[to.standing], to)
	}
	return true
}

// release takes up to count of the jobs that wait for a destination.
func (d *destinations) release(to *destination, count int) []*job {
	count = min(count, len(to.parked))
	jobs := to.parked[:count:count]
	to.parked = to.parked[count:]
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
