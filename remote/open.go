package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"goqmail/internal/fault"
)

// refusal is why there is no session with a server.
type refusal struct {
	verdict verdict
	met     bool // there was a connection
	final   bool // other addresses need not be tried
	// clear says why TLS did not come about, if it may go without.
	clear string
}

// open returns a session with a server that is ready for a message: one that has
// carried another message over, or a new one, after greeting, EHLO, TLS and AUTH.
// Whoever has the session keeps it or says goodbye.
func (c *Client) open(ctx context.Context, s *Settings, m *Mail, to target) (*session, *refusal) {
	host := m.Host
	if to.route.Relay != "" {
		host = to.route.Relay // what is known of the destination does not hold for it
	}
	need, err := s.require(ctx, host, to)
	if err != nil {
		return nil, &refusal{verdict: verdictOf(err), met: true}
	}
	if to.qmtp {
		return c.openQMTP(ctx, s, m, to, need)
	}
	key := sessionKey(m, host, to, need)
	if session := c.Idle.take(ctx, key); session != nil {
		return session, nil
	}
	session, no := c.greeted(ctx, s, m, to, need)
	if no == nil {
		session.key = key
	}
	return session, no
}

// greeted connects, and does all that comes before the first message.
func (c *Client) greeted(ctx context.Context, s *Settings, m *Mail, to target, need Requirement) (*session, *refusal) {
	session, no := c.begin(ctx, s, m, to, need)
	if no != nil && no.clear != "" {
		failed := tlsState{note: "STARTTLS failed: " + no.clear + "; not used", failure: &no.verdict}
		if session, no = c.begin(ctx, s, m, to, Requirement{}); no == nil {
			session.tls = failed
		}
	}
	if no != nil || to.route.User == "" {
		return session, no
	}
	v, ok := session.authenticate(to.route.User, to.route.Password)
	if ok {
		return session, nil
	}
	// A wrong password is not tried at every address of a relay: that locks out.
	no = &refusal{verdict: v, met: true, final: !session.dead}
	session.bye()
	return nil, no
}

// require returns what is required of a server. For a password that is TLS,
// unless control/authcleartext has the relay.
func (s *Settings) require(ctx context.Context, host string, to target) (Requirement, error) {
	need := Requirement{Level: MayTLS}
	if s.Policy != nil {
		var err error
		if need, err = s.Policy.For(ctx, host, to.name); err != nil {
			return need, err
		}
	}
	switch {
	case to.addr.Port() == smtpsPort:
		need.Level = MustTLS
	case need.Level == MustTLS || to.route.User == "" || s.ClearAuth.Has(plainName(to.name)):
	case need.Level == NoTLS:
		return need, fault.Soft("TLS is switched off for "+printable(plainName(to.name))+", so I do not send it a password. (#4.7.10)", nil)
	default:
		need.Level, need.Why = MustTLS, "there is a password for "+printable(plainName(to.name))
	}
	return need, nil
}

// begin connects, and gets as far as EHLO, under TLS if that is wanted.
func (c *Client) begin(ctx context.Context, s *Settings, m *Mail, to target, need Requirement) (*session, *refusal) {
	conn, err := c.connect(ctx, to, s.ConnectTimeout)
	if err != nil {
		return nil, &refusal{verdict: verdictOf(err)}
	}
	session := newSession(conn, to.addr.Addr().String(), s.Timeout)
	session.watch(ctx)
	config := func() (*tls.Config, error) { return c.tlsConfig(s, m.Sender, to.name, need) }
	if no := session.greet(ctx, to, need, config); no != nil {
		no.met = true
		session.bye()
		return nil, no
	}
	return session, nil
}

// greet waits for the greeting and says hello, twice if TLS begins in between.
func (s *session) greet(ctx context.Context, to target, need Requirement, config func() (*tls.Config, error)) *refusal {
	implicit := to.addr.Port() == smtpsPort
	if implicit {
		if err := s.handshake(ctx, config); err != nil {
			return &refusal{verdict: s.tlsFailed(to.name, err)}
		}
		s.verified("TLS ", need)
	}
	if v, ok := s.greeting(); !ok {
		return &refusal{verdict: v}
	}
	if v, ok := s.hello(to.helo); !ok {
		return &refusal{verdict: v}
	}
	if implicit || need.Level == NoTLS {
		return nil
	}
	if !s.extensions.has("STARTTLS") {
		if need.Level == MustTLS {
			return &refusal{verdict: s.noTLS("No TLS achieved", need, reply{})}
		}
		return nil
	}
	return s.secure(ctx, to, need, config)
}

// secure does STARTTLS, RFC 3207, and says hello again: what the host said in the
// clear does not count.
func (s *session) secure(ctx context.Context, to target, need Requirement, config func() (*tls.Config, error)) *refusal {
	r, err := s.command("STARTTLS")
	if err == nil && r.code != 220 {
		if need.Level == MustTLS {
			return &refusal{verdict: s.noTLS("STARTTLS rejected", need, r)}
		}
		need.Why = "it is needed"
		v := s.noTLS("STARTTLS rejected", need, r)
		if r.code == 421 { // it hangs up
			return &refusal{verdict: v, clear: "rejected with 421"}
		}
		s.tls = tlsState{note: fmt.Sprintf("STARTTLS rejected with %03d; not used", r.code), failure: &v}
		return nil
	}
	if err == nil {
		err = s.handshake(ctx, config)
	}
	if err == nil {
		// In TLS 1.3 a server that does not like this host's certificate says so only
		// in answer to what comes next.
		var v verdict
		var ok bool
		if v, ok = s.hello(to.helo); ok {
			s.verified("STARTTLS ", need)
			return nil
		}
		if !s.dead {
			return &refusal{verdict: v}
		}
		err = s.lost
	}
	s.dead = true
	no := &refusal{verdict: s.tlsFailed(to.name, err)}
	if need.Level != MustTLS && !errors.As(err, new(*fault.Error)) { // that is about our own files
		no.clear = reason(err)
	}
	return no
}
