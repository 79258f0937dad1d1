package send

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"goqmail/queue"
)

// A host that never answers leaves places to others.
func TestDeadDestinationLeavesRoom(t *testing.T) {
	w := newWorld(t)
	w.control("concurrencyremote", "8")
	w.reply = func(asked string) string {
		if strings.HasSuffix(asked, "dead.example") {
			return "" // for ever
		}
		return "Kok\n"
	}
	w.start()
	for i := range 20 {
		w.queue("ann@far.example", fmt.Sprintf("%d@dead.example", i))
	}
	w.wait("to remote", 2)
	for i := range 50 {
		w.queue("ann@far.example", fmt.Sprintf("%d@live.example", i))
	}
	w.wait("success", 50)
	if got := w.logged("to remote"); got != 52 {
		t.Errorf("%d deliveries have begun, want 50 and 2", got)
	}
}

// Many dead hosts together do not get more than one.
func TestDeadDestinationsTogether(t *testing.T) {
	w := newWorld(t)
	w.control("concurrencyremote", "8")
	w.reply = func(asked string) string {
		if strings.Contains(asked, "dead") {
			return ""
		}
		return "Kok\n"
	}
	w.start()
	w.queue("ann@far.example", "joe@live.example")
	w.wait("success", 1) // it has proven to be alive
	for i := range 20 {
		w.queue("ann@far.example", fmt.Sprintf("joe@%d.dead.example", i))
	}
	w.wait("to remote", 5)
	for range 30 {
		w.queue("ann@far.example", "joe@live.example")
	}
	w.wait("success", 31)
}

// A user whose deliveries never end leaves places to others, whatever they are called.
func TestStuckUserLeavesRoom(t *testing.T) {
	w := newWorld(t)
	w.control("concurrencylocal", "8")
	w.control("concurrencydestination", "1") // is about hosts
	w.reply = func(asked string) string {
		if strings.Contains(strings.ToLower(asked), "eve") {
			return "" // for ever
		}
		return "Kok\n"
	}
	w.start()
	for i := range 20 {
		w.queue("ann@far.example", []string{"eve@example.org", "eve-list@example.org", "EVE-2@example.org"}[i%3])
	}
	w.wait("to local", 6)
	for range 30 {
		w.queue("ann@far.example", "joe@example.org")
	}
	w.wait("success", 30)
	if got := w.logged("to local"); got != 36 {
		t.Errorf("%d deliveries have begun, want 30 and 6", got)
	}
}

func TestLimitOfOneDestination(t *testing.T) {
	w := newWorld(t)
	w.control("concurrencydestination", "2")
	gate := make(chan struct{})
	w.reply = func(string) string { <-gate; return "Kok\n" }
	w.start()
	w.queue("ann@far.example", "a@one.example", "b@one.example", "c@one.example", "d@two.example")
	w.wait("to remote", 3)
	w.wait("remote 3/20", 1)
	close(gate)
	w.wait("end msg", 1)
	w.stop()
	if got := w.logged("remote 4/20"); got != 0 {
		t.Errorf("4 deliveries at a time, although 3 of them are to one host")
	}
}

// Places that a new limit brings are used at once.
func TestMorePlaces(t *testing.T) {
	w := newWorld(t)
	w.control("concurrencyremote", "8")
	w.reply = func(string) string { return "" }
	w.start()
	for i := range 40 {
		w.queue("ann@far.example", fmt.Sprintf("joe@%d.example", i))
	}
	w.wait("remote 4/8", 1)
	w.control("concurrencyremote", "60")
	w.server.Reload()
	w.wait("remote 30/60", 1)
}

