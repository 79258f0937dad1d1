package chaos

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// verdict is what whoever sent a message was told.
type verdict int

const (
	unknown  verdict = iota // the answer was lost, or says that something died
	accepted                // somebody has said yes
	refused                 // somebody has said no
)

// ledger knows what was sent and what has arrived.
type ledger struct {
	t    *testing.T
	seed uint64

	mu       sync.Mutex
	changed  sync.Cond
	part     int
	messages map[int]*message
	open     int // fates of accepted messages that are to come
	arrived  int
	torn     map[int]int // messages of which a part is in an mbox
}

func newLedger(t *testing.T, seed uint64) *ledger {
	l := &ledger{t: t, seed: seed, messages: map[int]*message{}, torn: map[int]int{}}
	l.changed.L = &l.mu
	return l
}

// next makes a message.
func (l *ledger) next(r *rand.Rand, anySender bool) *message {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := newMessage(len(l.messages)+1, l.seed, r, anySender)
	m.part = l.part
	l.messages[m.n] = m
	return m
}

// note writes down what has become of sending a message.
func (l *ledger) note(m *message, v verdict, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m.verdict, m.why = v, why
	if v == accepted {
		for _, f := range m.fates {
			if f.times == 0 {
				l.open++
			}
		}
	}
}

// mail takes a whole message, or a bounce, that has arrived somewhere.
func (l *ledger) mail(place, who string, text []byte) {
	if !isNotice(text) {
		l.arrival(place, who, text)
		return
	}
	failed, original, err := openNotice(text)
	if err != nil {
		l.t.Errorf("in %s: %v", place, err)
	}
	for _, addr := range failed {
		l.arrival("bounce to "+place, addr, original)
	}
}

// arrival takes what has arrived.
func (l *ledger) arrival(place, who string, text []byte) {
	n, body, err := take(text)
	if err != nil {
		l.t.Errorf("in %s for %s: %v", place, who, err)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.messages[n]
	if m == nil {
		l.t.Errorf("in %s for %s: a message %d that nobody has sent", place, who, n)
		return
	}
	if want := m.body(); !bytes.Equal(body, want) {
		l.t.Errorf("in %s for %s: message %d is not what was sent: %d bytes in place of %d", place, who, n, len(body), len(want))
		return
	}
	for _, f := range m.fates {
		if f.who == who && slices.Contains(f.places, place) {
			f.times++
			if f.times == 1 && m.verdict == accepted {
				l.open--
			}
			l.arrived++
			l.changed.Broadcast()
			return
		}
	}
	l.t.Errorf("in %s for %s: message %d, to %q from %q, has no business there", place, who, n, m.to, m.sender)
}

// part of a message is at the end of an mbox, or was before the next one.
func (l *ledger) partOf(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.torn[n]++
}

// left is how many fates of accepted messages are to come.
func (l *ledger) left() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

// total is how much has arrived.
func (l *ledger) total() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.arrived
}

// strictness is what is allowed in a part of the test.
type strictness bool

const (
	lenient strictness = false // processes were killed
	strict  strictness = true
)

// sums are what has become of the messages of a part.
type sums struct {
	sent, accepted, refused, unknown int
	fates, again, after              int // arrivals beyond the first; messages that nobody said yes to
	atSink                           int // of those again
}

func (s sums) String() string {
	return fmt.Sprintf("%d messages: %d accepted, %d refused, %d without an answer, of which %d arrived; %d recipients, %d of them more than once (%d elsewhere)",
		s.sent, s.accepted, s.refused, s.unknown, s.after, s.fates, s.again, s.atSink)
}

// judge says what is wrong with the messages of this part, and begins the next one.
func (l *ledger) judge(how strictness) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var s sums
	for n := 1; n <= len(l.messages); n++ {
		if m := l.messages[n]; m.part == l.part {
			s.add(m, how, l.t)
		}
	}
	if how == strict && s.again > s.atSink {
		l.t.Errorf("%d recipients on this host have mail more than once, and nothing was killed", s.again-s.atSink)
	}
	if how == strict && len(l.torn) > 0 {
		l.t.Errorf("parts of messages are in an mbox, and nothing was killed: %v", l.torn)
	}
	l.t.Logf("%v; parts of %d messages in an mbox", s, len(l.torn))
	if s.accepted == 0 {
		l.t.Error("nothing was accepted")
	}
	l.part++
	l.torn = map[int]int{}
}

// add counts a message, and says what is wrong with it.
func (s *sums) add(m *message, how strictness, t *testing.T) {
	s.sent++
	var arrived, missing []string
	for _, f := range m.fates {
		if f.times == 0 {
			missing = append(missing, f.who)
			continue
		}
		arrived = append(arrived, f.who)
		s.fates++
		if f.times > 1 {
			s.again++
			if slices.Contains(f.places, "sink") {
				s.atSink++
			}
		}
	}
	switch m.verdict {
	case accepted:
		s.accepted++
	case refused:
		s.refused++
		if len(arrived) > 0 {
			t.Errorf("message %d was refused (%s) and has arrived: %q", m.n, m.why, arrived)
		}
	case unknown:
		s.unknown++
		if how == strict {
			t.Errorf("message %d had no answer (%s), and nothing was killed", m.n, m.why)
		}
		if len(arrived) > 0 {
			s.after++
		}
	}
	if len(missing) > 0 && (m.verdict == accepted || len(arrived) > 0) {
		t.Errorf("message %d from %q (verdict %d) is lost for %q, and has arrived for %q", m.n, m.sender, m.verdict, missing, arrived)
	}
}
