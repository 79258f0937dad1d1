package smtp

import (
	"strconv"
	"time"
)

// Variables that have clients wait for the greeting; some programs that send spam do
// not.
const (
	envGreetDelay = "SMTPD_GREETDELAY" // seconds
	envPreGreet   = "DROP_PRE_GREET"   // a client that speaks before is told to go
)

const maxGreetDelay = 300

// await lets a client wait for the greeting, unless it may relay.
func (s *session) await() error {
	seconds, _ := strconv.ParseUint(s.env[envGreetDelay], 10, 32)
	if seconds == 0 || s.set.MayRelay || s.tls != nil {
		return nil
	}
	wait := time.Duration(min(seconds, maxGreetDelay)) * time.Second
	if !s.isSet(envPreGreet) {
		time.Sleep(wait)
		return nil
	}
	early, err := s.wire.Early(wait)
	switch {
	case err != nil:
		return s.lost(err)
	case early:
		s.srv.Log.event(s, "turned away: ", "did not wait for the greeting")
		return s.end(replyEarly, ErrEnded)
	}
	return nil
}