func TestDestinations(t *testing.T) {
	l := newLane(remote, 100, false)
	l.limit = 8
	d := &l.destinations
	one := d.of("joe@one.example")
	if d.of("ann@one.example") != one {
		t.Error("a host is two destinations")
	}
	other := d.of("joe@other.example")
	for range 2 {
		for _, to := range []*destination{one, other} {
			if !d.mayUse(to) {
				t.Fatal("a fresh destination gets less than a quarter")
			}
			d.begin(to)
		}
		if two := d.of("joe@two.example"); two.used > 0 {
			t.Error("who is asked about gets a place")
		}
	}
	if d.mayUse(one) || d.mayUse(d.of("joe@two.example")) {
		t.Error("fresh destinations get more than half")
	}
	d.end(one, false, 100, 101)
	if one.standing != proven || d.used != [standings]int{fresh: 2, proven: 1} {
		t.Errorf("after an answer the places are %v", d.used)
	}
	d.end(other, true, 100, 160)
	if other.standing != suspect || d.used != [standings]int{suspect: 1, proven: 1} {
		t.Errorf("after a slow deferral the places are %v", d.used)
	}
	if d.mayUse(other) {
		t.Error("a suspect destination gets more than an eighth")
	}
	d.end(one, true, 100, 101)
	if one.standing != proven {
		t.Error("a quick deferral makes one doubt")
	}
	d.end(other, false, 100, 101)
	if d.used != [standings]int{} || one.used != 0 || other.used != 0 {
		t.Errorf("in the end the places are %v", d.used)
	}
	for i := range 2 * maxDestinations {
		d.of(fmt.Sprintf("joe@%d.example", i))
	}
	if len(d.byName) > maxDestinations {
		t.Errorf("%d hosts are remembered", len(d.byName))
	}
}

func TestWideNumbers(t *testing.T) {
	for _, tt := range []struct {
		name, from string
		places     int
		wide       bool
	}{
		{"narrow", "x", 'x', false},
		{"255, of another qmail", "\xff\xffZInternal error: delnum too big. (#4.3.5)\n\x00", 255, false},
		{"ours", "\xff\xffKwide 5000\n\x00rest", 5000, true},
		{"too wide", "\xff\xffKwide 99999999\n\x00", maxWide, true},
		{"nonsense", "\xff\xffKwide x\n\x00", 255, false},
	} {
		var asked strings.Builder
		places, wide, err := Spawner{To: &asked, From: strings.NewReader(tt.from)}.readPlaces()
		if places != tt.places || wide != tt.wide || err != nil {
			t.Errorf("%s: %d places, wide %v, %v; want %d, %v", tt.name, places, wide, err, tt.places, tt.wide)
		}
	}
	w := wire{wide: true}
	got := string(w.request(nil, 0x1234, "1/2", "a@b", "c@d"))
	if want := "\x12\x341/2\x00a@b\x00c@d\x00"; got != want {
		t.Errorf("request is %q, want %q", got, want)
	}
	var reports []outcome
	w.readReports(strings.NewReader("\x12\x34Kok\x00\x00\x01D\x00\x00\x02Zpart"), func(all []outcome) { reports = append(reports, all...) })
	if want := []outcome{{0x1234, "Kok"}, {1, "D"}}; !slices.Equal(reports, want) {
		t.Errorf("reports are %v, want %v", reports, want)
	}
}

// A place that a job has waited for goes to the next one if that job is stopped.
func TestPlaceIsPassedOn(t *testing.T) {
	l := newLane(local, 8, false)
	l.limit = 8
	d := &l.destinations
	to := d.of("joe@one.example")
	for d.mayUse(to) {
		d.begin(to)
	}
	stopped := &job{lane: l}
	next := &job{lane: l, buffer: []queue.Recipient{{Address: "joe@one.example"}}}
	d.park(to, stopped)
	d.park(to, next)
	l.makeReady(d.end(to, false, 100, 101))
	(&Server{}).deliverNext(l, l.ready.pop())
	if l.ready.len() != 1 || l.ready.pop() != next {
		t.Error("a job waits for ever")
	}
}

