package remote

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Idle keeps sessions that have carried a message over for the next message to the
// same server. Its methods may be called from several goroutines at a time.
type Idle struct {
	Most     int           // sessions kept at a time
	Age      time.Duration // after which a session is ended that nobody wants
	Messages int           // that one session carries at most

	mu       sync.Mutex
	sessions map[string][]*idleSession
	n        int
}

// idleSession is a session that waits for a message.
type idleSession struct {
	*session
	end *time.Timer
}

// sessionKey tells sessions apart: where they lead, from where, as whom, and what was
// required of the server when they began.
func sessionKey(m *Mail, host string, to target, need Requirement) string {
	_, domain, _ := strings.Cut(m.Sender, "@") // which may have a certificate of its own
	if need.plain() {
		host = "" // it does not matter which of those that the server has mail for
	}
	var b strings.Builder
	for _, field := range []string{
		to.addr.String(), to.name, to.from.String(), to.helo,
		to.route.Relay, to.route.User, to.route.Password, host,
		strconv.Itoa(int(need.Level)), need.Why, domain,
	} {
		b.WriteString(strconv.Itoa(len(field)))
		b.WriteByte(' ')
		b.WriteString(field)
	}
	return b.String()
}

// take returns a session for a message, or nil.
func (idle *Idle) take(ctx context.Context, key string) *session {
	if idle == nil {
		return nil
	}
	idle.mu.Lock()
	defer idle.mu.Unlock()
	for waiting := idle.sessions[key]; len(waiting) > 0; waiting = idle.sessions[key] {
		last := waiting[len(waiting)-1]
		idle.remove(key, last)
		if last.end.Stop() {
			last.used = true
			last.watch(ctx)
			return last.session
		}
	}
	return nil
}

// keep lets a session wait for another message, or ends it.
func (idle *Idle) keep(s *session) {
	// A host that has said more than it was asked is out of step. Stop is false if the
	// time of the message is over: the connection goes.
	if idle == nil || s.dead || !s.ready || s.key == "" || s.messages >= idle.Messages || s.in.Buffered() > 0 || !s.stop() {
		s.bye()
		return
	}
	idle.mu.Lock()
	defer idle.mu.Unlock()
	if idle.n >= idle.Most {
		go s.bye()
		return
	}
	if idle.sessions == nil {
		idle.sessions = map[string][]*idleSession{}
	}
	waiting := &idleSession{session: s}
	waiting.end = time.AfterFunc(idle.Age, func() {
		idle.mu.Lock()
		idle.remove(s.key, waiting)
		idle.mu.Unlock()
		s.bye()
	})
	idle.sessions[s.key] = append(idle.sessions[s.key], waiting)
	idle.n++
}

// remove is called with mu locked.
func (idle *Idle) remove(key string, s *idleSession) {
	waiting := idle.sessions[key]
	for i := range waiting {
		if waiting[i] == s {
			waiting = append(waiting[:i], waiting[i+1:]...)
			idle.n--
			break
		}
	}
	if idle.sessions[key] = waiting; len(waiting) == 0 {
		delete(idle.sessions, key)
	}
}

// Close ends the sessions that wait.
func (idle *Idle) Close() {
	idle.mu.Lock()
	all := idle.sessions
	idle.sessions, idle.n = nil, 0
	idle.mu.Unlock()
	for _, waiting := range all {
		for _, s := range waiting {
			if s.end.Stop() {
				s.bye()
			}
		}
	}
}