// TestWindow has a host that is used a little, one that takes all it gets, and one that
// dies.
func TestWindow(t *testing.T) {
	l := newLane(remote, 128, false)
	l.limit = 128
	d := &l.destinations
	fill := func(to *destination) (count int) {
		for d.mayUse(to) {
			d.begin(to)
			count++
		}
		return count
	}
	little := d.of("joe@little.example")
	for range 10 {
		d.begin(little)
		d.end(little, false, 100, 101)
	}
	if n := fill(little); n != 2 {
		t.Errorf("a host that was used a little gets %d places, want 2", n)
	}
	busy := d.of("joe@busy.example")
	if n := fill(busy); n != 32 {
		t.Errorf("a fresh host gets %d places, want a quarter", n)
	}
	for range 100 {
		d.end(busy, false, 100, 101)
		fill(busy)
	}
	if busy.used != 96 {
		t.Errorf("a host that answers has %d places, want three quarters", busy.used)
	}
	for busy.used > 0 {
		d.end(busy, true, 100, 101)
	}
	for range 20 {
		d.begin(busy)
		d.end(busy, true, 100, 101)
	}
	if n := fill(busy); n != 2 {
		t.Errorf("a host that was idle gets %d places, want 2", n)
	}
}

// TestDoubt has deliveries that take long without a word from their hosts.
func TestDoubt(t *testing.T) {
	l := newLane(remote, 80, false)
	l.limit = 80
	d := &l.destinations
	begin := func(to *destination, began int64) {
		l.take(&delivery{to: to, began: began})
		d.begin(to)
	}
	dead, alive, late := d.of("joe@dead.example"), d.of("joe@alive.example"), d.of("joe@late.example")
	for range 20 {
		begin(dead, 100)
		begin(alive, 100)
	}
	alive.answered = 105
	waits := &job{lane: l}
	if d.mayUse(late) || !d.park(late, waits) {
		t.Fatal("there are places left")
	}
	if jobs := d.doubt(109); jobs != nil {
		t.Errorf("after 9 seconds %v go on", jobs)
	}
	if jobs := d.doubt(110); !slices.Equal(jobs, []*job{waits}) {
		t.Errorf("after 10 seconds %v go on", jobs)
	}
	if dead.standing != suspect || alive.standing != fresh || d.used != [standings]int{fresh: 20, suspect: 20} {
		t.Errorf("they stand at %v and %v, with %v places", dead.standing, alive.standing, d.used)
	}
}

// TestDoubtLetsOthersGo has a healthy host wait behind jobs of a dead one that were to go
// on when that was new, and mail for a host that gets more places as it becomes suspect.
func TestDoubtLetsOthersGo(t *testing.T) {
	l := newLane(remote, 20, false)
	l.limit = 20
	d := &l.destinations
	to := func(host string) *destination { return d.of("joe@" + host) }
	for host, count := range map[string]int{"a": 5, "b": 4, "x": 1} {
		for range count {
			l.take(&delivery{to: to(host), began: 100})
			d.begin(to(host))
		}
	}
	for range 30 {
		d.park(to("x"), &job{lane: l, buffer: []queue.Recipient{{Address: "joe@x"}}})
	}
	healthy := &job{lane: l, buffer: []queue.Recipient{{Address: "joe@y"}}}
	d.park(to("y"), healthy)
	going := map[*job]bool{}
	for now := int64(110); now < 120; now++ {
		for _, j := range d.doubt(now) {
			j.place.released--
			j.place = nil
			going[j] = true
			if host := d.of(j.buffer[0].Address); !d.mayUse(host) {
				d.park(host, j)
			}
		}
	}
	if !going[healthy] {
		t.Error("a healthy host waits for ever")
	}
	one := to("one")
	one.standing, one.window = proven, 1
	l.take(&delivery{to: one, began: 100})
	d.begin(one)
	waits := &job{lane: l, buffer: []queue.Recipient{{Address: "joe@one"}}}
	if d.mayUse(one) || !d.park(one, waits) {
		t.Fatal("there is a place")
	}
	if jobs := d.doubt(130); !slices.Contains(jobs, waits) {
		t.Errorf("of a suspect host that may have more only %v go on", jobs)
	}
}
